"""What a version would change is counted and added up as a person would by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from life_world import ALICE, NAME, activated, decisions, move, text

from restock.decisions import impact
from restock.decisions.library import SHIPPED
from restock.decisions.model import ChangedDecision, Known, Money, Shadow
from restock.decisions.port import DecideRequest, Decision, SubmitRequest, VersionRequest
from restock.decisions.service import DecisionsService

AMOUNTS = {"A": "40", "B": "100.50", "C": "150", "D": "250", "E": "0"}
"""What five products cost by the version in force, whose limit is 100: B, C and D wait."""

DOUBLED = text(200).replace("then grand_total = amount;", "then grand_total = amount + 10;")
"""Waits above 200 only, and costs 10 more of what costs anything: B and C pass now; A, B, C and D cost more."""


@pytest.fixture
async def service(home: Path) -> AsyncIterator[DecisionsService]:
    async with decisions(home) as found:
        await activated(found, 100)
        yield found


async def kept(service: DecisionsService) -> dict[str, str]:
    """Decide on every product; give the identifier of each decision."""
    facts = [{"amount": Decimal(amount)} for amount in AMOUNTS.values()]
    made = (await service.decide(DecideRequest(NAME, facts, subjects=list(AMOUNTS)))).results
    return {product: one.decision_id for product, one in zip(AMOUNTS, made, strict=True) if isinstance(one, Decision)}


async def tried(service: DecisionsService, new: str) -> Shadow:
    version = await service.submit(SubmitRequest(NAME, new, ALICE))
    advanced = await service.advance(move(version))
    assert advanced.shadow is not None, advanced
    assert (await service.version(VersionRequest(NAME, version.version))).shadow == advanced.shadow, "it is stored"
    return advanced.shadow


async def test_decisions_and_money_are_counted_by_currency(service: DecisionsService) -> None:
    keys = await kept(service)
    currencies = {keys["A"]: "USD", keys["B"]: "EUR", keys["C"]: "USD"}

    async def known() -> Known:
        return Known(list(currencies), currencies)

    service.life.known = known
    found = await tried(service, DOUBLED)
    assert (found.catalogue.decisions, found.catalogue.changed, found.catalogue.refused) == (3, 3, 0)
    assert found.catalogue.money_field == "grand_total"
    assert found.catalogue.money == [
        Money("", "EUR", Decimal("100.50"), Decimal("110.50")),
        Money("", "USD", Decimal(190), Decimal(210)),
    ]
    assert (found.past.decisions, found.past.changed) == (5, 4)
    assert found.past.money == [
        Money("", "", Decimal(250), Decimal(260)),
        Money("", "EUR", Decimal("100.50"), Decimal("110.50")),
        Money("", "USD", Decimal(190), Decimal(210)),
    ]
    assert [one.change for one in found.past.money] == [10, 10, 20]


async def test_the_money_of_lines_and_of_their_orders_is_not_added_up(home: Path) -> None:
    async with decisions(home) as service:
        lines = [{"required_qty": 10, "available_qty": 0, "unit_price": price, "is_active": True} for price in (30, 70)]
        await service.decide(DecideRequest("purchasing", lines))
        order = [{"total_amount": Decimal(1000), "order_qty": 20, "need_reorder": True}]
        await service.decide(DecideRequest("purchasing", order, module="ORDER"))
        cheaper = (SHIPPED / "purchasing.grl").read_text("utf-8").replace("final_amount * 0.08", "final_amount * 0.07")
        version = await service.submit(SubmitRequest("purchasing", cheaper, ALICE))
        found = (await service.advance(move(version))).shadow
        assert found is not None
        assert found.past.money == [
            Money("", "", Decimal(1080), Decimal(1070)),
            Money("ORDER", "", Decimal(1080), Decimal(1070)),
        ]


async def test_examples_show_what_differs_and_only_that(service: DecisionsService) -> None:
    keys = await kept(service)
    found = {one.subject: one for one in (await tried(service, DOUBLED)).past.examples}
    assert found["A"] == ChangedDecision(keys["A"], "A", {"grand_total": Decimal(40)}, {"grand_total": Decimal(50)})
    assert (found["C"].before, found["C"].after) == (
        {"grand_total": Decimal(150), "waits": True},
        {"grand_total": Decimal(160), "waits": False},
    )


async def test_what_cannot_be_decided_any_more_is_counted_and_shown_with_its_reason(service: DecisionsService) -> None:
    await kept(service)
    found = await tried(service, text(100).replace("in 0..1000000;", "in 0..200;"))
    assert (found.past.changed, found.past.refused) == (1, 1)
    (example,) = found.past.examples
    assert (example.subject, example.before) == ("D", {"grand_total": Decimal(250), "waits": True})
    assert "amount" in str(example.after["error"])


async def test_the_same_rules_written_otherwise_change_nothing(service: DecisionsService) -> None:
    await kept(service)
    found = await tried(service, text(100).replace("grand_total > 100 then", "100 < grand_total then"))
    assert (found.past.decisions, found.past.changed, found.past.examples) == (5, 0, [])


async def test_only_the_newest_decisions_are_looked_at_when_there_are_very_many(
    service: DecisionsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(impact, "PAST_LIMIT", 2)
    await kept(service)
    found = await tried(service, DOUBLED)
    assert (found.past.decisions, [one.subject for one in found.past.examples]) == (2, ["D"])


async def test_a_rulebook_of_a_new_name_has_nothing_to_be_compared_with(service: DecisionsService) -> None:
    version = await service.submit(SubmitRequest("fresh", text(7), ALICE))
    found = (await service.advance(move(version))).shadow
    assert found is not None
    assert (found.against, found.past.decisions, found.catalogue.decisions) == ("", 0, 0)
