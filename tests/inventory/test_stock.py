"""The arithmetic of stock: nothing promised is forgotten, nothing available is negative."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restock.core.errors import InvalidInput
from restock.core.quantity import ONE
from restock.inventory.model import Item, Stock, StockCount, checked_count, item, stock_count

QUANTITIES = st.integers(1, 1000 * ONE)
STEPS = st.lists(st.tuples(st.sampled_from(["reserve", "receive"]), QUANTITIES), max_size=40)


@given(st.integers(0, 1000 * ONE), STEPS)
def test_stock_is_conserved_and_available_never_negative(counted: int, steps: list[tuple[str, int]]) -> None:
    stock = Stock(0).count(counted, 0)
    promised = received = 0
    for kind, quantity in steps:
        before = stock
        stock = getattr(stock, kind)(quantity)
        promised += quantity if kind == "reserve" else 0
        received += quantity if kind == "receive" else 0
        assert stock.available >= 0
        assert stock.backordered >= 0
        assert stock.on_hand == counted + received
        assert stock.reserved + stock.backordered == promised
        assert stock.received_total == received
        assert stock.version == before.version + 1
        assert stock.backordered == 0 or stock.available == 0, "nobody waits while there is stock"


@given(st.integers(0, 10**12), st.integers(0, 10**12), STEPS)
def test_a_count_replaces_what_is_believed_and_keeps_what_is_waited_for(
    on_hand: int, reserved: int, steps: list[tuple[str, int]]
) -> None:
    stock = Stock(0)
    for kind, quantity in steps:
        stock = getattr(stock, kind)(quantity)
    counted = stock.count(max(on_hand, reserved), reserved)
    assert (counted.on_hand, counted.reserved) == (max(on_hand, reserved), reserved)
    assert (counted.backordered, counted.received_total) == (stock.backordered, stock.received_total)
    assert counted.available >= 0


@pytest.mark.parametrize(
    ("available", "status"), [(0, "OutOfStock"), (1, "LowStock"), (10 * ONE - 1, "LowStock"), (10 * ONE, "InStock")]
)
def test_the_label_follows_what_is_available(available: int, status: str) -> None:
    assert Stock(available + 5, 5).status == status


def test_rows_are_read_with_defaults() -> None:
    assert item({"product_id": " P "}) == Item("P", "", "PIECE", Decimal(0))
    assert stock_count({"product_id": "P", "on_hand": "2.5", "reserved": ""}) == StockCount("P", Decimal("2.5"))


@pytest.mark.parametrize(
    ("field", "row"),
    [
        ("on_hand", {"product_id": "P"}),
        ("on_hand", {"product_id": "P", "on_hand": "-1"}),
        ("on_hand", {"product_id": "P", "on_hand": 1.5}),
        ("reserved", {"product_id": "P", "on_hand": "1", "reserved": "-1"}),
        ("reserved", {"product_id": "P", "on_hand": "1", "reserved": "2"}),
        ("product_id", {"on_hand": "1"}),
        ("warehouse_id", {"product_id": "P", "on_hand": "1", "warehouse_id": "a\nb"}),
    ],
)
def test_a_wrong_count_is_refused_by_field(field: str, row: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as refused:
        stock_count(row)
    assert refused.value.field == field


@pytest.mark.parametrize(("on_hand", "reserved"), [("-1", "0"), ("1", "2"), ("1", "-1"), ("0.0000001", "0")])
def test_a_count_that_was_not_read_from_a_row_is_checked_too(on_hand: str, reserved: str) -> None:
    with pytest.raises(InvalidInput):
        checked_count(StockCount("P", Decimal(on_hand), Decimal(reserved)))


@pytest.mark.parametrize(
    "row", [{}, {"product_id": "P", "safety_stock": "-1"}, {"product_id": "P", "stock_unit": "\x00"}]
)
def test_a_wrong_product_is_refused(row: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        item(row)
