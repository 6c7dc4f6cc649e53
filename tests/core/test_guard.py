"""What stands before a neighbour: who is away costs nobody time, who is slow does not hold every caller."""

from __future__ import annotations

import pytest

from restock.core.breaker import BreakerOpen
from restock.core.errors import DeadlinePassed, NotFound, Unavailable
from restock.core.metric import registered
from restock.edge.grpc import guard as guard_module
from restock.edge.grpc.client import Neighbour
from restock.edge.grpc.guard import RULE, Away, Busy, Guard, Late


class Turn:
    now = 0

    def __call__(self) -> int:
        return self.now


def fail(guard: Guard, error: BaseException) -> None:
    with guard.call():
        raise error


def test_five_calls_in_a_row_without_an_answer_let_the_neighbour_rest_until_one_finds_it_back() -> None:
    turn = Turn()
    guard = Guard("po", turn)
    for kind in (Away, Late, Away, Late, Away):
        with pytest.raises(kind):
            fail(guard, kind("no answer"))
    assert guard.state == "open"
    with pytest.raises(BreakerOpen, match="'po' rests"):
        fail(guard, AssertionError("nothing is asked"))
    turn.now += int(RULE.reset_s * 1_000_000_000)
    assert guard.state == "half-open"
    with guard.call(), pytest.raises(BreakerOpen):
        fail(guard, AssertionError("one looks, the others wait"))
    assert guard.state == "closed"


def test_an_answer_is_an_answer_even_when_it_is_an_error() -> None:
    guard = Guard("po")
    for _ in range(4 * RULE.failures):
        with pytest.raises(NotFound):
            fail(guard, NotFound("no such order"))
        with pytest.raises(Unavailable):
            fail(guard, Unavailable("its database is away, it says"))
    assert guard.state == "closed"


def test_a_cancelled_probe_says_nothing() -> None:
    turn = Turn()
    guard = Guard("po", turn)
    for _ in range(RULE.failures):
        with pytest.raises(Away):
            fail(guard, Away("no answer"))
    turn.now += int(RULE.reset_s * 1_000_000_000)
    with pytest.raises(KeyboardInterrupt):
        fail(guard, KeyboardInterrupt())
    with guard.call():
        pass
    assert guard.state == "closed"


def test_a_slow_neighbour_holds_so_many_callers_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "MOST_CALLS", 2)
    guard = Guard("po")
    with guard.call(), guard.call(), pytest.raises(Busy, match="2 calls of po are under way") as refused:
        fail(guard, AssertionError("nothing is asked"))
    assert refused.value.retry_after_s == 1
    with guard.call():
        assert guard.under_way == 1
    assert guard.under_way == 0


def test_a_late_answer_is_both_late_and_away() -> None:
    assert issubclass(Late, DeadlinePassed) and (Late.status, Late.code) == (504, DeadlinePassed.code)
    assert (Away.status, Away.code) == (503, Unavailable.code)


async def test_whoever_watches_sees_the_breaker_before_each_neighbour_and_what_was_not_asked() -> None:
    neighbour = Neighbour("po", "127.0.0.1:1")
    assert registered("restock_breaker_state") == [(("po",), 0)]
    for _ in range(RULE.failures):
        with pytest.raises(Away):
            fail(neighbour.guard, Away("no answer"))
    assert registered("restock_breaker_state") == [(("po",), 2)]
    assert registered("restock_shed_total") == [(("po",), 0)]
    await neighbour.close()
    assert registered("restock_breaker_state") == registered("restock_shed_total") == []
