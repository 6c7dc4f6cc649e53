"""From proposals to purchase orders: one per supplier and currency, on whose total the rules decide once more.

The ORDER module of the rulebook sees the sum of the lines, so ten lines of 9,000 are an order of 90,000 and need approval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256

from restock.core.clock import Clock
from restock.core.errors import RestockError, Stale
from restock.core.quantity import total
from restock.decisions.port import DecideRequest, Decision, RulebookRequest
from restock.engine.database import Database, Transaction
from restock.engine.graph import Flow
from restock.purchasing.model import PurchaseOrder
from restock.purchasing.port import CreateRequest, NewLine, NewOrder, PlansRequest
from restock.replenishment import proposals
from restock.replenishment.operations import Neighbours, amounts
from restock.replenishment.planning import rulebook_of
from restock.replenishment.port import Proposal, ProposalsRequest, Purchase, PurchaseRequest, Skip

MAX_LINES = 2000
"""Lines on one order: its event stays far below a message's size limit; a supplier with more gets a second order."""

PAGE = 5000

Progress = Callable[[int, int], None]
"""Is told how many lines are ordered, and of how many."""


class Purchaser:
    """Turns open proposals into purchase orders."""

    def __init__(self, database: Database, neighbours: Neighbours, flow: Flow, clock: Clock) -> None:
        self._database = database
        self._neighbours = neighbours
        self._clock = clock
        self._rulebook = rulebook_of(flow)
        self.progress: Progress = lambda _done, _all: None

    async def purchase(self, request: PurchaseRequest) -> Purchase:
        """Order what the latest plan proposes and nobody ordered yet."""
        rules = (await self._neighbours.decisions.rulebook(RulebookRequest(self._rulebook))).version  # to its end
        groups = await self._groups(request)
        done, wanted = 0, sum(map(len, groups))
        made = Purchase([], [])
        for together in _together(groups):
            await self._order(together, request.actor, rules, made)
            done += sum(map(len, together))
            self.progress(done, wanted)
        return made

    async def _groups(self, request: PurchaseRequest) -> list[list[Proposal]]:
        """Give the open proposals of each supplier and currency, cut to the lines that fit on an order."""
        found: dict[tuple[str, str, str], list[Proposal]] = {}
        after = ""
        while page := await proposals.page(
            self._database, ProposalsRequest(0, after, PAGE, supplier_id=request.supplier_id)
        ):
            for one in page:
                if one.state == "open":
                    found.setdefault((one.supplier_id, one.currency, one.warehouse_id), []).append(one)
            after = page[-1].product_id
        return [
            group[start : start + MAX_LINES]
            for _, group in sorted(found.items())
            for start in range(0, len(group), MAX_LINES)
        ]

    async def _order(self, groups: list[list[Proposal]], actor: str, rules: str, made: Purchase) -> None:
        """Make an order of each group; lines whose need somebody satisfied meanwhile are left out and named."""
        while groups:
            again: list[list[Proposal]] = []
            marks: list[tuple[Proposal, str, str]] = []
            for group, result in zip(groups, await self._create(groups, actor, rules), strict=True):
                if isinstance(result, PurchaseOrder):
                    made.orders.append(result)
                    marks += [(one, "ordered", result.po_id) for one in group]
                elif isinstance(result, Stale):
                    fresh = await self._fresh(group)
                    gone = [one for one in group if one not in fresh]
                    marks += [(one, "superseded", "") for one in gone]
                    made.refused.extend(Skip(one.product_id, "stale", _STALE) for one in gone)
                    again += [fresh] if fresh else []
                else:
                    made.refused.extend(Skip(one.product_id, "error", str(result)) for one in group)
            await self._mark(marks)
            groups = again

    async def _create(self, groups: list[list[Proposal]], actor: str, rules: str) -> list[PurchaseOrder | RestockError]:
        facts = [
            {"total_amount": _total(group), "order_qty": total(one.quantity for one in group), "need_reorder": True}
            for group in groups
        ]
        request = DecideRequest(
            self._rulebook, facts, "ORDER", [group[0].supplier_id for group in groups], version=rules
        )
        decided = (await self._neighbours.decisions.decide(request)).results
        orders = [
            self._new_order(group, decision, _total(group))
            for group, decision in zip(groups, decided, strict=True)
            if isinstance(decision, Decision)
        ]
        created = iter((await self._neighbours.purchasing.create(CreateRequest(orders, actor))).results)
        return [next(created) if isinstance(decision, Decision) else decision for decision in decided]

    def _new_order(self, group: Sequence[Proposal], decision: Decision, amount: Decimal) -> NewOrder:
        outputs: dict[str, object] = {**decision.outputs, "total_amount": amount}
        first = group[0]
        slowest = max(one.lead_time_days for one in group)
        lines = sha256(",".join(one.proposal_id for one in group).encode()).hexdigest()[:16]
        return NewOrder(
            supplier_id=first.supplier_id,
            supplier_name=first.supplier_name,
            currency=first.currency,
            lines=[_line(one) for one in group],
            state=str(outputs["po_status"]),
            send=bool(outputs["should_send_po"]),
            send_method=str(outputs["send_method"]),
            reason=", ".join(decision.fired),
            expected_on=(self._clock.now().date() + timedelta(days=slowest)).isoformat(),
            decision_id=decision.decision_id,
            idempotency_key=f"plan-{first.plan_no}/{first.supplier_id}/{lines}",
            **amounts(outputs),
        )

    async def _fresh(self, group: list[Proposal]) -> list[Proposal]:
        products = [one.product_id for one in group]
        frame = await self._neighbours.purchasing.plans(PlansRequest(products, group[0].warehouse_id))
        versions = dict(zip(frame.product_id, frame.version, strict=True))
        return [one for one in group if versions.get(one.product_id, 0) == one.plan_version]

    async def _mark(self, marks: list[tuple[Proposal, str, str]]) -> None:
        async def unit(tx: Transaction) -> None:
            await proposals.mark(tx, marks)

        if marks:
            await self._database.write("purchase.mark", unit)


_STALE = "Ordered by somebody else since the plan."


def _together(groups: list[list[Proposal]]) -> Iterator[list[list[Proposal]]]:
    """Cut the groups so that about `MAX_LINES` lines share their transactions."""
    chunk: list[list[Proposal]] = []
    lines = 0
    for group in groups:
        if chunk and lines + len(group) > MAX_LINES:
            yield chunk
            chunk, lines = [], 0
        chunk.append(group)
        lines += len(group)
    if chunk:
        yield chunk


def _total(group: Sequence[Proposal]) -> Decimal:
    return total(one.total_amount for one in group)


def _line(one: Proposal) -> NewLine:
    return NewLine(
        product_id=one.product_id,
        quantity=one.quantity,
        purchase_quantity=one.purchase_quantity,
        purchase_unit=one.purchase_unit,
        unit_price=one.unit_price,
        total_amount=one.total_amount,
        plan_version=one.plan_version,
        warehouse_id=one.warehouse_id,
        decision_id=one.decision_id,
    )
