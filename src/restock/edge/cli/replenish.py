"""`restock flow`, `plan` and `purchase`: from need to purchase order."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import click

from restock.core.defaults import DEFAULT_WAREHOUSE
from restock.core.errors import RestockError
from restock.edge.cli.output import Column, Progress, counted, echo_json, money, note, quantity, sums, table
from restock.edge.cli.root import PARTLY
from restock.edge.cli.session import as_json, work
from restock.edge.running import Running
from restock.inventory.port import CatalogueRequest
from restock.purchasing.model import PurchaseOrder
from restock.replenishment.port import (
    FlowBatchRequest,
    FlowReplies,
    FlowReply,
    Plan,
    PlanRequest,
    Proposal,
    ProposalsRequest,
    Purchase,
    PurchaseRequest,
    Skip,
    SkipsRequest,
)

PAGE = 5000
TOP = 20
"""Proposals shown without --all: what fits on a screen."""

EXAMPLES = 3
"""Skipped products shown of each outcome without --skipped."""


@click.command(
    epilog="""\b
Examples:
  restock flow PROD-001
  restock flow PROD-001 PROD-002 --json

A need that an open purchase order covers gives no second order: the outcome is
covered and the exit status 0."""
)
@click.argument("products", nargs=-1, required=True, metavar="PRODUCT…")
@click.option("--warehouse", default=DEFAULT_WAREHOUSE, show_default=True, help="The warehouse to replenish.")
@as_json
@click.pass_context
def flow(ctx: click.Context, products: Sequence[str], warehouse: str, as_json: bool) -> None:
    """Replenish products: fetch, decide, and order what is needed."""

    async def task(app: Running) -> FlowReplies:
        return await app.replenishment.flow_batch(FlowBatchRequest(list(products), warehouse))

    results = work(ctx.obj, task, settle=True).results
    failed = [one for one in results if isinstance(one, RestockError)]
    if as_json:
        echo_json(results)
    if len(results) == 1 and failed:
        raise failed[0]
    if not as_json:
        click.echo("\n\n".join(_told(product, one) for product, one in zip(products, results, strict=True)))
    if failed:
        note(f"{len(failed)} of {counted(len(results), 'product')} failed.")
        ctx.exit(PARTLY)


def _told(product: str, reply: FlowReply | RestockError) -> str:
    if isinstance(reply, RestockError):
        return f"{product}  error\n  {reply}"
    lines = [f"{product}  {reply.outcome.replace('_', ' ')}"]
    if reply.po is not None:
        po = reply.po
        unit = f" = {quantity(po.purchase_qty)} {po.purchase_unit}" if po.purchase_qty != po.qty else ""
        lines.append(
            f"  order {quantity(po.qty)}{unit} at {quantity(po.unit_price)}: {money(po.total_amount)} {po.currency},"
            f" with tax {money(po.grand_total)}"
        )
        lines.append(f"  {po.po_id} to {po.supplier_id}, {po.status.replace('_', ' ')}")
        lines.append(f"  shortage {quantity(reply.calculation.shortage)}; restock explain {po.po_id} says why")
    else:
        lines.append(f"  {reply.message}")
    return "\n".join(lines)


@click.command(
    epilog="""\b
Examples:
  restock plan
  restock plan --all --skipped
  restock plan --json | jq '.[].product_id'

