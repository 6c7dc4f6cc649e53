"""A version passes every gate before it decides, somebody else approves it, and it is taken back by one command."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from life_world import ALICE, BOB, NAME, START, activated, approved, decided, decisions, move, submitted, text, waits

from restock.adapters.database import sqlite
from restock.core.clock import SimulatedClock
from restock.core.errors import Conflict, InvalidInput, NotFound, Refused, Unavailable
from restock.decisions.model import MOVES, Move, State
from restock.decisions.port import (
    DecisionRequest,
    RollbackRequest,
    RulebookRequest,
    SubmitRequest,
    VersionRequest,
    VersionsRequest,
)
from restock.decisions.service import DecisionsService
from restock.engine.rules import Rulebook, RuleError
from restock.engine.rules.proof import solver


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(START)


@pytest.fixture
async def service(home: Path, clock: SimulatedClock) -> AsyncIterator[DecisionsService]:
    async with decisions(home, clock) as found:
        yield found


def own_file(home: Path, limit: int) -> None:
    folder = home / "rulebooks"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.grl").write_text(text(limit), "utf-8")


async def test_a_version_is_the_hash_that_the_rulebook_has_anyway(service: DecisionsService) -> None:
    version = await submitted(service, 100)
    assert version.version == Rulebook.parse(text(100), "x.grl").version
    assert (version.state, version.author, version.changed_by) == ("draft", ALICE, ALICE)


async def test_a_version_goes_the_whole_way_and_every_move_is_kept_with_who_and_when(
    service: DecisionsService, clock: SimulatedClock
) -> None:
    version = await submitted(service, 100)
    clock.advance(timedelta(hours=1))
    advanced = await service.advance(move(version, ALICE))
    assert (advanced.stopped, advanced.version.state) == (False, "shadow")
    assert (await service.approve(move(version))).state == "approved"
    clock.advance(timedelta(hours=1))
    assert (await service.activate(move(version))).state == "active"
    info = await service.version(VersionRequest(NAME, version.version[:8]))
    assert [(one.move, one.actor, one.at[11:13]) for one in info.steps] == [
        ("submitted", ALICE, "08"),
        ("checked", ALICE, "09"),
        ("proved", ALICE, "09"),
        ("shadowed", ALICE, "09"),
        ("approved", BOB, "09"),
        ("activated", BOB, "10"),
    ]
    assert info.text == text(100)


async def test_what_is_in_force_decides_from_the_next_call_on(service: DecisionsService) -> None:
    await activated(service, 100)
    assert [await waits(service, amount) for amount in (100, 101)] == [False, True]
    await activated(service, 50)
    assert [await waits(service, amount) for amount in (50, 51)] == [False, True]
    states = [(one.state) for one in await service.versions(VersionsRequest(NAME))]
    assert states == ["active", "retired"]


async def test_the_file_decides_until_something_is_activated_and_again_after_the_last_rollback(
    home: Path, service: DecisionsService
) -> None:
    own_file(home, 10)
    assert await waits(service, 11)
    await activated(service, 100)
    await activated(service, 200)
    assert not await waits(service, 150)
    await service.rollback(RollbackRequest(NAME, BOB, "too generous"))
    assert [await waits(service, amount) for amount in (100, 150)] == [False, True]
    assert (await service.rulebook(RulebookRequest(NAME))).source == "activated"
    await service.rollback(RollbackRequest(NAME, BOB))
    assert await waits(service, 11)
    assert (await service.rulebook(RulebookRequest(NAME))).source == "limits.grl"
    with pytest.raises(Conflict, match=r"No version of limits was activated: what decides is from a file\."):
        await service.rollback(RollbackRequest(NAME, BOB))


async def test_a_version_that_was_rolled_back_passes_every_gate_again(service: DecisionsService) -> None:
    version = await activated(service, 100)
    await service.rollback(RollbackRequest(NAME, BOB))
    with pytest.raises(Conflict, match=r"is rolled back; only what is approved can be activated\. Submit it again"):
        await service.activate(move(version))
    assert (await activated(service, 100)).state == "active"


@pytest.mark.parametrize("actor", ["alice", "Alice", " alice "])
async def test_who_submitted_a_version_may_not_approve_it(service: DecisionsService, actor: str) -> None:
    version = await submitted(service, 100)
    await service.advance(move(version))
    with pytest.raises(Refused, match=r"submitted limits \w{12} and may not approve it\. Ask somebody else"):
        await service.approve(move(version, actor))


async def test_nobody_who_ever_submitted_a_version_may_approve_it(service: DecisionsService) -> None:
    version = await submitted(service, 100)
    await service.withdraw(move(version))
    await service.submit(SubmitRequest(NAME, text(100), BOB))
    await service.advance(move(version))
    for author in (ALICE, BOB):
        with pytest.raises(Refused):
            await service.approve(move(version, author))
    assert (await service.approve(move(version, "carol"))).state == "approved"


@pytest.mark.parametrize("name", ["", "../x", ".x", "a\nb"])
async def test_a_name_that_could_be_no_rulebook_is_refused(service: DecisionsService, name: str) -> None:
    with pytest.raises(InvalidInput):
        await service.submit(SubmitRequest(name, text(1), ALICE))


async def test_a_text_that_is_no_rulebook_is_refused_with_its_place_and_nothing_is_stored(
    service: DecisionsService,
) -> None:
    with pytest.raises(RuleError, match=r"limits\.grl:5:"):
        await service.submit(
            SubmitRequest(NAME, text(100).replace("grand_total = amount", "grand_total = amont"), ALICE)
        )
    with pytest.raises(InvalidInput, match=r"limits\.cases\.yaml"):
        await service.submit(SubmitRequest(NAME, text(100), ALICE, cases="cases: [{name: 1"))
    assert await service.versions(VersionsRequest(NAME)) == []


async def test_a_version_is_submitted_once_while_it_is_on_its_way(service: DecisionsService) -> None:
    await submitted(service, 100)
    with pytest.raises(
        Conflict, match=r"is a draft; only what is retired or rolled back or withdrawn can be submitted"
    ):
        await submitted(service, 100)


async def test_a_case_that_is_not_right_keeps_the_first_gate_shut(service: DecisionsService) -> None:
    cases = "cases:\n  - name: a hundred passes\n    facts: {amount: 100}\n    expect: {waits: true}\n"
    version = await service.submit(SubmitRequest(NAME, text(100), ALICE, cases=cases))
    advanced = await service.advance(move(version))
    assert (advanced.stopped, advanced.version.state) == (True, "draft")
    shut = [one.what for one in advanced.findings if one.shut]
    assert shut == ["The case 'a hundred passes' is not right: waits: expected true, found false."]


async def test_an_invariant_that_does_not_hold_keeps_the_second_gate_shut_with_an_example(
    service: DecisionsService,
) -> None:
    wrong = text(100).replace("grand_total > 100", "grand_total > 200")
    version = await service.submit(SubmitRequest(NAME, wrong, ALICE))
    advanced = await service.advance(move(version))
    assert (advanced.stopped, advanced.version.state) == (True, "checked")
    (shut,) = [one.what for one in advanced.findings if one.shut]
    assert shut.startswith("counterexample: what costs more waits: it is false, with amount 1")


async def test_a_known_exception_with_its_reason_opens_the_second_gate(service: DecisionsService) -> None:
    wrong = text(100).replace("grand_total > 100", "grand_total > 200")
    case = "cases:\n  - name: a gap\n    facts: {amount: 150}\n    breaks: {what costs more waits: agreed until May}\n"
    version = await service.submit(SubmitRequest(NAME, wrong, ALICE, case))
    advanced = await service.advance(move(version))
    assert (advanced.stopped, advanced.version.state) == (False, "shadow")
    assert any("known exception: what costs more waits: agreed until May" in one.what for one in advanced.findings)


async def test_without_the_solver_a_version_stays_checked_and_the_extra_is_named(
    service: DecisionsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "z3", None)
    monkeypatch.setattr(solver.z3, "__dict__", {})
    version = await submitted(service, 100)
    with pytest.raises(Unavailable, match=r"pip install 'restock\[prove\]'"):
        await service.advance(move(version))
    assert (await service.version(VersionRequest(NAME, version.version))).version.state == "checked"


async def test_a_version_is_named_by_its_first_letters_and_a_wrong_name_says_what_to_do(
    service: DecisionsService,
) -> None:
    with pytest.raises(NotFound, match=r"No version of limits was submitted\. Submit one"):
        await service.version(VersionRequest(NAME, "abcd"))
    version = await submitted(service, 100)
    assert (await service.version(VersionRequest(NAME, version.version[:4].upper()))).version == version
    for short in ("", version.version[:3]):
        with pytest.raises(InvalidInput, match=r"is too short for a version\. Write its first 4 letters or more"):
            await service.version(VersionRequest(NAME, short))
    with pytest.raises(NotFound, match="`restock rules versions limits` lists them"):
        await service.version(VersionRequest(NAME, "zzzzzz"))


async def test_an_approved_version_comes_into_force_when_its_date_has_come(
    home: Path, service: DecisionsService, clock: SimulatedClock
) -> None:
    own_file(home, 10)
    version = await approved(service, 100, effective="2026-03-03")
    assert version.effective == "2026-03-03T00:00:00.000000Z"
    with pytest.raises(Conflict, match="comes into force by itself at 2026-03-03"):
        await service.activate(move(version))
    clock.advance(timedelta(hours=15, minutes=59))
    assert await waits(service, 50)
    clock.advance(timedelta(minutes=1))
    assert not await waits(service, 50)
    info = await service.version(VersionRequest(NAME, version.version))
    assert (info.version.state, info.steps[-1].actor, info.steps[-1].reason) == (
        "active",
        "effective date",
        "in force from 2026-03-03T00:00:00.000000Z",
    )


async def test_of_two_dates_that_passed_the_later_one_is_in_force(
    service: DecisionsService, clock: SimulatedClock
) -> None:
    await approved(service, 200, effective="2026-04-02")
    await approved(service, 100, effective="2026-04-01T06:00:00+02:00")
    clock.advance(timedelta(days=60))
    assert not await waits(service, 150)
    assert [one.state for one in await service.versions(VersionsRequest(NAME))] == ["active", "retired"]


async def test_a_version_approved_after_its_date_is_in_force_at_once(service: DecisionsService) -> None:
    assert (await approved(service, 100, effective="2026-03-01")).state == "active"


async def test_a_store_that_cannot_be_written_for_now_stops_no_decision_when_a_date_comes(
    home: Path, service: DecisionsService, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = await approved(service, 100, effective="2026-03-03")
    await approved(service, 200, effective="2026-03-04")
    clock.advance(timedelta(days=1))
    monkeypatch.setattr(sqlite, "LOCK_WAIT_SECONDS", 0.01)
    with closing(sqlite3.connect(home / "stores" / "decisions.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert [await waits(service, amount) for amount in (100, 150)] == [False, True]
        other.execute("ROLLBACK")
    assert (await service.version(VersionRequest(NAME, version.version))).version.state == "active"


async def test_a_note_or_a_reason_is_a_page_at_most(service: DecisionsService) -> None:
    with pytest.raises(InvalidInput, match="has more than 2000 characters"):
        await service.submit(SubmitRequest(NAME, text(100), ALICE, notes="x" * 2001))
    with pytest.raises(InvalidInput, match="reason: "):
        await service.rollback(RollbackRequest(NAME, BOB, "x" * 2001))


@pytest.mark.parametrize("date", ["soon", "2026-13-01", "2026-03-03T08:00:00", "0001-01-01T00:00:00+14:00"])
async def test_a_date_that_is_none_is_refused(service: DecisionsService, date: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await submitted(service, 100, effective=date)
    assert refused.value.field == "effective"


async def test_work_that_began_with_a_version_ends_with_it(service: DecisionsService) -> None:
    first = await activated(service, 100)
    await activated(service, 50)
    assert (await decided(service, 70)).outputs["waits"] is True
    pinned = await decided(service, 70, first.version)
    assert (pinned.outputs["waits"], pinned.version) == (False, first.version)


async def test_a_decision_kept_after_a_swap_keeps_the_version_that_made_it(
    home: Path, service: DecisionsService
) -> None:
    own_file(home, 10)
    made = await decided(service, 50, record=False)
    await activated(service, 100)
    own_file(home, 20)
    (key,) = await service.keep([made], ["one"])
    async with decisions(home) as another:
        assert (await another.replay(DecisionRequest(key))).differences == []
        assert (await another.explain(DecisionRequest(key))).decision.version == made.version


async def test_another_process_sees_the_swap_at_its_next_decision(home: Path, service: DecisionsService) -> None:
    await activated(service, 100)
    async with decisions(home) as another:
        assert await waits(another, 150)
        await activated(service, 200)
        assert not await waits(another, 150)
        await another.rollback(RollbackRequest(NAME, ALICE))
        assert await waits(service, 150)


def test_every_state_but_the_first_is_reached_by_a_move_and_every_move_leads_on() -> None:
    assert {after for _, after in MOVES.values()} == set(State)
    assert set(MOVES) == set(Move)
    for before, after in MOVES.values():
        assert after not in before
