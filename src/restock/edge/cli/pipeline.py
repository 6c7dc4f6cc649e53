"""`restock pipeline`: the steps of the published order pipeline, on one server in the background of this home."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import click

from restock.core.errors import Unavailable
from restock.edge.cli.load import seed_option, sent, told
from restock.edge.cli.output import Column, counted, echo_json, money, pairs, table
from restock.edge.cli.session import as_json
from restock.edge.cli.setup import demo as setup_demo
from restock.edge.cli.shell import Shell
from restock.edge.demo.company import PIPELINE
from restock.edge.files.pid_file import FILE, LOG, Server, running, start, stop
from restock.edge.load.caller import Caller, exact
from restock.edge.load.made_up import DEMO_ORDERS, DEMO_RATE, demo_orders

TOP = 5
"""Customers and products in the list, as published."""

SERVICES = ("order", "oms", "inventory", "supplier", "uom", "rule-engine", "po", "orchestrator", "analytics", "stream")
"""All in one process; the order service comes first, so that port and health are those of the published one."""


@click.group(
    epilog="""\b
Examples:
  restock pipeline setup
  restock pipeline start
  restock pipeline orders
  restock pipeline analytics
  restock pipeline stop"""
)
def pipeline() -> None:
    """Run the published order pipeline, step by step."""


@pipeline.command(
    epilog="""\b
Example:
  restock pipeline setup

Twice changes nothing; stock that has moved since stays as it is."""
)
@as_json
@click.pass_context
def setup(ctx: click.Context, as_json: bool) -> None:
    """Make topics and stock: the demo company."""
    ctx.invoke(setup_demo, as_json=as_json)


@pipeline.command(
    "start",
    epilog="""\b
Examples:
  restock pipeline start
  restock pipeline start --port 0

The server goes on when this terminal closes. What it says is in pipeline.log of
RESTOCK_HOME, its process and address are in pipeline.pid while it lives.""",
)
@click.option("--port", type=click.IntRange(0, 65535), help="The port, instead of 3001; 0 takes a free one.")
@as_json
@click.pass_obj
def begin(shell: Shell, port: int | None, as_json: bool) -> None:
    """Start the server in the background of this home."""
    options = ["--port", str(port)] if port is not None else []
    file = str((shell.home / FILE).absolute())
    there = start(shell.home, "pipeline", ["serve", *SERVICES, *options, "--pid-file", file], "restock pipeline stop")
    if as_json:
        echo_json({"pid": there.pid, "address": there.address})
    else:
        click.echo(f"{there.address}, process {there.pid}. What it says: {shell.home / LOG}")


@pipeline.command(
    epilog="""\b
Examples:
  restock pipeline orders
  restock pipeline orders --seed 7"""
)
@seed_option
@as_json
@click.pass_context
def orders(ctx: click.Context, seed: int, as_json: bool) -> None:
    """Send the twenty published test orders."""
    outcome = sent(_there(ctx.obj).address, demo_orders(seed), rate=DEMO_RATE, whole=DEMO_ORDERS)
    told(ctx, outcome, as_json)


@pipeline.command(
    epilog="""\b
Example:
  restock pipeline analytics"""
)
@as_json
@click.pass_obj
def analytics(shell: Shell, as_json: bool) -> None:
    """Show revenue, orders, customers, the best of them, the best products."""
    (figures,) = _asked(shell, f"/api/v1/figures?top={TOP}")
    if as_json:
        echo_json(figures)
        return
    click.echo(
        pairs(
            [
                ("total revenue", money(_number(figures["revenue"]))),
                ("total orders", f"{figures['orders']:,}"),
                ("average order value", money(_number(figures["average_order_value"]))),
                ("unique customers", f"{figures['unique_customers']:,}"),
            ]
        )
    )
    number = Column("orders", number=True)
    rows = [(one["customer_id"], one["orders"], money(_number(one["revenue"]))) for one in figures["top_customers"]]
    click.echo("\n" + table([Column("customer"), number, Column("revenue", number=True)], rows))
    rows = [(one["sku"], one["orders"], str(one["quantity"])) for one in figures["top_products"]]
    click.echo("\n" + table([Column("product"), number, Column("quantity", number=True)], rows))


@pipeline.command(
    epilog="""\b
Example:
  restock pipeline status"""
)
@as_json
@click.pass_obj
def status(shell: Shell, as_json: bool) -> None:
    """Show the server, what it did, and the stock of each product."""
    there = running(shell.home / FILE)
    if there is None or not there.address:
        if as_json:
            echo_json({"running": False})
        else:
            click.echo("No server runs in this home. Start it with `restock pipeline start`.")
        return
    stats, figures, *stock = _asked(shell, "/stats", "/api/v1/figures", *(f"/api/v1/stock/{name}" for name in PIPELINE))
    events = figures["stock_events"]
    left = {one["product_id"]: one for one in stock if "product_id" in one}
    if as_json:
        echo_json({"running": True, **there._asdict(), **stats, "stock_events": events, "stock": list(left.values())})
        return
    click.echo(f"{there.address}, process {there.pid}")
    click.echo(
        f"{counted(stats['orders_produced'], 'order')} accepted, {figures['orders']:,} counted; "
        f"{counted(sum(events.values()), 'stock update')}, {events.get('OutOfStock', 0):,} of them out of stock\n"
    )
    columns = [Column("product"), Column("available", number=True), Column("backordered", number=True)]
    click.echo(table(columns, [(one["product_id"], one["available"], one["backordered"]) for one in left.values()]))


@pipeline.command(
    "stop",
    epilog="""\b
Example:
  restock pipeline stop

Waits until what is under way was answered and every store is closed. Where
nothing runs there is nothing to stop.""",
)
@click.pass_obj
def end(shell: Shell) -> None:
    """Stop the server of this home."""
    there = stop(shell.home / FILE)
    click.echo(f"Process {there.pid} has ended." if there else "No server runs in this home.")


def _there(shell: Shell) -> Server:
    there = running(shell.home / FILE)
    if there is None or not there.address:
        raise Unavailable("No server runs in this home.", remedy="Start it with `restock pipeline start`.")
    return there


def _asked(shell: Shell, *paths: str) -> list[Any]:
    """Ask the server of this home for several documents."""

    async def session() -> list[Any]:
        caller = Caller(_there(shell).address)
        try:
            return [exact((await caller.ask("GET", path)).body) for path in paths]
        finally:
            caller.close()

    return asyncio.run(session())


def _number(value: object) -> Decimal:
    return Decimal(str(value))


def command(_name: str) -> click.Command:
    """Give the command."""
    return pipeline
