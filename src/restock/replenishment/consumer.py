"""Where replenishment listens: a stock change that takes a position below its reorder point wakes the flow for that
product alone. Nothing polls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from restock.core import trace
from restock.core.errors import RestockError, StorageFull, Unavailable
from restock.core.event import Event
from restock.engine.database import Transaction
from restock.replenishment.model import Need
from restock.replenishment.port import FlowReply, FlowRequest
from restock.replenishment.service import ReplenishmentService

WAKES = ("StockReserved", "StockCounted", "StockReceived")


class ReplenishmentConsumer:
    """Wakes flows. Waking twice orders once, so `wake` may see an event again after a crash."""

    def __init__(self, service: ReplenishmentService) -> None:
        self._service = service
        self.replies: list[tuple[Event, FlowReply | RestockError]] = []
        """Answers of the flows woken, kept when `keep_replies` is set (the demo prints them)."""
        self.keep_replies = False

    async def seen(self, tx: Transaction, events: Sequence[Event]) -> None:
        """Nothing to store: the inbox remembers the events, the effect is in `wake`."""

    async def wake(self, events: Sequence[Event]) -> None:
        """Run the flow for each product among the events whose position is below its reorder point."""
        latest = {
            (str(event.data["sku"]), str(event.data["warehouse_id"])): event for event in events if event.type in WAKES
        }
        if not latest:
            return
        items = [{"product_id": sku, "warehouse_id": warehouse} for sku, warehouse in latest]
        needs = await self._service.operations.needs(items)
        await self._run(
            [
                (event, one)
                for event, one in zip(latest.values(), needs, strict=True)
                if isinstance(one, Need) and one.position < one.reorder_point
            ]
        )

    async def _run(self, short: Sequence[tuple[Event, Need]]) -> None:
        """Run the flows together: one after the other, the last of a batch would wait for all the others."""
        door = asyncio.Semaphore(self._service.at_once)

        async def run(event: Event, need: Need) -> FlowReply | RestockError:
            asked = FlowRequest(need.product_id, need.warehouse_id, causation_id=event.event_id)
            async with door:
                try:
                    with trace.within(trace.of(event.event_id)):
                        return await self._service.flow(asked)
                except RestockError as error:
                    return error

        replies = await asyncio.gather(*(run(*one) for one in short))
        for reply in replies:
            if isinstance(reply, Unavailable | StorageFull):
                raise reply  # it passes: the event comes again, so that its need is not forgotten
        if self.keep_replies:
            self.replies += [(event, reply) for (event, _), reply in zip(short, replies, strict=True)]
