"""How inventory reads orders and keeps its events while they wait changes nothing of what it does and publishes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from test_inventory import Depot, order

from restock.core import trace
from restock.core.clock import SystemClock
from restock.core.errors import InvalidInput
from restock.core.event import Event
from restock.core.ids import Ids
from restock.engine.stream import Record, Unfit, decode, encode, outbox
from restock.inventory import news, rows, store
from restock.inventory.consumer import OrderPlaced, order_in
from restock.inventory.model import Stock
from restock.inventory.news import News

AT = "2026-01-05T08:00:00.000000Z"


def record(value: bytes) -> Record:
    return Record("orders", 0, 7, "C", value, {}, AT)


def told(*changes: tuple[str, Stock, Stock, str]) -> News:
    found = News(Ids(SystemClock()), AT)
    for sku, before, after, order_id in changes:
        found.tell(news.TAKEN, (sku, "WH-001"), before, after, order_id, "cause")
    return found


def test_an_event_that_waited_packed_is_the_published_one() -> None:
    ((count, batch),) = told(("Ä", Stock(12_500_000), Stock(12_500_000, 4_000_000, 0, 9, 1), "ORD-1")).batches()
    (waiting,) = store.OUTBOX.events_in(batch)
    found = decode(record(waiting.value))
    data = dict(found.data)
    assert (count, waiting.topic, waiting.key, waiting.event_id) == (1, "inventory-updates", "Ä", found.event_id)
    assert (found.type, found.at, found.causation_id, found.key) == ("StockReserved", AT, "cause", "Ä")
    assert str(data.pop("event_id")).startswith("INV-")
    assert data == {
        "sku": "Ä",
        "order_id": "ORD-1",
        "change": -4,
        "new_quantity": Decimal("8.5"),
        "status": "LowStock",
        "timestamp": AT,
        "warehouse_id": "WH-001",
        "version": 1,
        "received_total": Decimal("0.000009"),
        "backordered": 0,
    }
    assert waiting.value == encode(found)


def test_identifiers_differ_and_rise_over_many_events() -> None:
    unit = told(*[("A", Stock(0), Stock(0), "ORD")] * 70_000)
    events = [one for _, batch in unit.batches() for one in store.OUTBOX.events_in(batch)]
    ids = [one.event_id for one in events]
    assert ids == sorted(set(ids)) and len(ids) == 70_000
    assert len({msgspec.json.decode(one.value)["data"]["event_id"] for one in events}) == 70_000


def test_events_of_an_unusual_length_wait_as_they_are_published_and_rows_stay_small() -> None:
    rows = told(*[("A", Stock(0), Stock(0), "x" * 100_000)] * 20).batches()
    assert sum(count for count, _ in rows) == 20
    assert max(len(batch) for _, batch in rows) < 2 * outbox.BATCH_BYTES
    assert {len(store.OUTBOX.events_in(batch)) for _, batch in rows} == {count for count, _ in rows}


@pytest.mark.parametrize("sku", ["", "ä" * 300])
def test_a_product_that_no_stream_takes_as_a_key_fails_the_unit_and_not_the_relay(sku: str) -> None:
    with pytest.raises(InvalidInput):
        told(("A", Stock(0), Stock(0), ""), (sku, Stock(0), Stock(0), "")).batches()


def test_an_order_is_read_the_short_way_and_anything_unusual_by_the_codec() -> None:
    usual = order_in(record(encode(order("ORD-1", A="3"))))
    assert isinstance(usual, OrderPlaced)
    assert (usual.event_id, usual.data.order_id, usual.data.items[0].quantity) == ("e-ORD-1", "ORD-1", 3)
    other = Event("e", "OrderChanged", "orders", "C", AT, {"order_id": "ORD-1"})
    assert order_in(record(encode(other))) == other
    for value in (b"", b"{}", b"\x00\x00\x00\x00\x63x", encode(order("ORD-1", A="3")).replace(b"e-ORD-1", b"e" * 37)):
        with pytest.raises(InvalidInput, match="not an event"):
            order_in(record(value))


@pytest.mark.parametrize(("text", "wrong"), [(b'"ORD-1"', b"5"), (b'"A"', b"5"), (b'"A"', b"null")])
async def test_what_is_no_text_fails_its_unit_and_not_the_relay(tmp_path: Path, text: bytes, wrong: bytes) -> None:
    depot = Depot(tmp_path)
    found = order_in(record(encode(order("ORD-1", A="1")).replace(b":" + text, b":" + wrong)))
    assert isinstance(found, Event)
    with pytest.raises(Unfit, match="e-ORD-1"):
        await depot.ordered(found)
    await depot.databases.close()


@pytest.mark.parametrize("quantity", ["-1", "0", "1.5", "1e12", "true", '"7"', '"NaN"', "null", "1e13"])
async def test_both_ways_of_reading_do_the_same(tmp_path: Path, quantity: str) -> None:
    """Whatever stands in the place of a quantity, by the struct or by the codec."""
    value = encode(order("ORD-1", A="123")).replace(b"123", quantity.encode())
    outcomes: list[object] = []
    for number, read in enumerate((order_in, decode)):
        depot = Depot(tmp_path / str(number))
        await depot.count(A="5")
        try:
            await depot.ordered(read(record(value)))  # type: ignore[arg-type]
        except (InvalidInput, Unfit) as error:
            outcomes.append(str(error))
        else:
            outcomes.append((await depot.stock("A"), await depot.waiting()))
        await depot.databases.close()
    assert outcomes[0] == outcomes[1]


def test_a_trace_waits_beside_the_event_and_leaves_its_bytes_alone() -> None:
    traceparent, changes = trace.begun(), [("A", Stock(5), Stock(5, 1), "ORD-1"), ("B", Stock(5), Stock(5, 1), "ORD-2")]
    ((_, plain),) = told(*changes).batches()
    found = News(Ids(SystemClock()), AT)
    trace.remember("event-of-a-trace", traceparent)
    for (sku, before, after, order_id), cause in zip(changes, ["cause", "event-of-a-trace"], strict=True):
        found.tell(news.TAKEN, (sku, "WH-001"), before, after, order_id, cause)
    ((_, batch),) = found.batches()
    assert [one.trace for one in store.OUTBOX.events_in(batch)] == ["", traceparent]
    assert [one.trace for one in store.OUTBOX.events_in(plain)] == ["", ""]
    assert b"traces" not in plain, "rows without a trace are as they always were"


def test_a_row_with_traces_is_read_by_a_program_that_knows_none() -> None:
    class Before(msgspec.Struct):
        form: int
        stem: str
        published: int
        at: str
        told: list[rows.Told]

    found = News(Ids(SystemClock()), AT, trace.begun())
    found.tell(news.COUNTED, ("A", "WH-001"), Stock(0), Stock(5))
    ((_, batch),) = found.batches()
    assert msgspec.msgpack.decode(batch, type=Before).told[0].sku == "A"
    assert store.OUTBOX.events_in(batch)[0].trace
