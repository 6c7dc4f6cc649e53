"""Framed events say what the JSON says, to the digit; versions of a schema are read in both directions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from io import BytesIO
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restock.core.errors import InvalidInput
from restock.core.event import Event
from restock.engine.stream import Record, decode, encode, framing
from restock.engine.stream.framing import Book, EventSchema, schemas_in
from restock.engine.stream.registry import avro_schemas
from restock.engine.stream.registry.registry import FIRST_FREE
from restock.services import EVENT_SCHEMAS

OWN = [one for folder in EVENT_SCHEMAS for one in schemas_in(folder)]
AT = "2026-01-05T08:00:00.000000Z"

quantities = st.decimals(-(10**12), 10**12, places=6, allow_nan=False) | st.integers(-(10**28) + 1, 10**28 - 1).map(
    Decimal
)
"""With at most 6 decimals, and as large as an event can carry."""

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
DATA = {
    "orders": st.fixed_dictionaries(
        {
            "order_id": text,
            "customer_id": text,
            "items": st.lists(
                st.fixed_dictionaries({"sku": text, "quantity": quantities, "price": quantities}), max_size=3
            ),
            "total_amount": quantities,
            "shipping_address": st.none() | text,
            "status": text,
            "created_at": text,
        }
    ),
    "purchase-orders": st.fixed_dictionaries(
        {"po_id": text, "state": text},
        optional={
            "actor": text,
            "supplier_id": text,
            "grand_total": quantities,
            "currency": text,
            "send_method": text,
            "lines": st.lists(
                st.fixed_dictionaries(
                    {"product_id": text, "quantity": quantities},
                    optional={"line_no": st.integers(1, 10**6), "warehouse_id": text, "total_amount": quantities},
                ),
                max_size=3,
            ),
        },
    ),
}


@pytest.fixture(autouse=True)
def _known() -> None:
    framing.learn(OWN)


def record(topic: str, value: bytes) -> Record:
    return Record(topic, 0, 7, "k", value, {}, AT)


def without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


@given(st.data(), st.sampled_from(sorted(DATA)))
def test_a_frame_says_exactly_what_the_json_says(data: st.DataObject, topic: str) -> None:
    sent = encode(Event("e-1", "Happened", topic, "k", AT, data.draw(DATA[topic]), "e-0"))
    frame = framing.framed(topic, sent)
    assert frame[:1] == framing.MAGIC
    plain, framed = decode(record(topic, sent)), decode(record(topic, frame))
    assert without_nulls(framed.data) == without_nulls(plain.data)
    assert (framed.event_id, framed.type, framed.topic, framed.key, framed.at, framed.causation_id) == (
        plain.event_id,
        plain.type,
        plain.topic,
        plain.key,
        plain.at,
        plain.causation_id,
    )
    for number in (framed.data.get("total_amount"), framed.data.get("grand_total")):
        assert number is None or f"{number}" == f"{Decimal(f'{number:f}')}", "plain, as the JSON codec gives it"


ORDER = {
    "order_id": "o", "customer_id": "c", "items": [], "total_amount": Decimal(1), "shipping_address": None,
    "status": "created", "created_at": AT,
}  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        {**ORDER, "unknown": 1},
        {**ORDER, "total_amount": Decimal("0.0000001")},
        {**ORDER, "items": [{"sku": "s", "quantity": Decimal(1), "price": Decimal(1), "more": None}]},
        {name: value for name, value in ORDER.items() if name != "status"},
        {**ORDER, "status": 5},
    ],
)
def test_what_a_schema_does_not_hold_exactly_stays_json(data: dict[str, object]) -> None:
    sent = encode(Event("e-1", "OrderPlaced", "orders", "k", AT, data))
    assert framing.framed("orders", sent) == sent
    assert framing.framed("elsewhere", sent) == sent


def frame() -> bytes:
    return framing.framed("orders", encode(Event("e-1", "OrderPlaced", "orders", "k", AT, ORDER)))


def test_the_type_of_an_event_can_be_found_in_its_bytes() -> None:
    """Subscribers look for it before they read."""
    assert b"OrderPlaced" in frame()


@pytest.mark.parametrize(
    "value",
    [b"\0", b"\0\0\0\0\x01", b"\0\0\0\0\x63" + frame()[5:], b"\0\0\0\xff\xff", b"\0" * 40],
    ids=["one byte", "no event", "unknown schema", "unknown schema, nothing", "zeros"],
)  # fmt: skip
def test_a_frame_that_is_none_is_refused_with_its_place(value: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        decode(record("orders", value))
    assert refused.value.field == "orders/0/7"


def test_a_frame_ends_where_its_event_ends() -> None:
    with pytest.raises(InvalidInput, match="goes on"):
        decode(record("orders", frame() + b"x"))


@given(st.integers(5, 400), st.binary(min_size=1, max_size=9))
def test_broken_bytes_are_an_event_or_refused(place: int, noise: bytes) -> None:
    whole = frame()
    place %= len(whole)
    with suppress(InvalidInput):
        decode(record("orders", whole[:place] + noise + whole[place + len(noise) :]))


# --- evolution ---------------------------------------------------------------------------------------------------------


def test_numbers_are_given_once_and_below_those_of_others() -> None:
    numbers = [one.number for one in OWN]
    assert len(set(numbers)) == len(numbers) and 0 < min(numbers) <= max(numbers) < FIRST_FREE


def test_every_version_reads_every_other() -> None:
    for one in OWN:
        for other in OWN:
            if one.subject == other.subject:
                assert not avro_schemas.obstacles(
                    avro_schemas.AvroSchema(one.text), avro_schemas.AvroSchema(other.text)
                )


def test_news_of_stock_without_a_published_number_still_have_a_frame() -> None:
    """As an outbox may hold them from before there was one: schema 4 gives them null."""
    zero = {name: Decimal(0) for name in ("change", "new_quantity", "received_total", "backordered")}
    words = dict.fromkeys(("sku", "order_id", "status", "timestamp", "warehouse_id"), "x")
    for data in ({**words, **zero, "version": 1}, {**words, **zero, "version": 1, "event_id": "INV-00000001"}):
        value = framing.framed("inventory-updates", encode(Event("e", "StockCounted", "t", "k", AT, data)))
        assert value[:5] == b"\0\0\0\0\4"
        assert decode(record("inventory-updates", value)).data == {"event_id": None, **data}


def with_member(schema: EventSchema, number: int, member: dict[str, object]) -> EventSchema:
    parsed = json.loads(schema.text)
    parsed["fields"][-1]["type"]["fields"].append(member)
    return EventSchema(number, schema.subject, json.dumps(parsed))


FIRST = OWN[0]
SECOND = with_member(FIRST, 900, {"name": "channel", "type": ["null", "string"], "default": None})


def test_an_old_reader_reads_what_a_new_writer_wrote() -> None:
    new, old = Book(), Book()
    new.learn([FIRST, SECOND])
    old.learn([FIRST], [FIRST, SECOND])
    value = new.framed("orders", encode(Event("e", "OrderPlaced", "orders", "k", AT, {**ORDER, "channel": "shop"})))
    assert value[:5] == b"\0\0\0\x03\x84"
    assert new.unframed(value)["data"]["channel"] == "shop"
    assert old.unframed(value)["data"] == ORDER


def test_a_new_reader_reads_what_an_old_writer_wrote() -> None:
    new, old = Book(), Book()
    new.learn([FIRST, SECOND])
    old.learn([FIRST])
    value = old.framed("orders", encode(Event("e", "OrderPlaced", "orders", "k", AT, ORDER)))
    assert new.unframed(value)["data"] == {**ORDER, "channel": None}


def test_any_reader_of_avro_reads_our_records() -> None:
    value = frame()
    schema = fastavro.parse_schema(json.loads(FIRST.text))
    found: Any = fastavro.schemaless_reader(BytesIO(value[5:]), schema, None)
    assert found["type"] == "OrderPlaced" and found["data"]["total_amount"] == Decimal(1)
