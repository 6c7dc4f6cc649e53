"""Accepting orders: from what was asked to the rows of one transaction, and the answers.

A single order and a batch take the same path. Everything that can be done before the transaction is done before it, rows and
events included, so the transaction only inserts; the database joins the transactions of many callers in one commit. The JSON
of an order's items is made once and stands in its row and in its event.

The orders of one request have consecutive identifiers, from a random first one: so they lie together in the index, where a
hundred random ones would write a hundred pages.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from hashlib import sha256

import msgspec

from restock.core import trace
from restock.core.errors import InvalidInput, RestockError
from restock.core.ids import Ids
from restock.engine.database import Transaction
from restock.engine.database.once import MAX_KEY, Effect, same_request
from restock.engine.stream import Waiting, encode_known
from restock.orders import store
from restock.orders.model import (
    CHECKED_VALUES,
    CREATED,
    SCALED_CENT,
    CheckedOrder,
    NewOrder,
    checked,
    checked_line,
    wrong_line,
)
from restock.orders.port import FIRST_VERSION, TOPIC, Failure, Placement

EVENT = "OrderPlaced"

_json = msgspec.json.Encoder(decimal_format="number").encode
_placement = msgspec.json.Decoder(Placement).decode


class _Data(msgspec.Struct, gc=False):
    """The published order event."""

    order_id: str
    customer_id: str
    items: msgspec.Raw
    total_amount: Decimal
    shipping_address: str | None
    status: str
    created_at: str


class _Draft(msgspec.Struct, gc=False):
    """One order on its way: where its answer goes, what was asked, the identifier drawn for it, its row and its event."""

    place: int
    key: str
    order: CheckedOrder[bytes]
    items: bytes
    order_id: str
    row: dict[str, object]
    event: Waiting


class Placing:
    """The orders of one request. `unit` may run several times: only a committed run counts."""

    def __init__(self, orders: list[NewOrder], ids: Ids, at: str, version: int) -> None:
        self._ids = ids
        self._at = at
        self._version = version
        self._trace = trace.current()  # the unit runs elsewhere
        self._stem = ids.new()[:-4]  # the last digits count the orders of the request: as unique, and in their order
        self.answers: list[Placement | None] = [None] * len(orders)
        self._drafts: list[_Draft] = []
        for place, (order, order_id) in enumerate(zip(orders, ids.shorts("ORD"), strict=False)):
            try:
                self._drafts.append(self._draft(place, order, order_id))
            except InvalidInput as error:
                self.answers[place] = refused(error)

    def __len__(self) -> int:
        return len(self._drafts)

    def _draft(self, place: int, order: NewOrder, order_id: str) -> _Draft:
        key = order.idempotency_key
        if key and not (isinstance(key, str) and len(key) <= MAX_KEY and key.isprintable()):
            raise InvalidInput(f"is not printable text of at most {MAX_KEY} characters.", field="idempotency_key")
        right = checked(order, _line)
        items = b"[%b]" % b",".join(right.items)
        row, event = self._row(right, items, order_id), self._event(place, right, items, order_id)
        return _Draft(place, key, right, items, order_id, row, event)

    async def unit(self, tx: Transaction) -> None:
        """Write what is new and answer what is known."""
        new = await self._unknown(tx) if any(draft.key for draft in self._drafts) else self._drafts
        await store.add(tx, [draft.row for draft in new], [draft.event for draft in new])
        if self._version == FIRST_VERSION:
            await store.note_first_version(tx, [draft.order_id for draft in new])
        effects = []
        for draft in new:
            answer = Placement(draft.order_id, CREATED, draft.order.total_amount, self._at)
            self.answers[draft.place] = answer
            if draft.key:
                effects.append((draft.key, Effect(_fingerprint(draft), _json(answer).decode())))
        await store.EFFECTS.store(tx, effects, self._at)
        for draft in self._drafts:
            if self.answers[draft.place] is None:  # its key stands twice in this request
                self._answer_known(draft, dict(effects)[draft.key])

    async def draw_again(self, tx: Transaction) -> None:
        """Give every draft an identifier that no order has."""
        while True:
            drawn = [draft.order_id for draft in self._drafts]
            known = await store.taken(tx, drawn)
            doubtful = [d for i, d in enumerate(self._drafts) if d.order_id in known or d.order_id in drawn[:i]]
            if not doubtful:
                return
            for draft in doubtful:
                draft.order_id = self._ids.short("ORD")
                draft.row = self._row(draft.order, draft.items, draft.order_id)
                draft.event = self._event(draft.place, draft.order, draft.items, draft.order_id)

    async def _unknown(self, tx: Transaction) -> list[_Draft]:
        """Answer the drafts whose key is known; give the others, each key once."""
        for draft in self._drafts:
            self.answers[draft.place] = None
        known = await store.EFFECTS.found(tx, [draft.key for draft in self._drafts if draft.key])
        new: list[_Draft] = []
        keys: set[str] = set()
        for draft in self._drafts:
            if draft.key in known:
                self._answer_known(draft, known[draft.key])
            elif not draft.key or draft.key not in keys:
                keys.add(draft.key)
                new.append(draft)
        return new

    def _answer_known(self, draft: _Draft, effect: Effect) -> None:
        try:
            same_request(draft.key, effect, _fingerprint(draft))
            self.answers[draft.place] = _placement(effect.result)
        except InvalidInput as error:
            self.answers[draft.place] = refused(error)

    def _row(self, order: CheckedOrder[bytes], items: bytes, order_id: str) -> dict[str, object]:
        return {
            "order_id": order_id,
            "customer_id": order.customer_id,
            "items": items.decode(),
            "total_amount": order.cents * SCALED_CENT,
            "shipping_address": order.shipping_address,
            "status": CREATED,
            "created_at": self._at,
        }

    def _event(self, place: int, order: CheckedOrder[bytes], items: bytes, order_id: str) -> Waiting:
        """Give the event, from the items' bytes."""
        event_id, customer = f"{self._stem}{place:04x}", order.customer_id
        total, address = order.total_amount, order.shipping_address
        data = _Data(order_id, customer, msgspec.Raw(items), total, address, CREATED, self._at)
        value = encode_known(event_id, EVENT, customer, self._at, data)
        return Waiting(event_id, TOPIC, customer, value, self._trace)


@lru_cache(CHECKED_VALUES, typed=True)
def _remembered(sku: str, quantity: Decimal, price: Decimal) -> tuple[bytes, int]:
    """Give the JSON of an item, and its cents. Raises InvalidInput."""
    item, cents = checked_line(sku, quantity, price)
    return _json(item), cents


def _line(sku: str, quantity: Decimal, price: Decimal) -> tuple[bytes, int]:
    try:
        return _remembered(sku, quantity, price)
    except TypeError:  # a value that cannot be remembered cannot be right either
        raise wrong_line(sku, quantity, price) from None


def refused(error: RestockError) -> Placement:
    """Give the answer in the place of an order that was not accepted."""
    failure = Failure(error.code, error.what, error.field, error.remedy, error.status)
    return Placement("", "refused", Decimal(0), "", failure)


def _fingerprint(draft: _Draft) -> str:
    order = draft.order
    return sha256(_json([order.customer_id, order.shipping_address, msgspec.Raw(draft.items)])).hexdigest()
