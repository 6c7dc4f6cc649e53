"""Rulebooks and decisions in this process; what a new rulebook is tried on is asked of those who made orders and plans."""

from __future__ import annotations

from functools import partial

from restock.app.wiring import Given, Part, Ports
from restock.decisions.library import Library
from restock.decisions.model import Known
from restock.decisions.service import DecisionsService
from restock.purchasing.port import OrdersRequest
from restock.replenishment.port import ProposalsRequest

MAX_PAGE = 1000
"""Orders or proposals asked for at once: a megabyte or two."""


def made(given: Given) -> Part:
    """Wire the context."""
    library = Library(given.settings.home / "rulebooks")
    service = DecisionsService(given.databases["decisions"], library, given.clock, given.ids)
    service.life.known = partial(_known, given.ports)
    return Part(service)


async def _known(ports: Ports) -> Known:
    """Give what a new rulebook is tried on: the decisions of the newest plan, and the currency where an order says it."""
    found: dict[str, str] = {}
    before = ""
    while orders := await ports.purchasing.orders(OrdersRequest(before, MAX_PAGE)):
        for order in orders:
            found |= dict.fromkeys([order.decision_id, *(line.decision_id for line in order.lines)], order.currency)
        before = orders[-1].po_id
    planned: list[str] = []
    after = ""
    while page := await ports.replenishment.proposals(ProposalsRequest(0, after, MAX_PAGE)):
        planned += [one.decision_id for one in page]
        found |= {one.decision_id: one.currency for one in page}
        after = page[-1].product_id
    return Known(planned, found)
