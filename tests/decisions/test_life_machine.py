"""Any sequence of moves by anybody: what the table allows happens, all else is refused, nothing that happened is lost."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from life_world import ALICE, BOB, NAME, decisions, text, waits

from restock.core.errors import Conflict, NotFound, Refused
from restock.decisions.model import State, Step
from restock.decisions.port import MoveRequest, RollbackRequest, SubmitRequest, VersionRequest, VersionsRequest
from restock.engine.rules import Rulebook

LIMITS = (100, 200, 300)
VERSIONS = {limit: Rulebook.parse(text(limit), "x.grl").version for limit in LIMITS}
FILE_LIMIT = 50
LIMIT, WHO = st.sampled_from(LIMITS), st.sampled_from((ALICE, BOB, "carol"))
AFTER = {State.RETIRED, State.ROLLED_BACK, State.WITHDRAWN}
BEFORE = {State.DRAFT, State.SHADOW, State.APPROVED}


class LifeMachine(RuleBasedStateMachine):
    """Beside the service stands a model: the state of each version, who submitted it, and what was replaced in order."""

    @initialize()
    def start(self) -> None:
        self.home = Path(tempfile.mkdtemp())
        (self.home / "rulebooks").mkdir()
        (self.home / "rulebooks" / f"{NAME}.grl").write_text(text(FILE_LIMIT), "utf-8")
        self.runner = asyncio.Runner()
        self.opened = decisions(self.home)
        self.service = self.runner.run(self.opened.__aenter__())
        self.states: dict[int, State] = {}
        self.authors: dict[int, set[str]] = {limit: set() for limit in LIMITS}
        self.retired: list[int] = []
        self.steps: dict[int, list[Step]] = {}

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.run(self.opened.__aexit__(None, None, None))
            self.runner.close()
            shutil.rmtree(self.home)

    def tried(self, move: str, limit: int, who: str) -> str:
        """Try a move; give the state it led to, or the class of the refusal."""
        request = MoveRequest(NAME, VERSIONS[limit], who)
        try:
            found = self.runner.run(getattr(self.service, move)(request))
        except (Conflict, Refused, NotFound) as refused:
            return type(refused).__name__
        return str(getattr(found, "version", found).state if move == "advance" else found.state)

    def expected(self, limit: int, allowed: set[State], after: State) -> str:
        """Say what the model expects of a move."""
        if limit not in self.states:
            return "NotFound"
        if self.states[limit] not in allowed:
            return "Conflict"
        return after

    def moved(self, limit: int, after: State) -> None:
        self.states[limit] = after
        if limit in self.retired:
            self.retired.remove(limit)

    @rule(limit=LIMIT, who=WHO)
    def submit(self, limit: int, who: str) -> None:
        allowed = limit not in self.states or self.states[limit] in AFTER
        try:
            version = self.runner.run(self.service.submit(SubmitRequest(NAME, text(limit), who)))
        except Conflict:
            assert not allowed
            return
        assert allowed
        assert (version.state, version.author, version.version) == ("draft", who, VERSIONS[limit])
        self.authors[limit].add(who)
        self.moved(limit, State.DRAFT)

    @rule(limit=LIMIT, who=WHO)
    def advance(self, limit: int, who: str) -> None:
        expected = self.expected(limit, {State.DRAFT}, State.SHADOW)
        assert self.tried("advance", limit, who) == expected
        if expected == State.SHADOW:
            self.moved(limit, State.SHADOW)

    @rule(limit=LIMIT, who=WHO)
    def approve(self, limit: int, who: str) -> None:
        expected = self.expected(limit, {State.SHADOW}, State.APPROVED)
        if expected == State.APPROVED and who in self.authors[limit]:
            expected = "Refused"
        assert self.tried("approve", limit, who) == expected
        if expected == State.APPROVED:
            self.moved(limit, State.APPROVED)

    @rule(limit=LIMIT, who=WHO)
    def activate(self, limit: int, who: str) -> None:
        expected = self.expected(limit, {State.APPROVED}, State.ACTIVE)
        before = self.active()
        assert self.tried("activate", limit, who) == expected
        if expected == State.ACTIVE:
            self.moved(limit, State.ACTIVE)
            if before is not None:
                self.states[before] = State.RETIRED
                self.retired.append(before)

    @rule(limit=LIMIT, who=WHO)
    def withdraw(self, limit: int, who: str) -> None:
        expected = self.expected(limit, BEFORE, State.WITHDRAWN)
        assert self.tried("withdraw", limit, who) == expected
        if expected == State.WITHDRAWN:
            self.moved(limit, State.WITHDRAWN)

    @rule(who=WHO)
    def rollback(self, who: str) -> None:
        active = self.active()
        try:
            self.runner.run(self.service.rollback(RollbackRequest(NAME, who)))
        except Conflict:
            assert active is None
            return
        assert active is not None
        self.states[active] = State.ROLLED_BACK
        if self.retired:
            self.states[self.retired.pop()] = State.ACTIVE

    @precondition(lambda self: not any(state in BEFORE for state in self.states.values()))
    @rule(limit=LIMIT)
    def whole_way(self, limit: int) -> None:
        """Get far often enough: the moves by chance rarely do."""
        self.submit(limit, ALICE)
        if self.states[limit] == State.DRAFT:
            self.advance(limit, ALICE)
            self.approve(limit, "carol")
            self.activate(limit, BOB)

    def active(self) -> int | None:
        return next((limit for limit, state in self.states.items() if state == State.ACTIVE), None)

    @invariant()
    def the_service_stands_where_the_model_stands(self) -> None:
        if not hasattr(self, "service"):
            return
        known = self.runner.run(self.service.versions(VersionsRequest(NAME)))
        assert {one.version: one.state for one in known} == {
            VERSIONS[limit]: state for limit, state in self.states.items()
        }
        in_force = self.active() or FILE_LIMIT
        assert self.runner.run(waits(self.service, in_force + 1))
        assert not self.runner.run(waits(self.service, in_force))

    @invariant()
    def what_happened_stays(self) -> None:
        for limit in getattr(self, "states", {}):
            steps = self.runner.run(self.service.version(VersionRequest(NAME, VERSIONS[limit]))).steps
            before = self.steps.get(limit, [])
            assert steps[: len(before)] == before
            assert steps[-1].state == self.states[limit]
            self.steps[limit] = steps


def test_any_sequence_of_moves_happens_as_the_table_says_or_is_refused() -> None:
    run_state_machine_as_test(LifeMachine, settings=settings(max_examples=15, stateful_step_count=20, deadline=None))
