"""Keeps the promise of the replenishment port: runs flows in cohorts, plans, turns proposals into orders."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import cast

from restock.core import trace
from restock.core.clock import Clock, timestamp
from restock.core.errors import NotFound, RestockError, Stale, Unavailable
from restock.core.ids import Ids
from restock.core.text import name
from restock.core.value import changed
from restock.decisions.port import Decision
from restock.engine.database import Database
from restock.engine.graph import QUEUE_LIMIT, CohortRunner, Executor, Flow, RunResult, load_flow
from restock.engine.graph.run import CohortRecord
from restock.engine.graph.traced import submitted
from restock.purchasing.model import PurchaseOrder, State
from restock.purchasing.port import ByKeyRequest
from restock.replenishment import proposals, recorder
from restock.replenishment.model import Need, Outcome, judged
from restock.replenishment.operations import FRESH, SERVICES, Neighbours, Operations
from restock.replenishment.planning import Planner
from restock.replenishment.port import (
    Calculation,
    FlowBatchRequest,
    FlowOrder,
    FlowReplies,
    FlowReply,
    FlowRequest,
    Plan,
    PlanRequest,
    Proposal,
    ProposalRequest,
    ProposalsRequest,
    Purchase,
    PurchaseRequest,
    RunDetail,
    RunRequest,
    RunsRequest,
    RunSummary,
    RunTold,
    Skip,
    SkipsRequest,
)
from restock.replenishment.purchase import Purchaser

FLOWS = Path(__file__).parent / "flows"
CONFLICT_ROUNDS = 8
"""How often a flow decides again because somebody was faster: each round somebody's need was satisfied, so few suffice."""

AT_ONCE = 512
"""Runs of one batch at the door together: two full cohorts, so that other callers get in between."""


