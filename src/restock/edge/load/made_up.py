"""Made-up orders, repeatable from a seed: any number for a load, and the twenty of the published demo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from random import Random

import msgspec

from restock.edge.demo.company import CUSTOMERS, PIPELINE
from restock.edge.load.sending import Parcel

ORDERS_PATH, BATCH_PATH = "/orders", "/orders/batch"

DEMO_ORDERS = 20
"""As many as the published demo sends."""

DEMO_RATE = 10
"""Orders a second of the published demo: a tenth of a second apart."""

MOST_ITEMS = 3

MOST_QUANTITY = 5

_json = msgspec.json.Encoder(decimal_format="number").encode


class MadeUp:
    """Orders of one to three products by so many customers."""

    def __init__(self, seed: int, customers: int, products: Sequence[str]) -> None:
        """Without products the six of the published demo are ordered, at their prices."""
        self._random = Random(seed)  # noqa: S311 - made-up orders, repeatable
        self._customers = [f"CUST-{number:06d}" for number in range(customers)]
        names = list(products) or list(PIPELINE)
        prices = {name: self._price(name) for name in names}
        self._items = [
            [_json({"sku": name, "quantity": number, "price": prices[name]}) for number in range(1, MOST_QUANTITY + 1)]
            for name in names
        ]

    def parcels(self, orders: int, batch: int) -> Iterator[Parcel]:
        """Give so many orders, singly or in batches."""
        left = orders
        while left > 0:
            size = min(batch, left)
            left -= size
            if batch == 1:
                yield Parcel(ORDERS_PATH, self._order(), 1)
            else:
                yield Parcel(BATCH_PATH, b'{"orders":[%b]}' % b",".join(self._order() for _ in range(size)), size)

    def _order(self) -> bytes:
        draw = self._random.random
        items = self._items
        count, quantities = len(items), MOST_QUANTITY
        chosen = [items[int(draw() * count)][int(draw() * quantities)] for _ in range(1 + int(draw() * MOST_ITEMS))]
        customer = self._customers[int(draw() * len(self._customers))]
        return b'{"customer_id":"%b","items":[%b]}' % (customer.encode(), b",".join(chosen))

    def _price(self, product: str) -> Decimal:
        if product in PIPELINE:
            return PIPELINE[product][1]
        return Decimal(self._random.randrange(99, 9999)) / 100


def demo_orders(seed: int) -> Iterator[Parcel]:
    """Give the published demo's orders: twenty, by five customers, of one to three of six products."""
    random = Random(seed)  # noqa: S311 - a made-up demo, repeatable
    for _ in range(DEMO_ORDERS):
        products = random.sample(list(PIPELINE), random.randint(1, MOST_ITEMS))
        items = [{"sku": one, "quantity": PIPELINE[one][0], "price": PIPELINE[one][1]} for one in products]
        yield Parcel(ORDERS_PATH, _json({"customer_id": random.choice(CUSTOMERS), "items": items}), 1)
