"""Planning: what to buy of the whole catalogue, decided in batches, stored as proposals with what was skipped and why.

A plan remembers the revisions of everything it looked at. While none has changed, planning again gives the same plan
without looking at a single product.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from decimal import Decimal
from typing import cast

from restock.core.clock import Clock, timestamp
from restock.core.collector import collected_seldom
from restock.core.errors import InvalidInput, RestockError
from restock.core.frame import BATCH
from restock.decisions.port import DecideRequest, Decision, RulebookRequest
from restock.engine.database import Database, Transaction
from restock.engine.graph import Flow
from restock.engine.graph.model import Reference, RulebookCall
from restock.inventory.port import CatalogueRequest
from restock.replenishment import proposals
from restock.replenishment.model import Need, Outcome, judged
from restock.replenishment.operations import Neighbours, Operations
from restock.replenishment.port import Plan, PlanRequest, Proposal, Skip

DECISION = "decision"
"""The node of the flow that asks the rules: planning asks the same rulebook with the same facts."""

Wanted = tuple[Need, Decision, str]
"""What is to be proposed: the facts, the decision, the reason."""

Progress = Callable[[int], None]
"""Is told how many products are done."""


class Planner:
    """Makes plans."""

    def __init__(
        self, database: Database, neighbours: Neighbours, operations: Operations, flow: Flow, clock: Clock
    ) -> None:
        self._database = database
        self._neighbours = neighbours
        self._operations = operations
        self._clock = clock
        self._rulebook = rulebook_of(flow)
        self._inputs = _inputs_of(flow)
        self.progress: Progress = lambda _: None

    async def plan(self, request: PlanRequest) -> Plan:
        """Propose for the whole catalogue of a warehouse."""
        with collected_seldom():
            return await self._plan(request)

    async def _plan(self, request: PlanRequest) -> Plan:
        rules = (await self._neighbours.decisions.rulebook(RulebookRequest(self._rulebook))).version  # to its end
        basis = await self._basis(request, rules)
        known = await proposals.latest(self._database)
        if known is not None and known[1] == basis:
            return Plan(**{**known[0].__dict__, "reused": True})
        at = timestamp(self._clock.now())

        async def begin(tx: Transaction) -> int:
            return await proposals.start(tx, request.warehouse_id, at, basis)

        plan_no = await self._database.write("plan.start", begin)
        sums = _Sums()
        storing: asyncio.Task[tuple[list[Proposal], list[Skip]]] | None = None
        try:
            async for page in self._catalogue():  # one batch is decided while the one before it is stored
                wanted, skipped = await self._decided(page, request.warehouse_id, rules)
                if storing is not None:
                    sums.add(*await storing)
                    self.progress(sums.products)
                storing = asyncio.create_task(self._stored(plan_no, wanted, skipped))
            if storing is not None:
                sums.add(*await storing)
        finally:
            if storing is not None:
                await asyncio.wait([storing])
        self.progress(sums.products)
        plan = sums.plan(plan_no, at, request.warehouse_id)

        async def end(tx: Transaction) -> None:
            await proposals.finish(tx, plan)

        await self._database.write("plan.finish", end)
        return plan

    async def _basis(self, request: PlanRequest, rules: str) -> str:
        """Name everything a plan depends on: revisions of the neighbours, the rulebook, the warehouse."""
        n = self._neighbours
        revisions = [await one.revision() for one in (n.orders, n.inventory, n.suppliers, n.units, n.purchasing)]
        return ":".join([*map(str, revisions), rules, request.warehouse_id])

    async def _catalogue(self) -> AsyncIterator[list[str]]:
        after = ""
        while True:
            page = list((await self._neighbours.inventory.catalogue(CatalogueRequest(after, BATCH))).product_id)
            if not page:
                return
            yield page
            after = page[-1]

    async def _decided(self, products: list[str], warehouse: str, rules: str) -> tuple[list[Wanted], list[Skip]]:
        """Decide on a batch: what to propose, and what to skip."""
        asked = [{"product_id": product, "warehouse_id": warehouse} for product in products]
        needs = await self._operations.needs(asked)
        found = [one for one in needs if isinstance(one, Need)]
        ready = [one for one in found if not one.blocked]
        decided = await self._neighbours.decisions.decide(
            DecideRequest(self._rulebook, [self._facts(one) for one in ready], record=False, version=rules)
        )
        answers = iter(decided.results)
        skipped: list[Skip] = []
        wanted: list[Wanted] = []
        for product, one in zip(products, needs, strict=True):
            answer = next(answers) if isinstance(one, Need) and not one.blocked else None
            result = _judged(product, one, answer)
            if isinstance(result, Skip):
                skipped.append(result)
            else:
                wanted.append((cast("Need", one), cast("Decision", answer), result))
        return wanted, skipped

    async def _stored(
        self, plan_no: int, wanted: list[Wanted], skipped: list[Skip]
    ) -> tuple[list[Proposal], list[Skip]]:
        """Keep the decisions of a batch, then store its proposals and skips."""
        kept = await self._neighbours.decisions.keep(
            [decision for _, decision, _ in wanted], [one.product_id for one, _, _ in wanted]
        )
        made = [
            _proposal(one, decision.outputs, reason, plan_no, key)
            for (one, decision, reason), key in zip(wanted, kept, strict=True)
        ]

        async def unit(tx: Transaction) -> None:
            await proposals.add(tx, plan_no, made, skipped)

        await self._database.write("plan.part", unit)
        return made, skipped

    def _facts(self, one: Need) -> dict[str, object]:
        return {name: getattr(one, field) for name, field in self._inputs}


class _Sums:
    """What the batches of a plan come to, in their order."""

    def __init__(self) -> None:
        self.products = 0
        self._outcomes: Counter[str] = Counter()
        self._amounts: dict[str, Decimal] = {}
        self._digest = hashlib.sha256()

    def add(self, made: list[Proposal], skipped: list[Skip]) -> None:
        """Add a batch."""
        self.products += len(made) + len(skipped)
        self._outcomes.update({Outcome.PROPOSED.value: len(made)})
        self._outcomes.update(skip.outcome for skip in skipped)
        for one in made:
            self._amounts[one.currency] = self._amounts.get(one.currency, Decimal(0)) + one.total_amount
        self._digest.update(_fingerprint(made, skipped))

    def plan(self, plan_no: int, at: str, warehouse: str) -> Plan:
        """Give the plan."""
        outcomes = dict(sorted(self._outcomes.items()))
        return Plan(plan_no, at, warehouse, self.products, outcomes, self._amounts, self._digest.hexdigest())


def rulebook_of(flow: Flow) -> str:
    """Give the rulebook that a flow asks. Raises InvalidInput when it has no decision."""
    node = flow.nodes.get(DECISION)
    if node is None or not isinstance(node.work, RulebookCall):
        raise InvalidInput(f"Flow {flow.name} has no rulebook node {DECISION!r}.", field="nodes")
    return node.work.name


def _inputs_of(flow: Flow) -> list[tuple[str, str]]:
    """Give the rulebook's inputs and the field of the need that each takes, as the flow file says."""
    pairs = []
    for name, value in flow.nodes[DECISION].inputs:
        if isinstance(value, Reference) and value.path[0] == "need" and len(value.path) == 2:
            pairs.append((name, value.path[1]))
        elif name != "product_id":
            raise InvalidInput(f"Planning knows no {value}: give the rules fields of the need only.", field=name)
    return pairs