class ReplenishmentService:
    """The replenishment context over the ports of its neighbours and decisions_db."""

    def __init__(
        self,
        database: Database,
        neighbours: Neighbours,
        clock: Clock,
        ids: Ids,
        flow_name: str = "purchasing",
        queue_limit: int = QUEUE_LIMIT,
        away: Collection[str] = (),
    ) -> None:
        """`away` names the ports that are in other processes."""
        self._database = database
        self._clock = clock
        self._ids = ids
        self.operations = Operations(neighbours, clock)
        table = self.operations.table()
        self.flows = shipped_flows(set(table))
        if flow_name not in self.flows:
            raise NotFound(f"There is no flow {flow_name!r}.", field="flow", remedy=f"Known: {', '.join(self.flows)}.")
        self._flow = self.flows[flow_name]
        distant = {each for each in table if each.partition(".")[0] in away}
        self._executor = Executor(table, self.operations.rulebook, clock, distant=distant)
        in_flight = (
            2 if distant else 1
        )  # with neighbours elsewhere, one cohort uses the time that the other waits for them
        self._runner = CohortRunner(self._executor, self._flow, queue_limit=queue_limit, in_flight=in_flight)
        self.at_once = min(AT_ONCE, queue_limit)
        """Runs of one caller that may be at the door together."""
        self.queue_limit = queue_limit
        """Callers that may wait at the door."""
        self.observers: list[Callable[[RunTold], None]] = []
        """Told of every run that ends."""
        self._recorder = recorder.Recorder(database)
        self._cohorts: deque[tuple[CohortRecord, str, str]] = deque(maxlen=in_flight)
        self.planner = Planner(database, neighbours, self.operations, self._flow, clock)
        self.purchaser = Purchaser(database, neighbours, self._flow, clock)

    @property
    def waiting(self) -> int:
        """How many callers wait at the flow's door."""
        return self._runner.waiting

    @property
    def refused(self) -> int:
        """How many callers were sent away because too many waited."""
        return self._runner.refused

    def busy(self) -> bool:
        """Tell whether callers wait at the flow's door."""
        return self.waiting > 0

    async def flow(self, request: FlowRequest) -> FlowReply:
        """Run the flow for a product."""
        product = name(request.product_id, "product_id")
        if product != request.product_id:
            request = changed(request, product_id=product)
        reply = await self._known(request) or await self._run(request)
        if isinstance(reply, RestockError):
            raise reply
        return reply

    async def flow_batch(self, request: FlowBatchRequest) -> FlowReplies:
        """Run the flow for many products together."""
        door = asyncio.Semaphore(self.at_once)

        async def one(product: str) -> FlowReply | RestockError:
            async with door:
                try:
                    product = name(product, "product_id")
                    key = request.idempotency_key and _own_key(request.idempotency_key, product)
                    asked = FlowRequest(product, request.warehouse_id, key)
                    return await self._known(asked) or await self._run(asked)
                except RestockError as error:
                    return error

        return FlowReplies(list(await asyncio.gather(*(one(product) for product in request.products))))

    async def plan(self, request: PlanRequest) -> Plan:
        """Propose for the whole catalogue."""
        return await self.planner.plan(request)

    async def proposals(self, request: ProposalsRequest) -> list[Proposal]:
        """Give a page of proposals."""
        return await proposals.page(self._database, request)

    async def proposal(self, request: ProposalRequest) -> Proposal:
        """Give one proposal."""
        return await proposals.one(self._database, request.proposal_id)

    async def skips(self, request: SkipsRequest) -> list[Skip]:
        """Give a page of what was skipped."""
        return await proposals.skips(self._database, request)

    async def purchase(self, request: PurchaseRequest) -> Purchase:
        """Order what is proposed."""
        return await self.purchaser.purchase(request)

    async def runs(self, request: RunsRequest) -> list[RunSummary]:
        """Give a page of runs."""
        return await recorder.runs(self._database, request)

    async def run(self, request: RunRequest) -> RunDetail:
        """Give a run with its trace."""
        return (await self._recorded(request.run_id))[0]

    async def result(self, run_id: str) -> RunResult:
        """Give a stored run for drawing. Raises NotFound."""
        _, found = await self._recorded(run_id)
        if found is None:
            raise NotFound(f"The flow of run {run_id} has changed since; it cannot be drawn any more.", field="run_id")
        return found

    async def _recorded(self, run_id: str) -> tuple[RunDetail, RunResult | None]:
        return await recorder.run(self._database, run_id, self.flows, self._executor, self.operations.recalled)

    def load(self, text: bytes, name: str) -> Flow:
        """Load a flow file of the caller's with the operations that flows may name. Raises FlowError with the place."""
        return load_flow(text, name, operations=set(self.operations.table()), services=SERVICES, fresh=FRESH)

    async def totals(self) -> tuple[int, int, int]:
        """Give runs, queries and query microseconds of all time."""
        return await recorder.totals(self._database)

    async def drain(self) -> None:
        """Wait until every trace is stored."""
        await self._recorder.drain()

    async def close(self) -> None:
        """Finish what is inside and store every trace."""
        await self._runner.close()
        await self._recorder.drain()

    async def _known(self, request: FlowRequest) -> FlowReply | None:
        """Give the answer again that an idempotency key had, when it made an order."""
        if not request.idempotency_key:
            return None
        order = await self.operations.neighbours.purchasing.order_by_key(ByKeyRequest(request.idempotency_key))
        if order is None or order.lines[0].product_id != request.product_id:
            return None
        line = order.lines[0]
        calculation = Calculation(
            True, line.quantity, line.quantity, order.total_amount, order.state is State.PENDING_APPROVAL, ""
        )
        return _ordered(order, calculation, order.run_id)

    async def _run(self, request: FlowRequest) -> FlowReply | RestockError:
        """Run until nobody was faster. A run that loses the race decides again, and is then covered."""
        product = request.product_id
        for _ in range(CONFLICT_ROUNDS):
            run_id = self._ids.new()
            inputs = {
                "product_id": product,
                "warehouse_id": request.warehouse_id,
                "run_id": run_id,
                "idempotency_key": request.idempotency_key,
                "causation_id": request.causation_id,
            }
            result = await submitted(self._runner, inputs, run_id)
            reply = answer(result, product, run_id)
            first = self._remember(result, run_id, product, reply)
            if self.observers:
                caused, size = request.causation_id, result.record.size if first and result.record else 0
                told = RunTold(run_id, product, caused, trace.of(run_id), reply, size)
                for observe in self.observers:
                    observe(told)
            if not isinstance(result.error, Stale):
                return reply
        return Unavailable(f"{product} is ordered by too many at once.", remedy="Try again.")

    def _remember(self, result: RunResult, run_id: str, product: str, reply: FlowReply | RestockError) -> bool:
        """Let the run be stored; tell whether it is the first of its cohort."""
        record = result.record
        if record is None:
            return False
        found = next((one for one in self._cohorts if one[0] is record), None)
        first = found is None
        if found is None:  # runs of one cohort end together: the first brings the cohort's own row
            found = (record, self._ids.new(), timestamp(record.began_at))
            self._cohorts.append(found)
        _, cohort_id, at = found
        if first:
            tally = self.operations.tally
            self._recorder.record_cohort(recorder.cohort_row(cohort_id, record, at, tally.queries, tally.query_us))
            tally.queries = tally.query_us = 0
        if isinstance(reply, RestockError):
            summary = RunSummary(run_id, record.flow.name, product, at, Outcome.ERROR, str(reply), "", "")
        else:
            po_id = reply.po.po_id if reply.po else ""
            summary = RunSummary(
                run_id, record.flow.name, product, at, reply.outcome, reply.message, po_id, reply.decision_id
            )
        self._recorder.record_run(recorder.run_row(cohort_id, summary, result))
        return first


