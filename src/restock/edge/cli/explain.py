"""`restock explain`: why a purchase order, a proposal or a product is as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

import click

from restock.core.defaults import DEFAULT_WAREHOUSE
from restock.core.errors import RestockError
from restock.decisions.port import (
    DecideRequest,
    Decision,
    DecisionRequest,
    Explanation,
    FiredRule,
    SilentRule,
    StoredDecision,
)
from restock.edge.cli.flips_told import flip_told, nearest_of_each
from restock.edge.cli.output import Column, echo_json, moment, money, pairs, quantity, table
from restock.edge.cli.replenish import order_table
from restock.edge.cli.session import as_json, work
from restock.edge.cli.shell import Shell
from restock.edge.cli.waterfall import rules_told, waterfall
from restock.edge.running import Running
from restock.engine.graph import Flow
from restock.engine.graph.model import RulebookCall
from restock.engine.graph.reference import builder
from restock.engine.rules import Rulebook
from restock.purchasing.model import OPEN, OrderEvent, PurchaseOrder
from restock.purchasing.port import OrderRequest, OrdersRequest
from restock.replenishment.model import Need, judged
from restock.replenishment.port import Proposal, ProposalRequest, RunRequest, RunSummary

DECISION = "decision"
"""The node of a flow that asks the rules."""

PRODUCT_ORDERS = 20
"""Orders of a product that are looked through for open ones."""

FLIPS_SHOWN = 4
"""Thresholds that flip a decision: the nearest are what people ask for."""

LINES_SHOWN = 50
"""Lines of an order that are shown; --json has all."""


@dataclass(frozen=True)
class WhyOrder:
    """Everything behind an order: what it is, what happened to it, which decision and run made it.

    `line_decisions` are those of the lines when they were decided apart, as a plan does: at most `LINES_SHOWN`.
    """

    order: PurchaseOrder
    history: list[OrderEvent]
    decision: Explanation | None
    line_decisions: list[StoredDecision]
    run: RunSummary | None
    would_flip: list[str]


@dataclass(frozen=True)
class WhyProposal:
    """Everything behind a proposal."""

    proposal: Proposal
    decision: Explanation
    would_flip: list[str]


@dataclass(frozen=True)
class WhyProduct:
    """What is known of a product now, and what the flow would decide; `outcome` is proposed when it would order."""

    product_id: str
    facts: Mapping[str, object]
    inventory_position: Decimal
    reorder_point: Decimal
    outcome: str
    reason: str
    decision: Decision | None
    fired: list[FiredRule]
    not_fired: list[SilentRule]
    open_orders: list[PurchaseOrder]
    would_flip: list[str]


@click.command(
    epilog="""\b
Examples:
  restock explain PO-2026-000001
  restock explain PROP-000001-PROD-001
  restock explain PROD-001 --json