def _judged(product: str, one: object, answer: object) -> str | Skip:
    """Give the reason of a proposal, or why there is none."""
    if isinstance(one, RestockError):
        return Skip(product, Outcome.ERROR.value, str(one))
    assert isinstance(one, Need)
    if one.blocked:
        return Skip(product, Outcome.BLOCKED.value, one.blocked)
    if isinstance(answer, RestockError):
        return Skip(product, Outcome.ERROR.value, str(answer))
    assert isinstance(answer, Decision)
    outcome, reason = judged(one, answer.outputs)
    return reason if outcome is Outcome.PROPOSED else Skip(product, outcome.value, reason)


def _proposal(one: Need, outputs: Mapping[str, object], reason: str, plan_no: int, decision_id: str) -> Proposal:
    return Proposal(
        proposal_id=proposals.proposal_id(plan_no, one.product_id),
        plan_no=plan_no,
        product_id=one.product_id,
        warehouse_id=one.warehouse_id,
        supplier_id=one.supplier_id,
        supplier_name=one.supplier_name,
        currency=one.currency,
        quantity=cast("Decimal", outputs["order_qty"]),
        stock_unit=one.stock_unit,
        purchase_quantity=cast("Decimal", outputs["purchase_qty"]),
        purchase_unit=one.purchase_unit,
        unit_price=one.unit_price,
        total_amount=cast("Decimal", outputs["total_amount"]),
        shortage=cast("Decimal", outputs["shortage"]),
        approval_status=str(outputs["approval_status"]),
        reason=reason,
        decision_id=decision_id,
        plan_version=one.plan_version,
        lead_time_days=one.lead_time_days,
    )


def _fingerprint(made: Iterable[Proposal], skipped: Iterable[Skip]) -> bytes:
    """Give what makes two plans the same: what is proposed and what is not, not when or under which number."""
    lines = [f"{one.product_id} {one.supplier_id} {one.quantity} {one.total_amount}" for one in made]
    lines += [f"{one.product_id} {one.outcome}" for one in skipped]
    return "\n".join(lines).encode()
