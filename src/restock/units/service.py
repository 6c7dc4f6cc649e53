"""Keeps the promise of the units port on a database."""

from __future__ import annotations

from restock.core.clock import Clock, timestamp
from restock.core.frame import batches
from restock.core.reply import Stored
from restock.engine.database import Database, Transaction
from restock.units import store
from restock.units.model import Conversion, checked
from restock.units.port import ConversionFrame, ConversionsRequest, PutConversionsRequest


class UnitsService:
    """The units context over uom_db."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def conversions(self, request: ConversionsRequest) -> ConversionFrame:
        """Give the conversions of the products."""
        return await store.conversions(self._database, request.products)

    async def put_conversions(self, request: PutConversionsRequest) -> Stored:
        """Store conversions; the same again change nothing."""
        changed = 0
        for batch in batches([checked(one) for one in request.conversions]):

            async def unit(tx: Transaction, batch: list[Conversion] = batch) -> int:
                return await store.put_conversions(tx, batch, timestamp(self._clock.now()))

            changed += await self._database.write("put_conversions", unit)
        return Stored(changed)

    async def revision(self) -> int:
        """Give a number that grows whenever conversions change."""
        return await store.REVISION.read(self._database)