For a product it says what the flow would decide now, without acting."""
)
@click.argument("thing", metavar="PO|PROPOSAL|PRODUCT")
@click.option("--warehouse", default=DEFAULT_WAREHOUSE, show_default=True, help="The warehouse of a product.")
@as_json
@click.pass_obj
def explain(shell: Shell, thing: str, warehouse: str, as_json: bool) -> None:
    """Say why: of a purchase order, a proposal or a product."""

    async def task(app: Running) -> WhyOrder | WhyProposal | WhyProduct:
        if thing.startswith("PO-"):
            return await _order(shell, app, thing)
        if thing.startswith("PROP-"):
            proposal = await app.replenishment.proposal(ProposalRequest(thing))
            decided = await app.decisions.explain(DecisionRequest(proposal.decision_id))
            return WhyProposal(proposal, decided, _flips_of(shell, decided))
        return await _product(shell, app, thing, warehouse)

    found = work(shell, task)
    if as_json:
        echo_json(found)
    elif isinstance(found, WhyOrder):
        _show_order(found)
    elif isinstance(found, WhyProposal):
        _show_proposal(found)
    else:
        _show_product(found)


async def _order(shell: Shell, app: Running, po_id: str) -> WhyOrder:
    order = await app.purchasing.order(OrderRequest(po_id))
    history = await app.purchasing.history(OrderRequest(po_id))
    decision = await app.decisions.explain(DecisionRequest(order.decision_id)) if order.decision_id else None
    run = (await app.replenishment.run(RunRequest(order.run_id))).run if order.run_id else None
    apart = [line for line in order.lines if line.decision_id not in ("", order.decision_id)][:LINES_SHOWN]
    decided = [await app.decisions.decision(DecisionRequest(line.decision_id)) for line in apart]
    flips = _flips_of(shell, decision) if decision else []
    return WhyOrder(order, history, decision, decided, run, flips)


def _flips_of(shell: Shell, why: Explanation) -> list[str]:
    """Say what would have flipped a stored decision; nothing when its version of the rules is not the present one."""
    stored = why.decision
    try:
        book = shell.rulebook(stored.rulebook)
        return _flips(book, stored.facts, stored.module) if book.version == stored.version else []
    except RestockError:  # the rulebook is gone: what was stored with the decision still tells why
        return []


def _flips(book: Rulebook, facts: Mapping[str, object], module: str = "") -> list[str]:
    return [f"{flip_told(one)}." for one in nearest_of_each(book.flips(facts, module=module), FLIPS_SHOWN)]


async def _product(shell: Shell, app: Running, product: str, warehouse: str) -> WhyProduct:
    need = (await app.replenishment.operations.needs([{"product_id": product, "warehouse_id": warehouse}]))[0]
    if isinstance(need, RestockError):
        raise need
    need = cast("Need", need)
    orders = await app.purchasing.orders(OrdersRequest(limit=PRODUCT_ORDERS, product_id=product))
    open_orders = [one for one in orders if one.state in OPEN]
    facts = {name: getattr(need, name) for name in Need.__dataclass_fields__ if name != "plan_version"}
    known = (product, facts, need.position, need.reorder_point)
    if need.blocked:
        return WhyProduct(*known, "blocked", need.blocked, None, [], [], open_orders, [])
    name, asked = _asked(next(iter(app.replenishment.flows.values())), need)
    answer = (await app.decisions.decide(DecideRequest(name, [asked], record=False))).results[0]
    if isinstance(answer, RestockError):
        raise answer
    outcome, reason = judged(need, answer.outputs)
    book = shell.rulebook(name)
    why = book.explain(answer.facts)
    fired = [FiredRule(one.name, one.salience, dict(one.reads), dict(one.writes)) for one in why.fired]
    silent = [
        SilentRule(one.name, one.test, dict(one.values), one.threshold.sentence if one.threshold else "")
        for one in why.not_fired
    ]
    return WhyProduct(*known, outcome.value, reason, answer, fired, silent, open_orders, _flips(book, answer.facts))


def _asked(flow: Flow, need: Need) -> tuple[str, Mapping[str, object]]:
    """Give the rulebook that the flow asks, and the facts it gives it."""
    node = flow.nodes[DECISION]
    work = cast("RulebookCall", node.work)
    inputs = tuple((name, value) for name, value in node.inputs if name != "product_id")
    return work.name, builder(inputs, node.spread)({"need": need})


def _show_order(why: WhyOrder) -> None:
    order = why.order
    click.echo(order_table([order]))
    click.echo("\nLines")
    columns = [
        Column("", number=True), Column("product"), Column("quantity", number=True), Column("to buy", number=True),
        Column("unit"), Column("price", number=True), Column("total", number=True), Column("received", number=True),
    ]  # fmt: skip
    rows = [
        (one.line_no, one.product_id, one.quantity, one.purchase_quantity, one.purchase_unit, one.unit_price,
         money(one.total_amount), one.received)
        for one in order.lines[:LINES_SHOWN]
    ]  # fmt: skip
    click.echo(table(columns, rows, "  "))
    if len(order.lines) > LINES_SHOWN:
        click.echo(f"  and {len(order.lines) - LINES_SHOWN} more; --json has all.")
    click.echo("\nWhat happened")
    events = [(moment(one.at), _words(one.type), one.actor, one.reason) for one in why.history]
    click.echo(table([Column("when"), Column("what"), Column("who"), Column("why", cut=True)], events, "  "))
    if len(why.line_decisions) == 1:
        one = why.line_decisions[0]
        click.echo(f"\nThe line, decided by the plan, {moment(one.at)}\n{waterfall(one.facts, one.outputs)}")
    elif why.line_decisions:
        click.echo(f"\nThe arithmetic of the lines\n{_line_arithmetic(why.line_decisions)}")
    if why.decision is not None:
        _show_decision(why.decision, why.would_flip)
    if why.run is not None:
        run = why.run
        click.echo(f"\nMade by run {run.run_id} of flow {run.flow}, {moment(run.at)}.")
        click.echo(f"restock flows draw {run.run_id} shows what each node did.")
    elif why.line_decisions:
        first = order.lines[0].decision_id
        click.echo(
            f"\nMade from proposals of a plan. The rules of a line: restock decisions explain --decision-id {first}"
        )


def _line_arithmetic(decisions: Sequence[StoredDecision]) -> str:
    """Lay out in a row per line: demand x lead time + safety - position = shortage, to minimum and multiple, x price."""
    titles = (
        "demand a day", "× days", "+ safety", "= required", "− available", "− on order", "= shortage", "order", "× price",
        "= total",
    )  # fmt: skip
    names = (
        "avg_daily_demand", "lead_time_days", "safety_stock", "required_qty", "available_qty", "on_order_qty",
        "shortage", "order_qty", "unit_price", "total_amount",
    )  # fmt: skip
    columns = [Column("product"), *(Column(title, number=True) for title in titles)]
    rows = [(one.subject, *(one.outputs.get(name, one.facts.get(name, "")) for name in names)) for one in decisions]
    return table(columns, rows, "  ")


def _show_proposal(why: WhyProposal) -> None:
    one = why.proposal
    rows = [
        ("proposal", f"{one.proposal_id}, {one.state}" + (f", {one.po_id}" if one.po_id else "")),
        ("product", one.product_id),
        ("supplier", f"{one.supplier_id} {one.supplier_name}".strip()),
        ("quantity", f"{quantity(one.quantity)} {one.stock_unit}"),
        ("total", f"{money(one.total_amount)} {one.currency}"),
        ("reason", one.reason),
    ]
    click.echo(pairs(rows))
    _show_decision(why.decision, why.would_flip)


def _show_decision(why: Explanation, flips: Sequence[str]) -> None:
    stored = why.decision
    about = f", module {stored.module}" if stored.module else ""
    click.echo(f"\nDecided by rulebook {stored.rulebook}{about}, version {stored.version[:12]}, {moment(stored.at)}")
    click.echo(waterfall(stored.facts, stored.outputs))
    click.echo("\n" + rules_told(why.fired, why.not_fired, flips))


def _show_product(why: WhyProduct) -> None:
    facts = why.facts
    unit = str(facts["stock_unit"])
    supplier = f"{facts['supplier_id']} {facts['supplier_name']}".strip()
    rows = [
        ("product", f"{why.product_id} in {facts['warehouse_id']}"),
        ("demand", f"{quantity(facts['demand_per_day'])} {unit} a day, {facts['trend']}"),
        ("available", f"{quantity(facts['available'])} {unit}"),
        ("on order", f"{quantity(facts['on_order'])} {unit}"),
        ("inventory position", f"{quantity(why.inventory_position)} {unit}"),
        ("reorder point", f"{quantity(why.reorder_point)} {unit}" if supplier else "unknown: a supplier's lead time"),
        ("supplier", f"{supplier}{'' if facts['is_active'] else ', inactive'}" if supplier else "none"),
        ("would decide now", f"{why.outcome.replace('_', ' ')}: {why.reason}"),
    ]
    click.echo(pairs(rows))
    if why.decision is not None:
        click.echo(f"\nThe arithmetic, by rulebook {why.decision.rulebook}, version {why.decision.version[:12]}")
        click.echo(waterfall(why.decision.facts, why.decision.outputs))
        click.echo("\n" + rules_told(why.fired, why.not_fired, why.would_flip))
    if why.open_orders:
        click.echo("\nOpen purchase orders\n" + order_table(why.open_orders))


def _words(event_type: str) -> str:
    """Write PurchaseOrderSent as sent, GoodsReceived as goods received."""
    name = event_type.removeprefix("PurchaseOrder")
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


def command(_name: str) -> click.Command:
    """Give the command."""
    return explain
