"""Handing purchase orders to suppliers: what was sent is delivered, whatever crashes.

The transaction that sends an order adds a row to `dispatch`; the dispatcher delivers what waits and marks it done. A crash
between the two delivers again, so a channel must be idempotent. An order that fails is tried again after a pause that grows;
it is never given up and holds up no other. Whoever sends orders calls `notify`; `run` lags behind under load and catches up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple, Protocol

from restock.core.clock import Clock, timestamp
from restock.core.errors import RestockError
from restock.engine.database import Database, Transaction
from restock.purchasing import store
from restock.purchasing.model import PurchaseOrder, State

BATCH = 64
"""Orders handed over at once: they share one commit, and reading them holds up others for two milliseconds only."""

POLL_SECONDS = 0.25  # a float: a pause, no quantity
"""How often to look without being told: only orders sent by another process wait for it."""

GIVE_WAY_SECONDS = 0.5  # a float: a pause, no quantity
"""How long a batch waits while callers wait: drawing documents takes a processor that answers them sooner."""

PAUSE = timedelta(seconds=1)
"""First pause of an order that failed; doubles with each attempt up to `LONGEST_PAUSE`."""

LONGEST_PAUSE = timedelta(minutes=5)
"""A folder that can be written again, or a disk with room, is noticed within it."""

MAX_PROBLEM = 1000
"""Characters of a problem that are kept; the column is as wide."""

DONE, WITHDRAWN = "done", "withdrawn"
"""How a dispatch ends: delivered, or never to be delivered because the order was cancelled first."""


class Channel(Protocol):
    """A way to suppliers. Delivering an order again has no further effect."""

    async def deliver(self, orders: Sequence[PurchaseOrder]) -> Sequence[RestockError | None]:
        """Hand the orders over; give for each, in order, why it could not be, or None once it durably was."""
        ...


class Backlog(NamedTuple):
    """Orders that wait to be delivered, when the oldest was sent (empty for none), how many of them failed before."""

    orders: int
    oldest: str
    failing: int


class Dispatcher:
    """Moves sent orders to a channel. Its durable write is named `dispatch.done`."""

    def __init__(
        self, database: Database, channel: Channel, clock: Clock, busy: Callable[[], bool] = lambda: False
    ) -> None:
        """`busy` tells whether callers wait: `run` then gives way to them for a while before each batch."""
        self.problem: RestockError | None = None
        """The last failure, as long as an order waits because of one."""
        self._database = database
        self._channel = channel
        self._clock = clock
        self._told = asyncio.Event()
        self._turn = asyncio.Lock()
        self._busy = busy

    def notify(self) -> None:
        """Tell the dispatcher that orders were sent; `run` wakes at once."""
        self._told.set()

    async def backlog(self) -> Backlog:
        """Give what waits, also what pauses after a failure."""
        return Backlog(*await store.dispatch_backlog(self._database, store.FILE_CHANNEL))

    async def drain(self, on_progress: Callable[[int], None] | None = None, *, give_way: bool = False) -> int:
        """Deliver what waits, oldest first, each order at most once; give the number delivered.

        `on_progress` hears that number after every batch. An order that failed is left for a later call.
        """
        delivered = 0
        async with self._turn:
            start = timestamp(self._clock.now())
            while True:
                if give_way and self._busy():
                    await asyncio.sleep(GIVE_WAY_SECONDS)
                attempts = await store.waiting(self._database, store.FILE_CHANNEL, start, BATCH)
                if not attempts:
                    break
                orders = await store.orders_of_ids(self._database, list(attempts))
                wanted = [order for order in orders if order.state is not State.CANCELLED]
                outcomes = dict.fromkeys(attempts, WITHDRAWN) | dict.fromkeys((one.po_id for one in wanted), DONE)
                problems: dict[str, RestockError] = {}
                for order, problem in zip(wanted, await self._channel.deliver(wanted), strict=True):
                    if problem is not None:
                        outcomes[order.po_id], problems[order.po_id] = store.WAITING, problem
                await self._settle(attempts, outcomes, problems)
                delivered += sum(outcome == DONE for outcome in outcomes.values())
                self.problem = next(iter(problems.values()), self.problem)
                if on_progress is not None:
                    on_progress(delivered)
            if self.problem is not None and not (await self.backlog()).failing:
                self.problem = None
        return delivered

    async def run(self) -> None:
        """Drain for ever, until cancelled. A failure is kept in `problem` and tried again."""
        while True:
            self._told.clear()
            try:
                await self.drain(give_way=True)
            except RestockError as error:
                self.problem = error
                await asyncio.sleep(POLL_SECONDS)
            await self._until_told()

    async def _settle(
        self, attempts: dict[str, int], outcomes: dict[str, str], problems: dict[str, RestockError]
    ) -> None:
        now = self._clock.now()
        rows = [
            {
                "key": po_id,
                "of_channel": store.FILE_CHANNEL,
                "new_state": outcomes[po_id],
                "new_attempts": attempts[po_id] + 1,
                "new_at": timestamp(now + _pause(attempts[po_id]) if po_id in problems else now),
                "new_problem": str(problems.get(po_id, ""))[:MAX_PROBLEM],
            }
            for po_id in attempts
        ]

        async def unit(tx: Transaction) -> None:
            await store.settle_dispatch(tx, rows)

        await self._database.write("dispatch.done", unit)

    async def _until_told(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._told.wait()
        except TimeoutError:
            return


def _pause(attempts: int) -> timedelta:
    return min(PAUSE * (1 << min(attempts, 16)), LONGEST_PAUSE)
