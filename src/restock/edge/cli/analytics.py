"""`restock analytics`: the figures as a dashboard, drawn again while events are counted; and its operations."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta

import click

from restock.analytics.port import Figures, FiguresRequest, Window, WindowsRequest
from restock.core.clock import moment, timestamp
from restock.edge import wire
from restock.edge.cli import operations
from restock.edge.cli.output import Column, counted, money, pairs, table
from restock.edge.cli.output import moment as shown
from restock.edge.cli.session import work
from restock.edge.cli.shell import Shell
from restock.edge.running import Running

REDRAW_SECONDS = 0.5
"""How often a watched dashboard is looked at again; it is drawn again only when a figure changed."""

BARS = 48
"""Windows in the row of bars: with the words beside it, a line of a terminal of 80 characters."""

STEPS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}

_HEIGHTS = " ▁▂▃▄▅▆▇█"
_CLEAR = "\x1b[H\x1b[2J"


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  restock analytics
  restock analytics --watch
  restock analytics --size hour --json
  restock analytics windows --size day --from 2026-01-01

Windows are of the moment of the order, in UTC. Events are counted by a running
server, or by any command that carries events on.""",
)
@click.option("--size", type=click.Choice(list(STEPS)), default="minute", show_default=True, help="What a bar is.")
@click.option("--watch", is_flag=True, help="Draw again after each change, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines; with --watch a line per change.")
@click.pass_context
def analytics(ctx: click.Context, size: str, watch: bool, as_json: bool) -> None:
    """Live figures: revenue, orders, customers, products, and orders over time."""
    if ctx.invoked_subcommand is not None:
        return
    shell: Shell = ctx.obj

    async def task(app: Running) -> None:
        before = ""
        while True:
            text = await _told(app, size, as_json)
            if text != before:
                before = text
                click.echo(_CLEAR + text if watch and sys.stdout.isatty() else text)
                sys.stdout.flush()
            if not watch:
                return
            await asyncio.sleep(REDRAW_SECONDS)

    try:
        work(shell, task)
    except KeyboardInterrupt:
        if not watch:
            raise


async def _told(app: Running, size: str, as_json: bool) -> str:
    figures = await app.analytics.figures(FiguresRequest())
    windows = await app.analytics.windows(WindowsRequest(size, limit=BARS))
    if as_json:
        return wire.encode({"figures": figures, "size": size, "windows": windows}, rows=True).decode()
    waiting = (await app.backlog()).get(f"consume {figures.group}", 0)
    return dashboard(figures, size, windows, waiting)


def dashboard(figures: Figures, size: str, windows: Sequence[Window], waiting: int = 0) -> str:
    """Lay out the dashboard; `waiting` events are still to be counted."""
    last = figures.last_order
    head = [
        ("total revenue", money(figures.revenue)),
        ("total orders", f"{figures.orders:,}"),
        ("average order value", money(figures.average_order_value)),
        ("unique customers", f"{figures.unique_customers:,}"),
        ("last order", f"{last.order_id}  {shown(last.created_at)}" if last.order_id else "none yet"),
        ("late orders", f"{figures.late.orders:,}"),
        ("group", figures.group),
        ("topics", ", ".join(figures.topics) or "none counted yet"),
    ]
    if waiting:
        head.append(("still to count", counted(waiting, "event")))
    parts = [pairs(head)]
    if figures.top_customers:
        rows = [(one.customer_id, one.orders, money(one.revenue)) for one in figures.top_customers]
        columns = [Column("customer", cut=True), Column("orders", number=True), Column("revenue", number=True)]
        parts.append(f"Top {counted(len(rows), 'customer')} by revenue\n" + table(columns, rows, "  "))
    if figures.top_products:
        sold = [(one.sku, one.orders, one.quantity) for one in figures.top_products]
        columns = [Column("product", cut=True), Column("orders", number=True), Column("quantity", number=True)]
        parts.append(f"Top {counted(len(sold), 'product')} by quantity\n" + table(columns, sold, "  "))
    if windows:
        parts.append(f"Revenue by {size}, the newest to the right\n  " + _row(size, windows))
    return "\n\n".join(parts)


def _row(size: str, windows: Sequence[Window]) -> str:
    """Draw a bar for each window up to the newest, also for those in which nothing was ordered."""
    by_start = {one.start: one.revenue for one in windows}
    newest = moment(windows[0].start)
    starts = [newest - STEPS[size] * back for back in reversed(range(BARS))]
    known = [by_start.get(timestamp(start)[:19] + "Z") for start in starts]
    while known[0] is None:  # the newest is there, so it ends
        known.pop(0)
    most = max(revenue for revenue in known if revenue is not None)
    bars = "".join(_HEIGHTS[max(1, int(revenue * 8 / most)) if revenue else 0] for revenue in known)
    length = 10 if size == "day" else 16
    first = shown(timestamp(starts[BARS - len(known)]))[:length]
    return f"{bars}\n  {first} to {shown(windows[0].start)[:length]}; the highest is {money(most)}"


def command(name: str) -> click.Command:
    """Give the command, with the operations of analytics below it."""
    derived = operations.command(name)
    assert isinstance(derived, click.Group)
    for below, one in derived.commands.items():
        analytics.add_command(one, below)
    return analytics
