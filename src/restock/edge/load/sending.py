"""Sending parcels of orders at a stated rate, and what came of them.

The rate is that of an open shop: customers come when they come, whether or not the server keeps up. Each parcel has a moment
at which it is due, and its time counts from that moment, not from when it could at last be sent; so a server that stands
still for a second shows it in the times, which a caller that waits for answers would hide.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from restock.core.errors import Unavailable
from restock.edge.load.caller import Caller, Reply, exact

CALLERS = 64
"""Requests under way at once, as the speed of single orders is stated; behind them parcels wait, and their time runs."""

TELL_SECONDS = 0.1
"""How often progress is told."""

_SHOWN_BITS = 7
"""Binary digits of a time that are kept: 1.6 % of it, and a histogram of a thousand numbers for a run of any length."""


class Parcel(NamedTuple):
    """A request: orders in JSON, how many they are, the key that makes it safe to repeat (or empty)."""

    path: str
    body: bytes
    orders: int
    key: str = ""


@dataclass
class Times:
    """A histogram of times in microseconds."""

    counts: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: float) -> None:  # a float: a time, no quantity
        """Count a time."""
        micros = int(seconds * 1_000_000)
        shift = max(0, micros.bit_length() - _SHOWN_BITS)
        self.counts[micros >> shift << shift] += 1

    def ms(self, part: float) -> float:  # floats: times, no quantities
        """Give the time in milliseconds below which that part of all lies."""
        wanted, seen = part * self.counts.total(), 0
        for micros, count in sorted(self.counts.items()):
            seen += count
            if seen >= wanted:
                return micros / 1000
        return 0.0  # a float: nothing was timed


@dataclass
class Outcome:
    """What came of the parcels. `unanswered` orders may or may not have been accepted: the server went away."""

    accepted: int = 0
    refused: int = 0
    unanswered: int = 0
    requests: int = 0
    seconds: float = 0  # a float: a time
    stopped: bool = False
    times: Times = field(default_factory=Times)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def done(self) -> int:
        """Orders that were sent."""
        return self.accepted + self.refused + self.unanswered

    @property
    def rate(self) -> float:
        """Orders accepted per second."""
        return self.accepted / self.seconds if self.seconds else 0.0  # a float: a rate


Told = Callable[[Outcome], None]
Seen = Callable[[Parcel, Reply], None]


class Sending:
    """One run: parcels to a server. `seen` gets every answer, `tell` the state of things ten times a second."""

    def __init__(self, url: str, parcels: Iterator[Parcel], *, rate: int = 0, seen: Seen | None = None) -> None:
        """`rate` is orders a second; 0 is as fast as they are taken. Raises InvalidInput for the address."""
        self.outcome = Outcome()
        self.stop = asyncio.Event()
        self._parcels = parcels
        self._rate = rate
        self._seen = seen
        self._callers = [Caller(url) for _ in range(CALLERS)]
        self._began = 0.0
        self._due = 0.0

    async def run(self, tell: Told | None = None) -> Outcome:
        """Send every parcel, or until `stop`; what is under way is waited for. Raises Unavailable when nobody answers."""
        self._began = self._due = time.perf_counter()
        workers = [asyncio.create_task(self._work(caller)) for caller in self._callers]
        telling = asyncio.create_task(self._tell(tell)) if tell else None
        try:
            await asyncio.gather(*workers)
        finally:
            for task in (*workers, *([telling] if telling else [])):
                task.cancel()
            for caller in self._callers:
                caller.close()
            self.outcome.seconds = time.perf_counter() - self._began
            self.outcome.stopped = self.stop.is_set()
        return self.outcome

    async def _work(self, caller: Caller) -> None:
        while not self.stop.is_set():
            due = self._due
            parcel = next(self._parcels, None)
            if parcel is None:
                return
            if self._rate:
                self._due = due + parcel.orders / self._rate
                if not await self._until(due):
                    return
            else:
                due = time.perf_counter()
            try:
                reply = await caller.ask("POST", parcel.path, parcel.body, parcel.key)
            except Unavailable as error:
                if not self.outcome.requests:
                    raise  # nobody is there at all
                self.outcome.unanswered += parcel.orders
                self.outcome.reasons[error.what] += parcel.orders
                self.stop.set()
                return
            self.outcome.times.add(time.perf_counter() - due)
            self._count(parcel, reply)

    async def _until(self, due: float) -> bool:  # a float: a moment
        """Wait for a moment; say whether it came before the run was stopped."""
        left = due - time.perf_counter()
        if left <= 0:
            return True
        try:
            async with asyncio.timeout(left):
                await self.stop.wait()
        except TimeoutError:
            return True
        return False

    def _count(self, parcel: Parcel, reply: Reply) -> None:
        outcome = self.outcome
        outcome.requests += 1
        accepted = reply.body.count(b'"order_id"') if 200 <= reply.status < 300 else 0
        outcome.accepted += accepted
        if accepted < parcel.orders:
            outcome.refused += parcel.orders - accepted
            outcome.reasons.update(reasons(reply, parcel.orders))
        if self._seen is not None:
            self._seen(parcel, reply)

    async def _tell(self, tell: Told) -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            tell(self.outcome)


def reasons(reply: Reply, orders: int) -> Counter[str]:
    """Give why orders were refused, and how many for each reason."""
    found = exact(reply.body)
    if "results" not in found:
        return Counter({_reason(found): orders})
    return Counter(_reason(one["error"]) for one in found["results"] if "error" in one)


def _reason(problem: dict[str, object]) -> str:
    place = f"{problem['field']}: " if "field" in problem else ""
    return f"{problem.get('status', '')} {place}{problem.get('detail', problem.get('title', ''))}".strip()
