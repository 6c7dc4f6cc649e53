"""`restock demo`: a day from customer order to purchase order, or a real shop, each in a home of its own."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

import click

from restock.core.clock import SimulatedClock
from restock.core.errors import Conflict, NotFound
from restock.core.ids import Ids
from restock.edge.cli.measure import measured, show_metrics
from restock.edge.cli.output import Column, counted, money, program, table
from restock.edge.cli.replenish import order_table
from restock.edge.cli.shell import Shell
from restock.edge.demo.day import START, Day
from restock.edge.running import Running
from restock.inventory.port import BackordersRequest
from restock.purchasing.model import OPEN
from restock.purchasing.port import OrdersRequest

SEED = 1
"""The day that everybody sees who says nothing else."""


@click.command(
    epilog="""\b
Examples:
  restock demo
  restock demo --seed 7
  restock demo --retail ../shared/data/online-retail
  restock --home var/demo explain PO-2026-000001

The same seed gives the same day, line by line. The demo plays in the folder
demo (with --retail demo-retail) of RESTOCK_HOME and replaces what is in it."""
)
@click.option("--seed", type=int, default=SEED, show_default=True, help="Another seed, another day.")
@click.option(
    "--retail", type=click.Path(path_type=Path), help="Import this real shop instead, plan and order its catalogue."
)
@click.option("--timings/--no-timings", default=True, help="Whether to print times of this machine.")
@click.pass_obj
def demo(shell: Shell, seed: int, retail: Path | None, timings: bool) -> None:
    """Play a day of customer orders, from order to purchase order."""
    if retail is not None:
        if not retail.is_dir():
            raise NotFound(f"There is no folder {retail}.", field="retail", remedy="Name the folder of the data set.")
        from restock.edge.cli.retail import play  # noqa: PLC0415 - files and Parquet, which the day does not need

        play(_fresh(shell, "demo-retail"), retail)
        return
    start = time.monotonic()
    stage = _fresh(shell, "demo")
    clock = SimulatedClock(START)

    async def session() -> None:
        async with stage.opened(clock, Ids.seeded(clock, seed)) as app, stage.background(app):
            day = Day(app, clock, seed, click.echo)
            await day.play()
            await _evening(app, day, stage.home, timings)

    asyncio.run(session())
    home = stage.home
    click.echo(f"""
What to do next
  {program()} --home {home} explain WIDGET-1
  {program()} --home {home} explain PO-2026-000001
  {program()} --home {home} purchasing orders --state pending_approval
  {program()} --home {home} plan
  {program()} --home {home} serve
The orders that were sent are in {home / "outbox"}.""")
    if timings:
        click.echo(f"{time.monotonic() - start:.1f} s on this machine.")


def _fresh(shell: Shell, name: str) -> Shell:
    """Give the program on an empty home below this one."""
    stage = shell.at(shell.home / name)
    if stage.home.exists():
        if any(stage.home.iterdir()) and not (stage.home / "stores").is_dir():
            raise Conflict(f"{stage.home} is no home of a demo.", remedy="Move it away, or set RESTOCK_HOME.")
        with stage.alone():
            shutil.rmtree(stage.home)
    return stage


async def _evening(app: Running, day: Day, home: Path, timings: bool) -> None:
    counts = day.counts
    click.echo("\nThe day in figures")
    click.echo(
        f"  {counted(counts.orders, 'customer order')}, {counted(counts.items, 'line')}, {money(counts.sold)} USD sold"
    )
    click.echo(f"  low stock {counted(counts.low, 'time')}, out of stock {counted(counts.short, 'time')}")
    outcomes = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(counts.outcomes.items()))
    click.echo(f"  decisions: {outcomes}\n")
    show_metrics(await measured(app), timings=timings)
    orders = [one for one in await app.purchasing.orders(OrdersRequest(limit=1000)) if one.state in OPEN]
    waiting = [one for one in orders if one.state == "pending_approval"]
    click.echo("\nOpen purchase orders\n" + order_table(orders))
    for one in waiting:
        click.echo(
            f"\nWaiting for approval, {money(one.total_amount)} {one.currency}:"
            f"\n  {program()} --home {home} purchasing approve --po-id {one.po_id} --actor alice"
        )
    frame = await app.inventory.backorders(BackordersRequest(limit=1000))
    if len(frame):
        rows = [(row["product_id"], row["quantity"], row["order_id"], row["reason"]) for row in frame.rows()]
        click.echo(f"\nBackorders: {len(frame)}; the oldest")
        click.echo(
            table([Column("product"), Column("quantity", number=True), Column("order"), Column("why")], rows[:5])
        )


def command(_name: str) -> click.Command:
    """Give the command."""
    return demo
