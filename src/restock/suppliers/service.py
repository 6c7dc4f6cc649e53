"""Keeps the promise of the suppliers port on a database."""

from __future__ import annotations

from restock.core.clock import Clock, timestamp
from restock.core.frame import batches
from restock.core.once import once_each
from restock.core.reply import Stored
from restock.engine.database import Database, Transaction
from restock.suppliers import store
from restock.suppliers.model import Terms, checked
from restock.suppliers.port import OffersFrame, OffersRequest, PutTermsRequest, TermsFrame, TermsRequest


class SuppliersService:
    """The suppliers context over supplier_db."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def terms(self, request: TermsRequest) -> TermsFrame:
        """Give the terms of the products that have a supplier."""
        return await store.terms(self._database, request.products)

    async def offers(self, request: OffersRequest) -> OffersFrame:
        """Give the terms of every supplier of the products."""
        return await store.offers(self._database, request.products)

    async def put_terms(self, request: PutTermsRequest) -> Stored:
        """Store terms; the same terms again change nothing."""
        changed = 0
        terms = once_each([checked(one) for one in request.terms], "terms", "product_id", "supplier_id")
        for batch in batches(terms):

            async def unit(tx: Transaction, batch: list[Terms] = batch) -> int:
                return await store.put_terms(tx, batch, timestamp(self._clock.now()))

            changed += await self._database.write("put_terms", unit)
        return Stored(changed)

    async def revision(self) -> int:
        """Give a number that grows whenever terms change."""
        return await store.REVISION.read(self._database)
