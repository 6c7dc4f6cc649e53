"""Supplier terms: each wrong value is named; the supplier asked first is the active one of the lowest rank."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.core.clock import SystemClock
from restock.core.errors import InvalidInput
from restock.suppliers.model import Terms, terms
from restock.suppliers.port import OffersRequest, PutTermsRequest, TermsRequest
from restock.suppliers.service import SuppliersService
from restock.suppliers.store import SCHEMA

GOOD = {"product_id": "PROD-001", "supplier_id": "SUP-001", "unit_price": "15.9912", "lead_time_days": "7"}
TERMS = Terms("PROD-001", "SUP-001", Decimal("15.9912"), 7)


def test_what_is_left_out_has_the_stated_default() -> None:
    assert terms(GOOD) == TERMS
    blank = dict.fromkeys(("moq", "order_multiple", "purchase_unit", "currency", "is_active", "rank"), "")
    assert terms({**GOOD, **blank}) == TERMS
    assert (TERMS.moq, TERMS.order_multiple, TERMS.rank, TERMS.is_active) == (0, 1, 1, None)
    assert (TERMS.currency, TERMS.purchase_unit) == ("USD", "")


def test_all_values_are_read() -> None:
    given_all = {
        **GOOD, "supplier_name": "Łódź GmbH", "moq": "2.5", "order_multiple": 3, "purchase_unit": "CASE",
        "currency": "EUR", "is_active": "no", "rank": "2",
    }  # fmt: skip
    assert terms(given_all) == Terms(
        "PROD-001", "SUP-001", Decimal("15.9912"), 7, "Łódź GmbH", Decimal("2.5"), Decimal(3), "CASE", "EUR", False, 2
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("unit_price", value) for value in (None, "", "-0.01", "1.00001", 1.5, "dear", "NaN", "1e13")),
        *(("lead_time_days", value) for value in (None, "", "-1", "1.5", "3651", "soon", 7.0)),
        *(("moq", value) for value in ("-1", "many", 0.1, "0.0000001")),
        *(("order_multiple", value) for value in ("0", "-1", "some", 0.5)),
        *(("is_active", value) for value in ("perhaps", "2", 7)),
        *(("rank", value) for value in ("first", 1.0)),
        *(("currency", value) for value in ("DOLLAR", "US", "U$D", 840, "JPY", "kwd")),
        *(
            (field, value)
            for field in ("product_id", "supplier_id")
            for value in (None, "", "\t", 5, "x" * 129, "a\nb")
        ),
    ],
)
def test_a_wrong_term_is_refused_by_field(field: str, value: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        terms({**GOOD, field: value})
    assert refused.value.field == field


@pytest.mark.parametrize("value", ["0", "3650", 0, Decimal(12), "12.0"])
def test_whole_days_are_accepted(value: object) -> None:
    assert terms({**GOOD, "lead_time_days": value}).lead_time_days == int(Decimal(str(value)))


@pytest.mark.parametrize("field", ["supplier_name", "purchase_unit", "currency"])
def test_a_text_that_no_column_could_hold_is_refused(field: str) -> None:
    with pytest.raises(InvalidInput):
        terms({**GOOD, field: "x" * 129})


@pytest.mark.parametrize("value", ["eur", " EUR ", "EUR"])
def test_a_currency_is_its_three_letters(value: str) -> None:
    assert terms({**GOOD, "currency": value}).currency == "EUR"


def test_a_currency_without_cents_is_refused_because_the_rules_round_to_cents() -> None:
    with pytest.raises(InvalidInput, match="JPY has 0 decimals, and the rules round to 2"):
        terms({**GOOD, "currency": "JPY"})


def test_days_before_today_are_called_negative() -> None:
    with pytest.raises(InvalidInput, match="-7 is negative"):
        terms({**GOOD, "lead_time_days": "-7"})


def test_a_broken_rank_is_refused() -> None:
    with pytest.raises(InvalidInput):
        terms({**GOOD, "rank": "1.5"})


@settings(max_examples=50)
@given(st.integers(0, 10**16).map(lambda scaled: Decimal(scaled) / 10**4))
def test_every_price_of_four_decimals_is_kept_exactly(price: Decimal) -> None:
    assert terms({**GOOD, "unit_price": str(price)}).unit_price == price


@pytest.fixture
async def suppliers(tmp_path: Path) -> AsyncIterator[SuppliersService]:
    databases = EmbeddedDatabases(tmp_path, {"supplier": [SCHEMA]})
    yield SuppliersService(databases["supplier"], SystemClock())
    await databases.close()


async def test_terms_are_stored_once_and_the_revision_tells_of_changes(suppliers: SuppliersService) -> None:
    rows = [replace(TERMS, product_id=f"P{number}", moq=Decimal("0.5")) for number in range(5)]
    start = await suppliers.revision()
    assert (await suppliers.put_terms(PutTermsRequest(rows))).changed == 5
    after = await suppliers.revision()
    assert after > start
    assert (await suppliers.put_terms(PutTermsRequest(rows))).changed == 0
    assert await suppliers.revision() == after
    rows[2] = replace(rows[2], unit_price=Decimal("16"))
    assert (await suppliers.put_terms(PutTermsRequest(rows))).changed == 1
    frame = await suppliers.terms(TermsRequest(["P2", "NONE", "P1"]))
    assert list(frame.product_id) == ["P1", "P2"]
    assert list(frame.unit_price) == [Decimal("15.9912"), Decimal(16)]
    assert list(frame.is_active) == [True, True]
    assert len(await suppliers.terms(TermsRequest([]))) == 0


async def test_the_supplier_asked_first_is_active_of_lowest_rank(suppliers: SuppliersService) -> None:
    rows = [
        replace(TERMS, supplier_id="S-INACTIVE", is_active=False, rank=1),
        replace(TERMS, supplier_id="S-THIRD", rank=3),
        replace(TERMS, supplier_id="S-B", rank=2),
        replace(TERMS, supplier_id="S-A", rank=2),
        replace(TERMS, product_id="ONLY", supplier_id="S-INACTIVE", is_active=False),
    ]
    await suppliers.put_terms(PutTermsRequest(rows))
    frame = await suppliers.terms(TermsRequest(["PROD-001", "ONLY"]))
    assert list(zip(frame.product_id, frame.supplier_id, frame.is_active, strict=True)) == [
        ("ONLY", "S-INACTIVE", False),
        ("PROD-001", "S-A", True),
    ]
    every = await suppliers.offers(OffersRequest(["PROD-001", "ONLY", "NONE"]))
    assert list(zip(every.product_id, every.supplier_id, every.rank, strict=True)) == [
        ("ONLY", "S-INACTIVE", TERMS.rank),
        ("PROD-001", "S-A", 2),
        ("PROD-001", "S-B", 2),
        ("PROD-001", "S-THIRD", 3),
        ("PROD-001", "S-INACTIVE", 1),
    ]
    assert len(await suppliers.offers(OffersRequest([]))) == 0


async def test_a_price_list_that_does_not_say_leaves_a_supplier_as_it_is(suppliers: SuppliersService) -> None:
    await suppliers.put_terms(PutTermsRequest([TERMS]))
    assert list((await suppliers.terms(TermsRequest(["PROD-001"]))).is_active) == [True]
    await suppliers.put_terms(PutTermsRequest([replace(TERMS, is_active=False)]))
    dearer = replace(TERMS, unit_price=Decimal(17))
    assert (await suppliers.put_terms(PutTermsRequest([dearer]))).changed == 1
    found = await suppliers.terms(TermsRequest(["PROD-001"]))
    assert (list(found.unit_price), list(found.is_active)) == ([Decimal(17)], [False])
    assert (await suppliers.put_terms(PutTermsRequest([dearer]))).changed == 0