def _own_key(key: str, product: str) -> str:
    """Give a product of a batch a key of its own; a hash, because both together may be too long for one."""
    return f"batch:{sha256(f'{key} {product}'.encode()).hexdigest()}"


def shipped_flows(operations: set[str]) -> dict[str, Flow]:
    """Load the flows that come with the program."""
    flows = {}
    for path in sorted(FLOWS.glob("*.yaml")):
        flow = load_flow(path.read_bytes(), path.name, operations=operations, services=SERVICES, fresh=FRESH)
        flows[flow.name] = flow
    return flows


def answer(result: RunResult, product: str, run_id: str) -> FlowReply | RestockError:
    """Give the orchestrator's reply for a run."""
    if result.error is not None:
        if isinstance(result.error, RestockError):
            return result.error
        raise result.error
    need = cast("Need", result.outputs["need"])
    decision = cast("Decision | None", result.outputs["decision"])
    if decision is None:
        return _without_order(Outcome.BLOCKED, f"Blocked: {need.blocked}", Calculation(), product, "", run_id)
    calculation = _calculation(decision.outputs)
    order = result.outputs["order"]
    if isinstance(order, PurchaseOrder):
        return _ordered(order, calculation, run_id)
    outcome, reason = judged(need, decision.outputs)
    message = f"No PO creation needed based on business rules: {reason}"
    if outcome is Outcome.BLOCKED:
        message = f"Blocked: {reason}"
    elif outcome is Outcome.COVERED:
        cover = cast("Mapping[str, object] | None", result.outputs["cover"])
        message = f"covered by open purchase order {cover['po_id']}" if cover else f"covered: {reason}"
    return _without_order(outcome, message, calculation, product, decision.decision_id, run_id)


def _without_order(
    outcome: Outcome, message: str, calculation: Calculation, product: str, decision_id: str, run_id: str
) -> FlowReply:
    return FlowReply(True, None, calculation, message, outcome.value, product, decision_id, run_id)


def _calculation(outputs: Mapping[str, object]) -> Calculation:
    return Calculation(
        bool(outputs["need_reorder"]),
        cast("Decimal", outputs["shortage"]),
        cast("Decimal", outputs["order_qty"]),
        cast("Decimal", outputs["total_amount"]),
        bool(outputs["requires_approval"]),
        str(outputs["approval_status"]),
    )


def _ordered(order: PurchaseOrder, calculation: Calculation, run_id: str) -> FlowReply:
    line = order.lines[0]
    shown = FlowOrder(
        po_id=order.po_id,
        product_id=line.product_id,
        supplier_id=order.supplier_id,
        qty=line.quantity,
        unit_price=line.unit_price,
        total_amount=order.total_amount,
        status=order.state.value,
        created_at=order.created_at,
        sent_at=order.sent_at or None,
        purchase_qty=line.purchase_quantity,
        purchase_unit=line.purchase_unit,
        grand_total=order.grand_total,
        currency=order.currency,
    )
    message = "Purchasing flow completed - orchestrator executed rules decisions"
    return FlowReply(
        True, shown, calculation, message, Outcome.ORDERED.value, line.product_id, order.decision_id, run_id
    )
