"""Products that inventory must know before they are ordered: an order for another one becomes a dead letter."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

import msgspec

from restock.edge.load.caller import Caller, exact

PAGE = 1000
"""Products in one request, as the server gives and takes them."""

OK = 200

_json = msgspec.json.Encoder().encode


async def make_known(address: str, products: Iterable[str]) -> int | None:
    """Put those of the products that the server's catalogue lacks; give their number, or None where it keeps none.

    Raises Unavailable when nobody answers.
    """
    caller = Caller(address)
    try:
        known = await _catalogue(caller)
        if known is None:
            return None
        missing = [one for one in products if one not in known]
        for start in range(0, len(missing), PAGE):
            items = [{"product_id": one} for one in missing[start : start + PAGE]]
            reply = await caller.ask("POST", "/api/v1/products", _json({"items": items}))
            if reply.status != OK:
                return None
        return len(missing)
    finally:
        caller.close()


async def first_products(address: str) -> list[str]:
    """Give a page of the server's catalogue; empty where it keeps none. Raises Unavailable when nobody answers."""
    caller = Caller(address)
    try:
        return await _page(caller, "") or []
    finally:
        caller.close()


async def _catalogue(caller: Caller) -> set[str] | None:
    known: set[str] = set()
    page = await _page(caller, "")
    while page:
        known.update(page)
        page = await _page(caller, page[-1])
    return None if page is None else known


async def _page(caller: Caller, after: str) -> list[str] | None:
    reply = await caller.ask("GET", f"/api/v1/products?limit={PAGE}&after={quote(after)}")
    return [one["product_id"] for one in exact(reply.body)["items"]] if reply.status == OK else None
