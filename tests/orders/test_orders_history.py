"""What each line of a sales file is, and the demand that follows."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restock.core.errors import InvalidInput
from restock.core.quantity import to_scaled
from restock.orders.history import (
    KEY_LENGTH,
    HistoryLine,
    Kind,
    Reject,
    computed,
    line_key,
    order_line,
    retail_line,
    window,
)

GOOD = {
    "order_id": "536365",
    "product_id": "85123A",
    "description": "HOLDER",
    "quantity": "6",
    "date": "2010-12-01 08:26:00",
    "price": "2.55",
    "customer_id": "17850",
}


def retail(**changed: str) -> HistoryLine | Reject:
    return retail_line(GOOD | changed)


def test_a_plain_line_is_a_sale() -> None:
    assert retail() == HistoryLine(
        Kind.SALE, "85123A", Decimal(6), Decimal("2.55"), "2010-12-01", GOOD["date"], "536365", "17850"
    )


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"customer_id": ""}, Kind.SALE),
        ({"description": ""}, Kind.SALE),
        ({"price": "0"}, Kind.SALE),
        ({"product_id": "15056bl"}, Kind.SALE),
        ({"product_id": "10002"}, Kind.SALE),
        ({"order_id": "C536379", "quantity": "-1"}, Kind.RETURN),
        ({"order_id": "C536379", "quantity": "-1", "price": "0.00"}, Kind.RETURN),
    ],
)
def test_what_is_accepted(changed: dict[str, str], kind: Kind) -> None:
    found = retail(**changed)
    assert isinstance(found, HistoryLine)
    assert found.kind is kind
    assert found.quantity > 0
    assert found.product_id == found.product_id.upper()


@pytest.mark.parametrize(
    ("changed", "reason", "field"),
    [
        ({"product_id": "POST"}, "service", "product_id"),
        ({"product_id": "m"}, "service", "product_id"),
        ({"product_id": "BANK CHARGES"}, "service", "product_id"),
        ({"product_id": "gift_0001_20"}, "service", "product_id"),
        ({"product_id": "DCGSSGIRL"}, "no-product", "product_id"),
        ({"product_id": "1234"}, "no-product", "product_id"),
        ({"product_id": "12345ABC"}, "no-product", "product_id"),
        ({"product_id": "１２３４５"}, "no-product", "product_id"),
        ({"product_id": ""}, "no-product", "product_id"),
        ({"order_id": "A563185"}, "bookkeeping", "order_id"),
        ({"order_id": ""}, "bad-name", "order_id"),
        ({"order_id": "C536379"}, "bad-sign", "quantity"),
        ({"quantity": "-3"}, "adjustment", "quantity"),
        ({"quantity": "-3", "price": "0", "customer_id": ""}, "adjustment", "quantity"),
        ({"quantity": "0"}, "zero-quantity", "quantity"),
        ({"quantity": "six"}, "bad-number", "quantity"),
        ({"quantity": "1e400"}, "bad-number", "quantity"),
        ({"quantity": ""}, "bad-number", "quantity"),
        ({"price": "NaN"}, "bad-number", "price"),
        ({"price": "1.0000001"}, "bad-number", "price"),
        ({"price": "-11062.06"}, "negative-price", "price"),
        ({"price": "0", "customer_id": ""}, "no-price", "price"),
        ({"date": "2010-13-01 08:26:00"}, "bad-date", "date"),
        ({"date": ""}, "bad-date", "date"),
        ({"customer_id": "x" * 129}, "bad-name", "customer_id"),
    ],
)
def test_what_is_rejected_and_why(changed: dict[str, str], reason: str, field: str) -> None:
    found = retail(**changed)
    assert isinstance(found, Reject)
    assert (found.reason, found.field) == (reason, field)
    assert found.what


def test_other_files_have_no_codes_and_keep_case() -> None:
    sale = order_line({"product_id": "abc", "quantity": "1.5", "date": "2011-01-31"})
    back = order_line({"product_id": "POST", "quantity": "-2", "date": "2011-01-31", "price": "3"})
    assert isinstance(sale, HistoryLine) and isinstance(back, HistoryLine)
    assert (sale.kind, sale.product_id, sale.price) == (Kind.SALE, "abc", 0)
    assert (back.kind, back.product_id, back.quantity) == (Kind.RETURN, "POST", 2)


def test_the_key_tells_lines_apart_and_begins_with_the_day() -> None:
    line = retail()
    assert isinstance(line, HistoryLine)
    others = [line._replace(quantity=Decimal(7)), line._replace(reference="536366"), line._replace(kind=Kind.RETURN)]
    keys = {line_key(line, 1), line_key(line, 2), *(line_key(other, 1) for other in others)}
    assert len(keys) == 5
    assert all(len(key) == KEY_LENGTH and key.startswith("20101201") for key in keys)


STOCK_DATE = date(2011, 10, 1)


@pytest.mark.parametrize(
    ("earlier", "later", "per_day", "trend"),
    [
        ("0", "0", "0", "stable"),
        ("45", "45", "1", "stable"),
        ("100", "110", "2.3333", "stable"),
        ("100", "110.1", "2.3344", "increasing"),
        ("100", "90", "2.1111", "stable"),
        ("100", "89.9", "2.11", "decreasing"),
        ("0", "1", "0.0111", "increasing"),
        ("-5", "1", "0", "increasing"),
        ("1", "-1", "0", "decreasing"),
        ("0", "0.0045", "0.0001", "increasing"),
        ("0", "0.004499", "0", "increasing"),
    ],
)
def test_demand_and_trend(earlier: str, later: str, per_day: str, trend: str) -> None:
    found = computed("P", to_scaled(Decimal(earlier)), to_scaled(Decimal(later)), window(STOCK_DATE, 90))
    assert (found.demand_per_day, found.trend) == (Decimal(per_day), trend)
    assert (found.window_days, found.as_of, found.source) == (90, "2011-10-01", "history")


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12), st.integers(2, 400))
def test_demand_is_the_rounded_quotient(earlier: int, later: int, days: int) -> None:
    net = Decimal(max(0, earlier + later)).scaleb(-6)
    expected = (net / days).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    assert computed("P", earlier, later, window(STOCK_DATE, days)).demand_per_day == expected


@given(st.dates(date(1900, 1, 1)), st.integers(2, 400))
def test_the_window_ends_before_the_stock_date(day: date, days: int) -> None:
    over = window(day, days)
    assert (over.days, over.end, over.start) == (days, day, day - timedelta(days))
    assert 0 <= (over.end - over.middle).days - (over.middle - over.start).days <= 1


@pytest.mark.parametrize(("days", "field"), [(1, "window_days"), (0, "window_days"), (3651, "window_days")])
def test_a_bad_window_is_named(days: int, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        window(STOCK_DATE, days)
    assert caught.value.field == field
