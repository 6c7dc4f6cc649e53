"""The clock port: all time in Restock comes from here, so that a run can be simulated and repeated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

NS_PER_S = 1_000_000_000
"""Nanoseconds in a second."""


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Give the present moment, in UTC, with a time zone."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Give the present moment."""
        return datetime.now(UTC)


class SimulatedClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a simulated clock needs a time zone")
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """Give the simulated moment."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Let time pass; it never goes back."""
        if by < timedelta(0):
            raise ValueError("time does not go back")
        self._now += by


def timestamp(moment: datetime) -> str:
    """Write a moment as RFC 3339 in UTC with microseconds: sorts as text, as it sorts in time."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(timespec="microseconds")[:-6] + "Z"


def moment(text: str) -> datetime:
    """Read what `timestamp` wrote."""
    return datetime.fromisoformat(text)
