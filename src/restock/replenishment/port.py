"""What the replenishment context promises."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple, Protocol

from restock.core.defaults import DEFAULT_WAREHOUSE
from restock.core.errors import RestockError
from restock.core.operation import Operation, Permission
from restock.core.value import value
from restock.purchasing.model import PurchaseOrder


@dataclass(frozen=True)
class FlowRequest:
    """Which product to replenish. The same idempotency key never orders twice."""

    product_id: str
    warehouse_id: str = DEFAULT_WAREHOUSE
    idempotency_key: str = ""
    causation_id: str = ""


@dataclass(frozen=True)
class FlowBatchRequest:
    """Which products to replenish in one run; each gets its own answer. The same idempotency key never orders one twice."""

    products: list[str]
    warehouse_id: str = DEFAULT_WAREHOUSE
    idempotency_key: str = ""


@value
class FlowOrder:
    """The purchase order of a flow, in the published members; purchase quantity and unit beside them."""

    po_id: str
    product_id: str
    supplier_id: str
    qty: Decimal
    unit_price: Decimal
    total_amount: Decimal
    status: str
    created_at: str
    sent_at: str | None
    purchase_qty: Decimal
    purchase_unit: str
    grand_total: Decimal
    currency: str


@value
class Calculation:
    """What the rules calculated, in the published members."""

    need_reorder: bool = False
    shortage: Decimal = Decimal(0)
    order_qty: Decimal = Decimal(0)
    total_amount: Decimal = Decimal(0)
    requires_approval: bool = False
    approval_status: str = ""


@value
class FlowReply:
    """The orchestrator's reply; `outcome` is ordered, covered, no_need or blocked."""

    success: bool
    po: FlowOrder | None
    calculation: Calculation
    message: str
    outcome: str
    product_id: str
    decision_id: str
    run_id: str


@dataclass(frozen=True)
class FlowReplies:
    """An answer or an error per product, in the order asked."""

    results: list[FlowReply | RestockError]


@dataclass(frozen=True)
class PlanRequest:
    """Plan the whole catalogue of a warehouse."""

    warehouse_id: str = DEFAULT_WAREHOUSE


@dataclass(frozen=True)
class Plan:
    """A plan: how many products were looked at, and what came of them.

    `digest` is a hash of all proposals and skips: two plans with the same digest propose the same. `reused` says that
    nothing had changed since the plan was made. `amounts` sums the proposals' totals by currency.
    """

    plan_no: int
    at: str
    warehouse_id: str
    products: int
    outcomes: dict[str, int]
    amounts: dict[str, Decimal]
    digest: str
    reused: bool = False


@value
class Proposal:
    """What a decision recommends to buy; not an order, and never supply. `state` is open, ordered or superseded."""

    proposal_id: str
    plan_no: int
    product_id: str
    warehouse_id: str
    supplier_id: str
    supplier_name: str
    currency: str
    quantity: Decimal
    stock_unit: str
    purchase_quantity: Decimal
    purchase_unit: str
    unit_price: Decimal
    total_amount: Decimal
    shortage: Decimal
    approval_status: str
    reason: str
    decision_id: str
    plan_version: int
    lead_time_days: int
    state: str = "open"
    po_id: str = ""


@dataclass(frozen=True, slots=True)
class Skip:
    """A product that a plan proposes nothing for, and why."""

    product_id: str
    outcome: str
    reason: str


@dataclass(frozen=True)
class ProposalsRequest:
    """A page of a plan's proposals after the given one; plan 0 is the latest."""

    plan_no: int = 0
    after: str = ""
    limit: int = 1000
    supplier_id: str = ""


@dataclass(frozen=True)
class ProposalRequest:
    """Which proposal."""

    proposal_id: str


@dataclass(frozen=True)
class SkipsRequest:
    """A page of what a plan skipped, after the given product; plan 0 is the latest."""

    plan_no: int = 0
    after: str = ""
    limit: int = 1000
    outcome: str = ""


@dataclass(frozen=True)
class PurchaseRequest:
    """Turn the latest plan's open proposals into purchase orders, one per supplier; only of one supplier when given."""

    supplier_id: str = ""
    actor: str = "restock"


@dataclass(frozen=True)
class Purchase:
    """The orders made, and the proposals that could not be ordered, with the reason."""

    orders: list[PurchaseOrder]
    refused: list[Skip] = field(default_factory=list)


@dataclass(frozen=True)
class RunRequest:
    """Which run."""

    run_id: str


