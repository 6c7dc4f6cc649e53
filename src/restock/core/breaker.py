"""A circuit breaker: what failed too often rests, and one call looks whether it is back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from restock.core.clock import NS_PER_S
from restock.core.errors import Unavailable


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """Opens after `failures` failed calls in a row, lets one call probe after `reset_s` seconds."""

    failures: int
    reset_s: float  # float: seconds


class BreakerOpen(Unavailable):
    """The operation failed too often and rests; nothing was called. `retry_after_s` says when to try again."""

    code = "breaker-open"

    def __init__(self, name: str, retry_after_s: float) -> None:  # float: seconds
        super().__init__(f"'{name}' rests after repeated failures.", remedy=f"Try again in {retry_after_s:.1f} s.")
        self.retry_after_s = retry_after_s


class Breaker:
    """Closed: calls pass. Open: refused until `reset_s` are over. Half open: one call probes, its result decides."""

    def __init__(self, name: str, rule: BreakerRule, monotonic: Callable[[], int]) -> None:
        self._name = name
        self._rule = rule
        self._now = monotonic
        self._failures = 0
        self._opened = -1
        self._probing = False

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`."""
        if self._opened < 0:
            return "closed"
        return "open" if self._rest_ns() > 0 else "half-open"

    def _rest_ns(self) -> int:
        return self._opened + int(self._rule.reset_s * NS_PER_S) - self._now()

    def enter(self) -> None:
        """Ask to call. Raises BreakerOpen when the operation rests or another call is probing."""
        if self._opened < 0:
            return
        rest = self._rest_ns()
        if rest > 0 or self._probing:
            raise BreakerOpen(self._name, max(rest, 0) / NS_PER_S)
        self._probing = True

    def leave(self, ok: bool) -> None:
        """Report a finished call."""
        self._probing = False
        if ok:
            self._failures, self._opened = 0, -1
            return
        self._failures += 1
        if self._opened >= 0 or self._failures >= self._rule.failures:
            self._opened = self._now()

    def abandon(self) -> None:
        """Report a call that was cancelled: it says nothing about the operation."""
        self._probing = False