A proposal is no order and no supply: the next plan replaces it. `restock
purchase` turns proposals into orders. Exit status 1 when a fact of a product is
missing or wrong; the others are planned."""
)
@click.option("--warehouse", default=DEFAULT_WAREHOUSE, show_default=True, help="The warehouse to plan.")
@click.option("--all", "every", is_flag=True, help="Show every proposal, not only the largest.")
@click.option("--skipped", "all_skipped", is_flag=True, help="Show every product that was skipped, with the reason.")
@as_json
@click.pass_context
def plan(ctx: click.Context, warehouse: str, every: bool, all_skipped: bool, as_json: bool) -> None:
    """Propose for the whole catalogue, and say what is skipped and why."""

    async def task(app: Running) -> tuple[Plan, list[Proposal], list[Skip]]:
        made = await planned(app, warehouse)
        return made, await proposals_of(app, made.plan_no), [] if as_json else await skips_of(app, made.plan_no)

    made, proposals, skips = work(ctx.obj, task)
    if as_json:
        echo_json(proposals)
    else:
        show_plan(made, proposals, skips, len(proposals) if every else TOP, len(skips) if all_skipped else EXAMPLES)
    if failed := made.outcomes.get("error"):
        note(f"{failed:,} of {counted(made.products, 'product')} failed; see `restock replenishment skips`.")
        ctx.exit(PARTLY)


async def planned(app: Running, warehouse: str = DEFAULT_WAREHOUSE) -> Plan:
    """Make a plan, telling the progress."""
    progress = Progress("Planning", "products")
    size = await _catalogue_size(app) if progress.visible else 0
    app.replenishment.planner.progress = lambda done: progress.tell(done, done / size if size else None)
    try:
        return await app.replenishment.plan(PlanRequest(warehouse))
    finally:
        progress.close()


async def _catalogue_size(app: Running) -> int:
    size, after = 0, ""
    while len(page := await app.inventory.catalogue(CatalogueRequest(after))):
        size, after = size + len(page), page.product_id[-1]
    return size


async def proposals_of(app: Running, plan_no: int) -> list[Proposal]:
    """Give every proposal of a plan."""
    found: list[Proposal] = []
    while page := await app.replenishment.proposals(
        ProposalsRequest(plan_no, found[-1].product_id if found else "", PAGE)
    ):
        found += page
    return found


async def skips_of(app: Running, plan_no: int) -> list[Skip]:
    """Give everything a plan skipped."""
    found: list[Skip] = []
    while page := await app.replenishment.skips(SkipsRequest(plan_no, found[-1].product_id if found else "", PAGE)):
        found += page
    return found


def show_plan(made: Plan, proposals: Sequence[Proposal], skips: Sequence[Skip], top: int, examples: int) -> None:
    """Print a plan: its proposals by money, then what it skipped by outcome."""
    state = "unchanged since it was made" if made.reused else "new"
    of, proposed = counted(made.products, "product"), counted(len(proposals), "proposal")
    click.echo(f"Plan {made.plan_no} ({state}): {of}, {proposed}, {sums(made.amounts) or 'nothing'}.")
    if proposals:
        click.echo("\n" + _proposal_table(sorted(proposals, key=lambda one: (-one.total_amount, one.product_id))[:top]))
        if len(proposals) > top:
            click.echo(f"and {len(proposals) - top:,} more; --all shows them.")
    for outcome in sorted({one.outcome for one in skips}):
        of_it = [one for one in skips if one.outcome == outcome]
        click.echo(f"\nSkipped, {outcome.replace('_', ' ')}: {len(of_it):,}")
        click.echo(
            table(
                [Column("product"), Column("reason", cut=True)],
                [(one.product_id, one.reason) for one in of_it[:examples]],
                "  ",
            )
        )
        if len(of_it) > examples:
            click.echo(f"  and {len(of_it) - examples:,} more; --skipped shows them.")
    if any(one.state == "open" for one in proposals):
        click.echo("\nNext: restock purchase, or restock explain PROPOSAL.")


def _proposal_table(rows: Sequence[Proposal]) -> str:
    return table(
        [
            Column("proposal"),
            Column("supplier", cut=True),
            Column("quantity", number=True),
            Column("unit"),
            Column("to buy", number=True),
            Column("unit"),
            Column("price", number=True),
            Column("total", number=True),
            Column(""),
            Column("approval"),
            Column("state"),
        ],
        [
            (
                one.proposal_id,
                one.supplier_id,
                one.quantity,
                one.stock_unit,
                one.purchase_quantity,
                one.purchase_unit,
                money(one.unit_price),
                money(one.total_amount),
                one.currency,
                one.approval_status.replace("_", " "),
                one.state,
            )
            for one in rows
        ],
    )


@click.command(
    epilog="""\b
Examples:
  restock purchase
  restock purchase --supplier SUP-001
  restock purchase --json

Orders what the latest plan proposes and nobody ordered since. The rules decide
once more on the total of each order."""
)
@click.option("--supplier", default="", help="Only the proposals of this supplier.")
@click.option("--actor", default="restock", show_default=True, help="Who orders; may not approve the same orders.")
@as_json
@click.pass_context
def purchase(ctx: click.Context, supplier: str, actor: str, as_json: bool) -> None:
    """Turn proposals into purchase orders, one per supplier."""
    result = work(ctx.obj, lambda app: purchased(app, supplier, actor), settle=True)
    if as_json:
        echo_json(result.orders)
    else:
        show_purchase(result)
    if result.refused:
        note(f"{counted(len(result.refused), 'proposal')} could not be ordered: {result.refused[0].reason}")
        ctx.exit(PARTLY)


async def purchased(app: Running, supplier: str = "", actor: str = "restock") -> Purchase:
    """Order what is proposed, telling the progress."""
    progress = Progress("Ordering", "lines")
    app.replenishment.purchaser.progress = lambda done, whole: progress.tell(done, done / whole if whole else None)
    try:
        return await app.replenishment.purchase(PurchaseRequest(supplier, actor))
    finally:
        progress.close()


def show_purchase(result: Purchase) -> None:
    """Print the orders that were made."""
    if not result.orders:
        click.echo("There is nothing to order. restock plan makes proposals.")
        return
    click.echo(order_table(result.orders))
    totals: dict[str, Decimal] = {}
    for one in result.orders:
        totals[one.currency] = totals.get(one.currency, Decimal(0)) + one.grand_total
    waiting = sum(one.state == "pending_approval" for one in result.orders)
    orders = counted(len(result.orders), "order")
    click.echo(f"\n{orders}, {sums(totals)} with tax; {waiting:,} waiting for approval.")


def order_table(orders: Sequence[PurchaseOrder]) -> str:
    """Lay out purchase orders."""
    return table(
        [
            Column("order"),
            Column("supplier"),
            Column("name", cut=True),
            Column("lines", number=True),
            Column("total", number=True),
            Column("discount", number=True),
            Column("tax", number=True),
            Column("to pay", number=True),
            Column(""),
            Column("state"),
            Column("expected"),
        ],
        [
            (
                one.po_id,
                one.supplier_id,
                one.supplier_name,
                len(one.lines),
                money(one.total_amount),
                money(one.discount_amount),
                money(one.tax_amount),
                money(one.grand_total),
                one.currency,
                one.state.replace("_", " "),
                one.expected_on,
            )
            for one in orders
        ],
    )


def command(name: str) -> click.Command:
    """Give the command of a name."""
    return {"flow": flow, "plan": plan, "purchase": purchase}[name]