@dataclass(frozen=True)
class RunsRequest:
    """A page of runs, newest first, before the given one; of one product when given."""

    before: str = ""
    limit: int = 50
    product_id: str = ""


@value
class RunSummary:
    """One run of a flow: when, for what, and what came of it."""

    run_id: str
    flow: str
    product_id: str
    at: str
    outcome: str
    message: str
    po_id: str
    decision_id: str


@dataclass(frozen=True)
class RunDetail:
    """A run with its trace as plain values: a span per node with start, end, attempts, inputs, outputs."""

    run: RunSummary
    trace: dict[str, object]


class RunTold(NamedTuple):
    """A run that has ended, as those are told who watch: `traceparent` is empty without a trace.

    `cohort` is the number of runs that walked together; it is 0 for all of them but one.
    """

    run_id: str
    product_id: str
    causation_id: str
    traceparent: str
    reply: FlowReply | RestockError
    cohort: int


class Replenishment(Protocol):
    """Replenishes. Keeps runs, plans and proposals; the business state is with the neighbours."""

    async def flow(self, request: FlowRequest) -> FlowReply:
        """Run the flow for a product: one order at most for one need, however often it is asked.

        Raises NotFound for an unknown product or a missing fact.
        """
        ...

    async def flow_batch(self, request: FlowBatchRequest) -> FlowReplies:
        """Run the flow for many products together; one that fails does not stop the others."""
        ...

    async def plan(self, request: PlanRequest) -> Plan:
        """Propose for the whole catalogue. Open proposals of the plan before are superseded."""
        ...

    async def proposals(self, request: ProposalsRequest) -> list[Proposal]:
        """Give a page of proposals in the order of products."""
        ...

    async def proposal(self, request: ProposalRequest) -> Proposal:
        """Give one proposal. Raises NotFound."""
        ...

    async def skips(self, request: SkipsRequest) -> list[Skip]:
        """Give a page of what was skipped."""
        ...

    async def purchase(self, request: PurchaseRequest) -> Purchase:
        """Order what is proposed: one order per supplier, on whose total the rules decide once more."""
        ...

    async def runs(self, request: RunsRequest) -> list[RunSummary]:
        """Give a page of runs."""
        ...

    async def run(self, request: RunRequest) -> RunDetail:
        """Give a run with its trace. Raises NotFound."""
        ...

    async def totals(self) -> tuple[int, int, int]:
        """Give runs, queries and query microseconds of all time."""
        ...


LONG_SECONDS = 600
"""How long a plan or its orders may take: whole catalogues have hundreds of thousands of products."""

OPERATIONS = (
    Operation(
        "replenishment.flow",
        FlowRequest,
        FlowReply,
        "POST",
        "/purchasing/flow",
        "Replenish one product",
        Permission.BUY,
        writes=True,
    ),
    Operation(
        "replenishment.flow_batch",
        FlowBatchRequest,
        FlowReplies,
        "POST",
        "/purchasing/flow/batch",
        "Replenish many products in one run",
        Permission.BUY,
        writes=True,
        seconds=60,
    ),
    Operation(
        "replenishment.plan",
        PlanRequest,
        Plan,
        "POST",
        "/api/v1/plans",
        "Propose for the whole catalogue",
        Permission.BUY,
        writes=True,
        seconds=LONG_SECONDS,
    ),
    Operation(
        "replenishment.proposals",
        ProposalsRequest,
        list[Proposal],
        "GET",
        "/api/v1/proposals",
        "Proposals of a plan",
    ),
    Operation(
        "replenishment.proposal",
        ProposalRequest,
        Proposal,
        "GET",
        "/api/v1/proposals/{proposal_id}",
        "One proposal",
    ),
    Operation("replenishment.skips", SkipsRequest, list[Skip], "GET", "/api/v1/skips", "What a plan skipped, and why"),
    Operation(
        "replenishment.purchase",
        PurchaseRequest,
        Purchase,
        "POST",
        "/api/v1/proposals/purchase",
        "Turn proposals into purchase orders, one per supplier",
        Permission.BUY,
        writes=True,
        seconds=LONG_SECONDS,
    ),
    Operation(
        "replenishment.runs", RunsRequest, list[RunSummary], "GET", "/api/v1/runs", "Runs of flows, newest first"
    ),
    Operation("replenishment.run", RunRequest, RunDetail, "GET", "/api/v1/runs/{run_id}", "One run with its trace"),
)
