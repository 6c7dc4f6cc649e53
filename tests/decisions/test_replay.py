"""A stored decision is made again from what is stored, for ever; what differs is named exactly."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from life_world import BOB, NAME, activated, decided, decisions, text

from restock.core.errors import InvalidInput, NotFound
from restock.decisions.port import DecideRequest, DecisionRequest, ReplaysRequest, RollbackRequest
from restock.decisions.service import DecisionsService

AMOUNTS = st.decimals(0, 1000000, places=2) | st.integers(0, 1000000) | st.just("17.50") | st.just(Decimal("1E+3"))


@pytest.fixture
async def service(home: Path) -> AsyncIterator[DecisionsService]:
    async with decisions(home) as found:
        await activated(found, 100)
        yield found


def changed(home: Path, statement: str) -> None:
    with closing(sqlite3.connect(home / "stores" / "decisions.db")) as store:
        assert store.execute(statement).rowcount
        store.commit()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(AMOUNTS, min_size=1, max_size=8))
async def test_whatever_was_decided_is_decided_again(service: DecisionsService, amounts: list[object]) -> None:
    facts = [{"amount": amount, "not_read": "by any rule"} for amount in amounts]
    for one in (await service.decide(DecideRequest(NAME, facts))).results:
        again = await service.replay(DecisionRequest(one.decision_id))  # type: ignore[union-attr]
        assert again.differences == []


async def test_decisions_of_every_version_are_made_again_by_their_own_version(
    home: Path, service: DecisionsService
) -> None:
    folder = home / "rulebooks"
    folder.mkdir()
    for limit in (10, 20):
        await service.rollback(RollbackRequest(NAME, BOB))
        (folder / f"{NAME}.grl").write_text(text(limit), "utf-8")
        await decided(service, 50)
        await activated(service, limit + 1)
        await decided(service, 50)
    async with decisions(home) as another:
        found = await another.replays(ReplaysRequest())
    assert (found.decisions, found.different, found.last) == (4, [], "")


async def test_pages_follow_one_another_to_the_end(service: DecisionsService) -> None:
    await service.decide(DecideRequest(NAME, [{"amount": amount} for amount in range(7)]))
    counts, after = [], ""
    while True:
        page = await service.replays(ReplaysRequest(after, limit=3))
        counts.append(page.decisions)
        after = page.last
        if not after:
            break
    assert counts == [3, 3, 1]
    assert (await service.replays(ReplaysRequest(since="2026-03-03"))).decisions == 0
    assert (await service.replays(ReplaysRequest(since="2026-03-02", until="2026-03-03"))).decisions == 7
    assert (await service.replays(ReplaysRequest(until="2026-03-02"))).decisions == 0
    with pytest.raises(InvalidInput, match="until: 'soon' is no date"):
        await service.replays(ReplaysRequest(until="soon"))


@pytest.mark.parametrize(
    ("statement", "differences"),
    [
        (
            "UPDATE decision SET outputs = replace(outputs, 'true', 'false')",
            ['output waits: stored {"waits":false}, now {"waits":true}'],
        ),
        (
            "UPDATE decision SET outputs = replace(outputs, '150', '150.0')",
            ['output grand_total: stored {"grand_total":150.0}, now {"grand_total":150}'],
        ),
        ("UPDATE decision SET fired = '[\"Wait\"]'", ["fired: stored Wait, now Total, Wait"]),
        (
            "UPDATE decision SET facts = '{}'",
            ["it is refused now: amount: This input is missing."],
        ),
        (
            "UPDATE rulebook_version SET text = replace(text, '100', '200')",
            ["the text of version", 'output waits: stored {"waits":true}, now {"waits":false}', "fired: stored"],
        ),
        ("UPDATE rulebook_version SET text = 'rule'", ["its version cannot be read: limits.grl:1:"]),
    ],
)
async def test_what_differs_is_said_exactly(
    home: Path, service: DecisionsService, statement: str, differences: list[str]
) -> None:
    key = (await decided(service, 150)).decision_id
    changed(home, statement)
    async with decisions(home) as another:
        found = (await another.replay(DecisionRequest(key))).differences
    assert len(found) == len(differences)
    for told, expected in zip(found, differences, strict=True):
        assert told.startswith(expected)


async def test_the_text_of_a_version_is_found_where_it_was_submitted_too(home: Path, service: DecisionsService) -> None:
    key = (await decided(service, 150)).decision_id
    changed(home, "DELETE FROM rulebook_version")
    async with decisions(home) as another:
        assert (await another.replay(DecisionRequest(key))).differences == []


async def test_a_decision_that_is_not_kept_is_not_found(service: DecisionsService) -> None:
    with pytest.raises(NotFound, match="There is no decision nothing"):
        await service.replay(DecisionRequest("nothing"))
