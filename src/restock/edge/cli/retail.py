"""`restock demo --retail`: a real shop imported, its whole catalogue planned and ordered."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import click

from restock.edge.cli.measure import measured, show_metrics
from restock.edge.cli.output import Progress, program
from restock.edge.cli.replenish import planned, proposals_of, purchased, show_plan, show_purchase, skips_of
from restock.edge.cli.session import carry_on
from restock.edge.cli.shell import Shell
from restock.edge.cli.transfer import retail_imported, show_retail
from restock.edge.running import Running

TOP, EXAMPLES = 15, 3


def play(stage: Shell, folder: Path) -> None:
    """Import the shop into an empty home, plan its catalogue, order what is proposed."""

    async def session() -> None:
        async with stage.opened() as app:
            await _play(stage, app, folder)

    asyncio.run(session())
    click.echo(f"""
What to do next
  {program()} --home {stage.home} plan --skipped
  {program()} --home {stage.home} explain 85123A
  {program()} --home {stage.home} purchasing orders --state pending_approval
  {program()} --home {stage.home} serve
The orders that were sent are in {stage.home / "outbox"}.""")


async def _play(stage: Shell, app: Running, folder: Path) -> None:
    start = time.monotonic()
    click.echo(f"Importing {folder}\n")
    report = await retail_imported(stage, app, folder)
    show_retail(report)
    imported = time.monotonic()
    _rate("imported", report.orders.lines, "lines", imported - start)

    click.echo("")
    plan = await planned(app)
    proposals = await proposals_of(app, plan.plan_no)
    done = time.monotonic()
    show_plan(plan, proposals, await skips_of(app, plan.plan_no), TOP, EXAMPLES)
    _rate("planned", plan.products, "products", done - imported)

    click.echo("")
    begun = time.monotonic()
    purchase = await purchased(app)
    ordered = time.monotonic()
    show_purchase(purchase)
    _rate("ordered", sum(len(order.lines) for order in purchase.orders), "lines", ordered - begun)

    progress = Progress("Writing order files", "orders")
    await carry_on(stage, app)
    progress.close()
    _rate(
        "wrote the files of",
        sum(order.state == "sent" for order in purchase.orders),
        "orders",
        time.monotonic() - ordered,
    )
    click.echo("")
    show_metrics(await measured(app))


def _rate(did: str, count: int, unit: str, seconds: float) -> None:
    click.echo(f"-- {did} {count:,} {unit} in {seconds:.1f} s, {count / max(seconds, 0.001):,.0f} a second")
