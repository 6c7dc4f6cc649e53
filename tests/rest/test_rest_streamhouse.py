"""The published stream interface over REST: what a client written for it does, and where Restock departs."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import httpx
import pytest
from rest_world import Rest, client_of, copied_home

from restock.app import opened
from restock.edge.rest.application import Application
from restock.engine.stream import Message, partition_for
from restock.settings import Settings


@pytest.fixture
async def topic(client: httpx.AsyncClient) -> str:
    made = await client.post("/api/v1/topics", json={"name": "clicks", "partitions": 3, "replication_factor": 1})
    assert made.status_code == 201, made.text
    told = made.json()
    assert told.pop("created_at")
    assert told == {
        "name": "clicks",
        "partitions": 3,
        "replication_factor": 1,
        "message_count": 0,
        "size_bytes": 0,
    }
    return "clicks"


async def given(client: httpx.AsyncClient, path: str, **query: object) -> object:
    answer = await client.get(f"/api/v1/{path}", params={name: str(value) for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_topic_is_made_once_and_kept(client: httpx.AsyncClient, topic: str) -> None:
    again = await client.post("/api/v1/topics", json={"name": topic, "partitions": 3})
    assert again.status_code == 409
    names = [one["name"] for one in await given(client, "topics")]  # type: ignore[attr-defined]
    assert names == ["clicks", "inventory-updates", "orders", "purchase-orders"]
    assert (await client.get("/api/v1/topics/nothing")).status_code == 404
    dropped = await client.delete(f"/api/v1/topics/{topic}")
    assert dropped.status_code == 501
    assert "is kept" in dropped.json()["detail"]
    assert await given(client, f"topics/{topic}/partitions") == [
        {
            "topic": topic,
            "partition_id": part,
            "leader_agent_id": "restock",
            "high_watermark": 0,
            "low_watermark": 0,
        }
        for part in range(3)
    ]


async def test_what_is_produced_is_consumed(client: httpx.AsyncClient, topic: str) -> None:
    one = await client.post("/api/v1/produce", json={"topic": topic, "key": "k", "value": "v1"})
    assert one.json() == {"offset": 0, "partition": partition_for("k", 3)}
    batch = await client.post(
        "/api/v1/produce/batch",
        json={"topic": topic, "records": [{"value": "a", "partition": 1}, {"key": "k", "value": "b", "partition": 1}]},
    )
    assert batch.json() == {"count": 2, "offsets": [{"partition": 1, "offset": n} for n in sorted(_from(one, 1))]}
    first = await given(client, "consume", topic=topic, partition=1, offset=_from(one, 1)[0], maxRecords=1)
    (record,) = first["records"]  # type: ignore[index]
    assert record.pop("timestamp") > 1_700_000_000_000
    assert record == {"partition": 1, "offset": _from(one, 1)[0], "key": None, "value": "a", "valueBase64": None}
    end = await given(client, "consume", topic=topic, partition=1, offset=99)
    assert end == {"records": [], "nextOffset": 99}
    shown = await given(client, f"topics/{topic}/messages", limit=2)
    assert [one["value"] for one in shown] == ["v1", "a"]  # type: ignore[attr-defined]


def _from(one: httpx.Response, partition: int) -> list[int]:
    """Give the offsets that two further records get in a partition."""
    start = 1 if one.json()["partition"] == partition else 0
    return [start, start + 1]


async def test_records_without_key_and_partition_go_round(client: httpx.AsyncClient, topic: str) -> None:
    records = [{"value": str(n)} for n in range(6)]
    batch = (await client.post("/api/v1/produce/batch", json={"topic": topic, "records": records})).json()
    assert sorted(one["partition"] for one in batch["offsets"]) == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"topic": "nothing", "value": "v"}, 404, "topic"),
        ({"topic": "clicks", "value": "v", "partition": 7}, 404, "partition"),
        ({"topic": "clicks", "value": "v", "ack_mode": "soon"}, 422, "ack_mode"),
        ({"topic": "clicks"}, 422, "value"),
        ({"topic": "orders", "value": "v"}, 422, "key"),
        ({"topic": "orders", "key": "k", "value": "v", "partition": (partition_for("k", 6) + 1) % 6}, 422, "partition"),
    ],
)
async def test_a_wrong_record_is_refused(
    client: httpx.AsyncClient, topic: str, body: dict[str, object], status: int, field: str
) -> None:
    answer = await client.post("/api/v1/produce", json=body)
    assert (answer.status_code, answer.json()["field"]) == (status, field), answer.text
    assert (await client.post("/api/v1/produce/batch", json={"topic": topic, "records": []})).status_code == 422


async def test_a_value_that_is_no_text_comes_in_base64(rest: Rest, topic: str) -> None:
    await rest.app.stream.publish([Message(topic, "k", b"\xff\x00"), Message(topic, "k", None)])
    found = await given(rest.client, "consume", topic=topic, partition=partition_for("k", 3))
    first, second = found["records"]  # type: ignore[index]
    assert (first["value"], base64.b64decode(first["valueBase64"])) == (None, b"\xff\x00")
    assert (second["value"], second["valueBase64"]) == (None, None)


async def test_a_group_commits_lags_is_moved_and_forgotten(client: httpx.AsyncClient, topic: str) -> None:
    records = [{"value": str(n), "partition": 0} for n in range(5)]
    await client.post("/api/v1/produce/batch", json={"topic": topic, "records": records})
    commit = {"groupId": "g", "topic": topic, "partition": 0, "offset": 3}
    assert (await client.post("/api/v1/consumer-groups/commit", json=commit)).json() == {"success": True}
    listed = {one["groupId"]: one for one in await given(client, "consumer-groups")}  # type: ignore[attr-defined]
    assert listed["g"] == {"groupId": "g", "topics": [topic], "totalLag": 2, "partitionCount": 3}
    assert await given(client, "consumer-groups/g/lag") == listed["g"]
    assert await given(client, "consumer-groups/g") == _at(topic, 3)
    await client.post("/api/v1/consumer-groups/commit", json={**commit, "offset": 1})
    assert await given(client, "consumer-groups/g") == _at(topic, 3), "a commit never goes back"
    for body, offset in (
        ({"strategy": "earliest"}, 0),
        ({"strategy": "latest"}, 5),
        ({"strategy": "specific", "offset": 2}, 2),
        ({"strategy": "timestamp", "timestamp": 0}, 0),
    ):
        moved = await client.post("/api/v1/consumer-groups/g/reset", json={"partition": 0, **body})
        assert moved.json() == _at(topic, offset), body
    seek = {"topic": topic, "partition": 0, "offset": 4}
    assert (await client.post("/api/v1/consumer-groups/g/seek", json=seek)).json() == _at(topic, 4)
    for wrong in ({"strategy": "nowhere"}, {"strategy": "specific"}, {"strategy": "timestamp", "timestamp": 1 << 60}):
        assert (await client.post("/api/v1/consumer-groups/g/reset", json=wrong)).status_code == 422, wrong
    assert (await client.delete("/api/v1/consumer-groups/g")).json() == {"success": True}
    assert (await client.delete("/api/v1/consumer-groups/g")).status_code == 404
    assert (await client.get("/api/v1/consumer-groups/g")).status_code == 404


def _at(topic: str, offset: int) -> dict[str, object]:
    place = {"topic": topic, "partitionId": 0, "committedOffset": offset, "highWatermark": 5, "lag": 5 - offset}
    return {"groupId": "g", "offsets": [place]}


async def test_a_group_with_living_members_is_not_moved(rest: Rest) -> None:
    await rest.app.settle()
    path = "/api/v1/consumer-groups/inventory.orders"
    assert (await rest.client.post(f"{path}/reset", json={"strategy": "earliest"})).status_code == 409
    assert (await rest.client.delete(path)).status_code == 409


async def test_figures_that_cost_little_are_served(client: httpx.AsyncClient, topic: str) -> None:
    await client.post("/api/v1/produce", json={"topic": topic, "value": "x" * 1000})
    figures = await given(client, "metrics")
    assert figures["topics"] == 4 and figures["partitions"] == 17  # type: ignore[index,call-overload]
    storage = await given(client, "metrics/storage")
    sizes = {one["topic"]: one["sizeBytes"] for one in storage["topics"]}  # type: ignore[index,call-overload]
    assert sizes[topic] >= 1000


@pytest.mark.parametrize(
    "path",
    ["sql", "query/ask", "schema/infer", "pipelines", "pipeline-targets", "transforms/validate", "organizations/1/quota",
     "agents", "whoami", "metrics/latency", "/ws/metrics"],
)  # fmt: skip
async def test_what_is_not_served_is_refused_by_name(client: httpx.AsyncClient, path: str) -> None:
    for verb in ("GET", "POST"):
        answer = await client.request(verb, path if path[0] == "/" else f"/api/v1/{path}", content=None)
        assert answer.status_code == 501, answer.text
        assert answer.json()["remedy"]
    assert (await client.get("/api/v1/nothing")).status_code == 404
    assert (await client.get("/agents")).status_code == 404


async def test_a_topic_whose_values_have_a_schema_takes_what_it_says(client: httpx.AsyncClient, topic: str) -> None:
    ticket = {
        "type": "object",
        "properties": {
            "id": {"type": "integer", "minimum": 1},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "maxItems": 2},
            "kind": {"enum": ["new", "old"]},
        },
        "required": ["id"],
        "additionalProperties": False,
        "$defs": {"tag": {"type": "string", "minLength": 2}},
    }
    given_schema = {"schema": json.dumps(ticket), "schemaType": "JSON"}
    assert (await client.post(f"/schemas/subjects/{topic}-value/versions", json=given_schema)).status_code == 200
    right = [{"id": 1}, {"id": 2.0, "tags": ["ab", "cd"], "kind": "old"}]
    values = [json.dumps(one) for one in right]
    told = await client.post("/api/v1/produce/batch", json={"topic": topic, "records": [{"value": v} for v in values]})
    assert told.status_code == 200, told.text
    for wrong, why in (
        ("v", "Expecting value"),
        ("[]", "is array, not object"),
        ("{}", "has no id"),
        ('{"id": 0}', "less than"),
        ('{"id": 1.5}', "is number, not integer"),
        ('{"id": true}', "is boolean"),
        ('{"id": NaN}', "NaN"),
        ('{"id": 1, "tags": ["a"]}', "$.tags[0] has 1 length"),
        ('{"id": 1, "tags": ["ab", "ab", "ab"]}', "$.tags has 3 items"),
        ('{"id": 1, "kind": "odd"}', "$.kind is none of"),
        ('{"id": 1, "other": 1}', "$.other is not accepted"),
        ("\0\0\0\0\x07{}", "names schema 7"),
    ):
        records = [{"value": values[0]}, {"value": wrong}]
        answer = await client.post("/api/v1/produce/batch", json={"topic": topic, "records": records})
        assert (answer.status_code, answer.json()["field"]) == (422, "value"), wrong
        assert "Record 1 is not what" in answer.json()["detail"] and why in answer.json()["detail"], answer.text
    total = (await given(client, f"topics/{topic}"))["message_count"]
    assert total == 2, "a batch with one wrong record is refused whole"


async def test_a_topic_of_restock_takes_events_alone(client: httpx.AsyncClient) -> None:
    for value in ("v", "{}", '{"event_id": 1}'):
        answer = await client.post("/api/v1/produce", json={"topic": "orders", "key": "k", "value": value})
        assert (answer.status_code, answer.json()["field"]) == (422, "value")
    event = {"event_id": "e-1", "type": "Note", "at": "2026-01-05T08:00:00.000000Z", "causation_id": "", "key": "k"}
    value = json.dumps({**event, "data": {}})
    answer = await client.post("/api/v1/produce", json={"topic": "orders", "key": "k", "value": value})
    assert answer.status_code == 200, answer.text


async def test_a_server_of_the_stream_has_the_published_probes(home: Path) -> None:
    copied_home(home)
    async with opened(Settings(home=home, dispatch_process=False)) as app:
        application = Application(app, service="stream")
        async with client_of(application) as client:
            for path in ("/health", "/live", "/ready"):
                answer = await client.get(path)
                assert (answer.status_code, answer.json()) == (200, {"status": "ok"}), path
            application.condition.leave()
            told = [(await client.get(path)).status_code for path in ("/health", "/live", "/ready")]
            assert told == [503, 200, 503]


async def test_another_server_keeps_its_own_probes(client: httpx.AsyncClient) -> None:
    assert (await client.get("/live")).status_code == 404
    assert (await client.get("/livez")).status_code == 200
