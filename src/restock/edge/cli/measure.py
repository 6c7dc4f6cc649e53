"""`restock metrics` and `restock config`: figures and settings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import click

from restock.edge.cli.measure_server import show_watched, watched_server
from restock.edge.cli.output import Column, echo_json, money, table
from restock.edge.cli.session import as_json, work
from restock.edge.cli.shell import Shell
from restock.edge.running import Running
from restock.purchasing.port import OrdersRequest

PAGE = 1000


@dataclass(frozen=True)
class Measures:
    """The figures of all time of one home; `calculations` are decisions of rules, amounts by currency with tax."""

    runs: int
    queries: int
    query_seconds: Decimal
    calculations: int
    purchase_orders: Mapping[str, int]
    money: Mapping[str, Decimal]
    backlog: Mapping[str, int]


async def measured(app: Running) -> Measures:
    """Give the figures."""
    await app.replenishment.drain()
    runs, queries, micros = await app.replenishment.totals()
    states: dict[str, int] = {}
    amounts: dict[str, Decimal] = {}
    before = ""
    while page := await app.purchasing.orders(OrdersRequest(before, PAGE)):
        for order in page:
            states[order.state.value] = states.get(order.state.value, 0) + 1
            if order.state not in ("rejected", "cancelled"):
                amounts[order.currency] = amounts.get(order.currency, Decimal(0)) + order.grand_total
        before = page[-1].po_id
    return Measures(
        runs,
        queries,
        Decimal(micros).scaleb(-6),
        await app.decisions.count(),
        dict(sorted(states.items())),
        dict(sorted(amounts.items())),
        await app.backlog(),
    )


def show_metrics(measures: Measures, *, timings: bool = True) -> None:
    """Print the figures as a table."""
    rows: list[tuple[str, object, str]] = [
        ("flow runs", f"{measures.runs:,}", ""),
        ("queries to neighbours", f"{measures.queries:,}", ""),
    ]
    if timings:
        rows.append(("query time", f"{measures.query_seconds * 1000:,.1f}", "ms on this machine"))
    rows.append(("calculations", f"{measures.calculations:,}", "decisions of rules"))
    rows.append(("purchase orders", f"{sum(measures.purchase_orders.values()):,}", ""))
    rows += [(f"  {state.replace('_', ' ')}", f"{count:,}", "") for state, count in measures.purchase_orders.items()]
    rows += [("ordered, with tax", money(amount), currency) for currency, amount in measures.money.items()]
    rows += [(f"waiting to {name}", f"{count:,}", "") for name, count in measures.backlog.items() if count]
    click.echo(table([Column("figure"), Column("value", number=True), Column("")], rows))


@click.command(
    epilog="""\b
Examples:
  restock metrics
  restock metrics --json | jq .purchase_orders
  restock metrics --server http://127.0.0.1:8080    throughput, latency, errors

With --server the figures are those of a running server, over a second."""
)
@click.option("--server", metavar="URL", help="Ask this server how it does, instead of the stores.")
@as_json
@click.pass_obj
def metrics(shell: Shell, server: str | None, as_json: bool) -> None:
    """Print runs, queries, calculations, purchase orders, money, and what waits."""
    if server:
        watched = asyncio.run(watched_server(server))
        if as_json:
            echo_json(watched)
        else:
            show_watched(watched)
        return
    found = work(shell, measured)
    if as_json:
        echo_json(found)
    else:
        show_metrics(found)


@click.command(
    epilog="""\b
Examples:
  restock config
  RESTOCK_PORT=9000 restock config --json

A setting is RESTOCK_NAME in the environment, or name in RESTOCK_HOME/restock.toml."""
)
@as_json
@click.pass_obj
def config(shell: Shell, as_json: bool) -> None:
    """Print every setting, its value and where it is from."""
    found = shell.configuration()
    if as_json:
        echo_json([{"name": one.name, "value": _plain(one.value), "origin": one.origin} for one in found])
        return
    rows = [(one.name, _plain(one.value), one.origin) for one in found]
    click.echo(table([Column("setting"), Column("value"), Column("from")], rows))


def _plain(value: object) -> object:
    return value if isinstance(value, int | bool) else str(value)


def command(name: str) -> click.Command:
    """Give the command of a name."""
    return {"metrics": metrics, "config": config}[name]
