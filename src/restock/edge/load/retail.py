"""The real shop as customers: its invoices sent as orders, in the order in which they were written.

What is a sale says the import of history (`restock.orders.history`); returns, services and bookkeeping are no orders. An
invoice with more lines than an order may have is sent as several. Each order has its invoice as its key, so that the same
folder sent again, or the rest of it after a stop, orders nothing twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import msgspec

from restock.core.quantity import ONE, from_scaled, plain, to_scaled
from restock.edge.files.retail import COLUMNS, months
from restock.edge.files.tabular import read
from restock.edge.load.caller import Reply, exact
from restock.edge.load.made_up import BATCH_PATH
from restock.edge.load.sending import Parcel
from restock.orders.history import HistoryLine, Kind, retail_line
from restock.orders.model import MAX_ITEMS

NOBODY = "WALK-IN"
"""The customer of an invoice without one."""

CENTS = ONE * ONE // 100

_json = msgspec.json.Encoder(decimal_format="number").encode


@dataclass
class Sold:
    """What the files say was sold, computed over their lines alone: `cents` rounded half-up for each line."""

    orders: int = 0
    lines: int = 0
    others: int = 0
    cents: int = 0
    quantities: Counter[str] = field(default_factory=Counter)

    @property
    def revenue(self) -> Decimal:
        """Money, to the penny."""
        return plain(Decimal(self.cents).scaleb(-2))

    @property
    def quantity(self) -> Decimal:
        """Pieces."""
        return from_scaled(self.quantities.total())


class Shop:
    """A folder of the shop, to be read once: what is sent, what it should come to, and what the server made of it."""

    def __init__(self, folder: Path) -> None:
        """Raises InvalidInput when it is no such folder."""
        self.sold = Sold()
        self.accepted = Decimal(0)
        self._months = months(folder)
        self._parts: Counter[str] = Counter()

    def products(self) -> list[str]:
        """Give every product that was sold; reads the folder once."""
        return list(dict.fromkeys(line.product_id for line in self._sales()))

    def parcels(self, batch: int) -> Iterator[Parcel]:
        """Give every order of the shop, so many to a request."""
        waiting: list[dict[str, object]] = []
        for order in self._orders():
            waiting.append(order)
            if len(waiting) == batch:
                yield Parcel(BATCH_PATH, _json({"orders": waiting}), len(waiting))
                waiting = []
        if waiting:
            yield Parcel(BATCH_PATH, _json({"orders": waiting}), len(waiting))

    def seen(self, _parcel: Parcel, reply: Reply) -> None:
        """Add up what was accepted."""
        for one in exact(reply.body).get("results", []):
            self.accepted += one.get("total_amount", 0)

    def _orders(self) -> Iterator[dict[str, object]]:
        """Give the lines of an invoice that stand together as one order."""
        items: list[HistoryLine] = []
        for line in self._sales():
            if items and (
                (items[0].reference, items[0].customer_id) != (line.reference, line.customer_id)
                or len(items) == MAX_ITEMS
            ):
                yield self._order(items)
                items = []
            items.append(line)
        if items:
            yield self._order(items)

    def _order(self, lines: list[HistoryLine]) -> dict[str, object]:
        invoice = lines[0].reference
        self._parts[invoice] += 1
        self.sold.orders += 1
        return {
            "customer_id": lines[0].customer_id or NOBODY,
            "items": [{"sku": one.product_id, "quantity": one.quantity, "price": one.price} for one in lines],
            "idempotency_key": f"online-retail:{invoice}:{self._parts[invoice]}",
        }

    def _sales(self) -> Iterator[HistoryLine]:
        sold = self.sold
        for path in self._months:
            with closing(read(path, COLUMNS, COLUMNS.values())) as lines:
                for line in lines:
                    found = line.problem or retail_line(line.row)
                    if not isinstance(found, HistoryLine) or found.kind is not Kind.SALE:
                        sold.others += 1
                        continue
                    sold.lines += 1
                    quantity = to_scaled(found.quantity)
                    sold.quantities[found.product_id] += quantity
                    sold.cents += (quantity * to_scaled(found.price) + CENTS // 2) // CENTS
                    yield found
