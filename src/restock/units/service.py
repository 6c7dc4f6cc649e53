"""Keeps the promise of the units port on a database."""

from __future__ import annotations

from restock.core.clock import Clock, timestamp
from restock.core.errors import InvalidInput
from restock.core.frame import batches
from restock.core.once import once_each
from restock.core.reply import Stored
from restock.engine.database import Database, Transaction
from restock.units import store
from restock.units.model import Conversion, checked, contradictions
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
        """Store conversions; the same again change nothing. Raises InvalidInput naming the first that contradicts others."""
        changed = 0
        given = [checked(one) for one in request.conversions]
        once = once_each(given, "conversions", "product_id", "from_unit", "to_unit")
        known = await store.conversions(self._database, sorted({one.product_id for one in once}))
        _agreeing(known.conversions(), given)  # all of them, before one is stored
        for batch in batches(once):

            async def unit(tx: Transaction, batch: list[Conversion] = batch) -> int:
                known = (await store.conversions(tx, [one.product_id for one in batch])).conversions()
                _agreeing(known, batch)  # again: others write, too
                return await store.put_conversions(tx, batch, set(known), timestamp(self._clock.now()))

            changed += await self._database.write("put_conversions", unit)
        return Stored(changed)

    async def revision(self) -> int:
        """Give a number that grows whenever conversions change."""
        return await store.REVISION.read(self._database)


def _agreeing(known: list[Conversion], given: list[Conversion]) -> None:
    for place, what in contradictions(known, given).items():
        raise InvalidInput(
            what, field=f"conversions[{place}].factor", remedy="Leave it out, or send what it contradicts with it."
        )
