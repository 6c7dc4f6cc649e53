"""The stock client of a Confluent registry works against a running server, with its Avro and JSON (de)serializers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from confluent_kafka.schema_registry import (
    ConfigCompatibilityLevel,
    Schema,
    SchemaReference,
    SchemaRegistryClient,
    SchemaRegistryError,
    ServerConfig,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from rest_world import copied_home, server, stocked

from restock.app import TOPICS, opened
from restock.settings import Settings

ORDER = {"type": "record", "name": "Order", "fields": [{"name": "order_id", "type": "string"}]}
NOTED = {**ORDER, "fields": [*ORDER["fields"], {"name": "note", "type": ["null", "string"], "default": None}]}  # type: ignore[misc]
COUNTED = {**ORDER, "fields": [*ORDER["fields"], {"name": "count", "type": "int"}]}  # type: ignore[misc]


def avro(schema: object) -> Schema:
    return Schema(json.dumps(schema), "AVRO")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server(copied_home(tmp_path_factory.mktemp("registry") / "var")) as (_, address):
        yield f"{address}/schemas"


@pytest.fixture
def client(url: str) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": url, "max.retries": 0}) as client:
        yield client


def refused(error: pytest.ExceptionInfo[SchemaRegistryError]) -> tuple[int, int]:
    return error.value.http_status_code, error.value.error_code


def test_a_schema_is_registered_once_and_found_in_every_way(client: SchemaRegistryClient) -> None:
    number = client.register_schema("found-value", avro(ORDER))
    again = Schema(json.dumps(ORDER, indent=4), "AVRO")
    assert client.register_schema("found-value", again) == number
    assert client.register_schema("other-value", avro(ORDER)) == number, "the same schema has one number"
    assert client.lookup_schema("found-value", avro(ORDER)).version == 1
    assert json.loads(client.get_schema(number).schema_str) == ORDER
    latest = client.get_latest_version("found-value")
    assert (latest.schema_id, latest.version, latest.subject) == (number, 1, "found-value")
    assert client.get_version("found-value", 1).schema_id == number
    assert {"found-value", "other-value"} <= set(client.get_subjects())
    assert client.get_versions("found-value") == [1]
    assert {one.subject for one in client.get_schema_versions(number)} >= {"found-value", "other-value"}


def test_a_version_that_readers_cannot_follow_is_refused(client: SchemaRegistryClient) -> None:
    client.register_schema("guarded-value", avro(ORDER))
    assert client.test_compatibility("guarded-value", avro(NOTED))
    assert not client.test_compatibility("guarded-value", avro(COUNTED))
    with pytest.raises(SchemaRegistryError, match="count: is not written and has no default") as error:
        client.register_schema("guarded-value", avro(COUNTED))
    assert refused(error) == (409, 409)
    client.register_schema("guarded-value", avro(NOTED))
    assert client.get_versions("guarded-value") == [1, 2]


def test_modes(client: SchemaRegistryClient) -> None:
    assert client.get_compatibility() == "BACKWARD_TRANSITIVE"
    client.register_schema("free-value", avro(ORDER))
    with pytest.raises(SchemaRegistryError) as error:
        client.get_compatibility("free-value")
    assert refused(error) == (404, 40408)
    client.set_compatibility("free-value", "none")
    assert client.get_compatibility("free-value") == "NONE"
    client.register_schema("free-value", avro("string"))
    client.set_config("free-value", ServerConfig(compatibility=ConfigCompatibilityLevel.FULL))
    assert client.get_config("free-value").compatibility_level == ConfigCompatibilityLevel.FULL
    client.delete_config("free-value")
    with pytest.raises(SchemaRegistryError) as error:
        client.set_compatibility("free-value", "SIDEWAYS")
    assert refused(error) == (422, 42203)


def test_what_is_not_there_is_told_by_number(client: SchemaRegistryClient, url: str) -> None:
    client.register_schema("there-value", avro(ORDER))
    for call, number in (
        (lambda: client.get_versions("nowhere"), 40401),
        (lambda: client.get_version("there-value", 7), 40402),
        (lambda: client.get_schema(123456789), 40403),
        (lambda: client.lookup_schema("there-value", avro("bytes")), 40403),
        (lambda: client.delete_subject("nowhere"), 40401),
    ):
        with pytest.raises(SchemaRegistryError) as error:
            call()
        assert refused(error) == (404, number)
    with pytest.raises(SchemaRegistryError) as error:
        client.register_schema("there-value", Schema('{"type": "no such type"}', "AVRO"))
    assert refused(error) == (422, 42201)
    with pytest.raises(SchemaRegistryError) as error:
        client.register_schema("there-value", Schema("message M {}", "PROTOBUF"))
    assert refused(error) == (422, 42201)
    assert httpx.get(f"{url}/subjects/there-value/versions/first").json()["error_code"] == 42202


def test_deleted_versions_are_gone_and_their_schemas_readable(client: SchemaRegistryClient, url: str) -> None:
    first = client.register_schema("going-value", avro(ORDER))
    client.register_schema("going-value", avro(NOTED))
    assert client.delete_version("going-value", 1) == 1
    assert client.get_versions("going-value") == [2]
    assert client.get_versions("going-value", deleted=True) == [1, 2]
    assert client.delete_subject("going-value") == [2]
    assert "going-value" not in client.get_subjects()
    assert client.delete_subject("going-value", permanent=True) == [1, 2]
    assert "going-value" not in client.get_subjects(deleted=True)
    text = httpx.get(f"{url}/schemas/ids/{first}").json()["schema"]
    assert json.loads(text) == ORDER, "records may still have its number"


def test_a_subject_never_gives_a_version_twice(client: SchemaRegistryClient) -> None:
    client.register_schema("counted-value", avro(ORDER))
    with pytest.raises(SchemaRegistryError) as error:
        client.delete_subject("counted-value", permanent=True)
    assert refused(error) == (404, 40405)
    client.delete_subject("counted-value")
    client.delete_subject("counted-value", permanent=True)
    client.register_schema("counted-value", avro(NOTED))
    assert client.get_versions("counted-value") == [2]


def test_schemas_may_refer_to_others(client: SchemaRegistryClient) -> None:
    client.register_schema("order-type", avro(ORDER))
    batch = {
        "type": "record",
        "name": "Batch",
        "fields": [{"name": "orders", "type": {"type": "array", "items": "Order"}}],
    }
    given = Schema(json.dumps(batch), "AVRO", [SchemaReference("Order", "order-type", 1)])
    number = client.register_schema("batch-value", given)
    assert client.get_schema(number).references[0].subject == "order-type"
    with pytest.raises(SchemaRegistryError) as error:
        client.delete_version("order-type", 1)
    assert refused(error) == (422, 42206)
    serialize, read = AvroSerializer(client, given), AvroDeserializer(client)
    context = SerializationContext("batch", MessageField.VALUE)
    assert read(serialize({"orders": [{"order_id": "o-1"}]}, context), context) == {"orders": [{"order_id": "o-1"}]}


def test_the_avro_serializers_work(client: SchemaRegistryClient) -> None:
    price = {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 6}
    schema = {**ORDER, "name": "Priced", "fields": [*ORDER["fields"], {"name": "price", "type": price}]}  # type: ignore[misc]
    context = SerializationContext("priced", MessageField.VALUE)
    sent = {"order_id": "o-1", "price": Decimal("19.990000")}
    value = AvroSerializer(client, json.dumps(schema))(sent, context)
    assert value is not None and value[0] == 0
    assert int.from_bytes(value[1:5], "big") == client.get_latest_version("priced-value").schema_id
    assert AvroDeserializer(client)(value, context) == sent


def test_the_json_serializers_work(client: SchemaRegistryClient) -> None:
    schema = json.dumps(
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "title": "Order",
            "type": "object",
            "properties": {"order_id": {"type": "string"}},
            "required": ["order_id"],
        }
    )
    context = SerializationContext("json", MessageField.VALUE)
    value = JSONSerializer(schema, client)({"order_id": "o-1"}, context)
    assert JSONDeserializer(schema, schema_registry_client=client)(value, context) == {"order_id": "o-1"}
    assert client.get_latest_version("json-value").schema.schema_type == "JSON"
    with pytest.raises(SchemaRegistryError) as error:
        client.register_schema("json-value", Schema(schema.replace('["order_id"]', '["order_id", "more"]'), "JSON"))
    assert refused(error) == (409, 409)


def test_the_published_media_type_is_taken_and_given(url: str) -> None:
    media = "application/vnd.schemaregistry.v1+json"
    body = json.dumps({"schema": '"string"', "schemaType": "AVRO", "references": [], "ruleSet": None})
    answer = httpx.post(f"{url}/subjects/plain/versions", content=body, headers={"content-type": media})
    assert answer.status_code == 200 and answer.headers["content-type"] == media
    number = answer.json()["id"]
    assert httpx.get(f"{url}/schemas/ids/{number}").json() == {
        "schema": '"string"',
        "schemaType": "AVRO",
        "references": [],
    }
    assert httpx.get(f"{url}/schemas/types").json() == ["AVRO", "JSON"]
    shown = httpx.get(f"{url}/subjects/plain/versions/latest").json()
    assert shown.pop("references") == []
    assert shown == {"subject": "plain", "version": 1, "id": number, "schema": '"string"', "schemaType": "AVRO"}


@pytest.mark.timeout(120)
def test_the_stock_deserializer_reads_what_a_server_publishes(tmp_path_factory: pytest.TempPathFactory) -> None:
    """With event_format = avro: an order, its reservation, and the purchase order that follows, from the log as they are."""
    home = copied_home(tmp_path_factory.mktemp("avro") / "var")
    stocked(home)
    with server(home, RESTOCK_EVENT_FORMAT="avro") as (_, address):
        item = {"sku": "PROD-001", "quantity": "2.5", "price": "29.99"}
        body = {"customer_id": "cust-alice", "items": [item]}
        assert httpx.post(f"{address}/api/v1/orders", json=body).status_code == 201
        assert httpx.post(f"{address}/purchasing/flow", json={"product_id": "PROD-002"}).status_code == 200
        with SchemaRegistryClient({"url": f"{address}/schemas"}) as client:
            read = AvroDeserializer(client)
            found = [
                read(value, SerializationContext(topic, MessageField.VALUE))
                for topic, value in until_published(home)
                if value[:1] == b"\0"
            ]
        kinds = {one["type"]: one for one in found}
        trace = httpx.get(f"{address}/api/v1/streams/events/{kinds['OrderPlaced']['event_id']}/trace").json()
    assert {"OrderPlaced", "StockReserved"} <= {one["type"] for one in trace["steps"]}, "followed through frames"
    assert {"OrderPlaced", "StockReserved", "PurchaseOrderCreated", "PurchaseOrderSent"} <= set(kinds)
    placed = kinds["OrderPlaced"]["data"]
    assert placed["items"] == [{"sku": "PROD-001", "quantity": Decimal("2.5"), "price": Decimal("29.99")}]
    assert placed["total_amount"] == Decimal("74.98")
    assert kinds["StockReserved"]["causation_id"] == kinds["OrderPlaced"]["event_id"]


def until_published(home: Path) -> list[tuple[str, bytes]]:
    """Give topic and value of every record, once the reservation and the purchase order are among them."""

    async def records() -> list[tuple[str, bytes]]:
        async with opened(Settings(home=home, dispatch_process=False)) as app:
            return [
                (topic, one.value or b"")
                for topic, partitions in TOPICS.items()
                for partition in range(partitions)
                for one in await app.stream.read(topic, partition, 0, 1000)
            ]

    for _ in range(200):
        found = asyncio.run(records())
        if all(any(kind in value for _, value in found) for kind in (b"StockReserved", b"PurchaseOrderSent")):
            return found
        time.sleep(0.1)
    raise AssertionError("Nothing was published.")
