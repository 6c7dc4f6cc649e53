"""`restock load`: orders sent to a running server over REST."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Iterable, Iterator
from contextlib import suppress
from decimal import Decimal
from itertools import count
from pathlib import Path

import click

from restock.core.errors import InvalidInput
from restock.edge.cli.output import Progress, counted, echo_json, money, note, pairs, quantity
from restock.edge.cli.root import INTERRUPTED, PARTLY
from restock.edge.cli.session import as_json
from restock.edge.cli.shell import Shell
from restock.edge.demo.company import PIPELINE
from restock.edge.files.pid_file import FILE, running
from restock.edge.load.made_up import DEMO_ORDERS, DEMO_RATE, MadeUp, demo_orders
from restock.edge.load.products import first_products, make_known
from restock.edge.load.retail import Shop
from restock.edge.load.sending import Outcome, Parcel, Seen, Sending

MAX_BATCH = 1000
"""Orders in one request, as the server takes them."""

MAX_RATE = 1_000_000

SHOWN_REASONS = 5

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}

url_option = click.option("--url", help="The server, instead of the one of this home.")
seed_option = click.option("--seed", type=int, default=1, show_default=True, help="Another seed, other orders.")


@click.group(
    epilog="""\b
Example:
  restock load demo-orders"""
)
def load() -> None:
    """Send orders to a running server over REST."""


@load.command(
    epilog="""\b
Examples:
  restock load orders
  restock load orders --rate 5000 --for 30s --batch 100
  restock load orders --rate 0 --for 1m --url http://127.0.0.1:8080

Orders the products of the server's catalogue, or those of the demo. A time
counts from the moment at which its order was due. Ends by itself; Ctrl-C ends
it sooner, after what is under way was answered."""
)
@click.option(
    "--rate", type=click.IntRange(0, MAX_RATE), default=100, show_default=True, help="Orders a second; 0: all it takes."
)
@click.option("--for", "duration", default="10s", show_default=True, help="How long: 30s, 5m, 2h.")
@url_option
@click.option(
    "--batch", type=click.IntRange(1, MAX_BATCH), default=1, show_default=True, help="Orders in each request."
)
@seed_option
@click.option("--customers", type=click.IntRange(1), default=1000, show_default=True, help="How many customers order.")
@as_json
@click.pass_context
def orders(
    ctx: click.Context,
    rate: int,
    duration: str,
    url: str | None,
    batch: int,
    seed: int,
    customers: int,
    as_json: bool,
) -> None:
    """Send made-up orders at a stated rate."""
    seconds = _seconds(duration)
    address = address_of(ctx.obj, url)
    products = asyncio.run(first_products(address))
    if not products:
        known(address, PIPELINE)
    made = MadeUp(seed, customers, products)
    if rate:
        number = max(1, rate * seconds)
        outcome = sent(address, made.parcels(number, batch), rate=rate, whole=number)
    else:
        endless = (parcel for _ in count() for parcel in made.parcels(batch, batch))
        outcome = sent(address, endless, seconds=seconds)
    told(ctx, outcome, as_json)


@load.command(
    "demo-orders",
    epilog="""\b
Examples:
  restock load demo-orders
  restock load demo-orders --seed 7

Twenty orders of five customers over six products, a tenth of a second apart,
as the published demo sends them.""",
)
@url_option
@seed_option
@as_json
@click.pass_context
def demo(ctx: click.Context, url: str | None, seed: int, as_json: bool) -> None:
    """Send the twenty orders of the published demo."""
    address = address_of(ctx.obj, url)
    known(address, PIPELINE)
    outcome = sent(address, demo_orders(seed), rate=DEMO_RATE, whole=DEMO_ORDERS)
    told(ctx, outcome, as_json)


@load.command(
    epilog="""\b
Examples:
  restock load retail ../shared/data/online-retail

Lets the server know the products, sends every invoice of the shop as an order,
in batches, and compares what was accepted with what the files say was sold, to
the penny. The same folder again
orders nothing twice."""
)
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@url_option
@click.option(
    "--batch", type=click.IntRange(1, MAX_BATCH), default=100, show_default=True, help="Orders in each request."
)
@as_json
@click.pass_context
def retail(ctx: click.Context, folder: Path, url: str | None, batch: int, as_json: bool) -> None:
    """Send the orders of a real shop."""
    address = address_of(ctx.obj, url)
    known(address, Shop(folder).products())
    shop = Shop(folder)
    outcome = sent(address, shop.parcels(batch), seen=shop.seen)
    same = outcome.accepted == shop.sold.orders and shop.accepted == shop.sold.revenue
    found = {
        "lines": shop.sold.lines,
        "lines that are no sale": shop.sold.others,
        "quantity": shop.sold.quantity,
        "revenue of the files": shop.sold.revenue,
        "revenue accepted": shop.accepted,
        "equal": same,
    }
    if not as_json:
        shown = {**found, "revenue of the files": money(shop.sold.revenue), "revenue accepted": money(shop.accepted)}
        click.echo(pairs([(name, quantity(value)) for name, value in shown.items()]))
    told(ctx, outcome, as_json, {name.replace(" ", "_"): value for name, value in found.items()})
    if not same:
        ctx.exit(PARTLY)


def address_of(shell: Shell, url: str | None) -> str:
    """Give the server to send to: the given one, that of this home's pipeline, or that of the settings."""
    if url:
        return url.rstrip("/")
    there = running(shell.home / FILE)
    if there is not None and there.address:
        return there.address
    configured = {one.name: one.value for one in shell.configuration()}
    return f"http://{configured['host']}:{configured['port']}"


def sent(
    address: str,
    parcels: Iterator[Parcel],
    *,
    rate: int = 0,
    whole: int = 0,
    seconds: int = 0,
    seen: Seen | None = None,
) -> Outcome:
    """Send parcels, showing how far it is; `seconds` ends it after so long. Raises Unavailable when nobody answers."""

    async def session() -> Outcome:
        sending = Sending(address, parcels, rate=rate, seen=seen)
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):  # on systems without signals Ctrl-C ends it at once
            loop.add_signal_handler(signal.SIGINT, sending.stop.set)
        timer = loop.call_later(seconds, sending.stop.set) if seconds else None
        progress = Progress("Sending", "orders")
        try:
            outcome = await sending.run(lambda now: progress.tell(now.done, now.done / whole if whole else None))
        finally:
            progress.close()
            if timer is not None:
                timer.cancel()
        outcome.stopped = outcome.stopped and not (seconds and outcome.seconds >= seconds)
        return outcome

    try:
        from uvloop import run  # noqa: PLC0415 - not on every system
    except ImportError:
        return asyncio.run(session())
    return run(session())


def told(ctx: click.Context, outcome: Outcome, as_json: bool, more: dict[str, object] | None = None) -> None:
    """Tell what came of it, and end with the status that says so."""
    times = outcome.times
    if as_json:
        echo_json(
            {
                "accepted": outcome.accepted,
                "refused": outcome.refused,
                "unanswered": outcome.unanswered,
                "requests": outcome.requests,
                "seconds": Decimal(f"{outcome.seconds:.3f}"),
                "rate": Decimal(f"{outcome.rate:.1f}"),
                "p50_ms": Decimal(f"{times.ms(0.5):.3f}"),
                "p99_ms": Decimal(f"{times.ms(0.99):.3f}"),
                **(more or {}),
            }
        )
    else:
        click.echo(
            f"{counted(outcome.accepted, 'order')} accepted, {outcome.refused:,} refused in {outcome.seconds:.1f} s: "
            f"{outcome.rate:,.0f} a second; p50 {times.ms(0.5):.1f} ms, p99 {times.ms(0.99):.1f} ms"
        )
        if outcome.unanswered:
            click.echo(f"{counted(outcome.unanswered, 'order')} without an answer: they may have been accepted.")
        for reason, number in outcome.reasons.most_common(SHOWN_REASONS):
            click.echo(f"  {number:,} x {reason}")
    if outcome.stopped and not outcome.unanswered:
        ctx.exit(INTERRUPTED)
    if outcome.refused or outcome.unanswered:
        ctx.exit(PARTLY)


def known(address: str, products: Iterable[str]) -> None:
    """Let the server know the products, or say that it cannot."""
    if asyncio.run(make_known(address, products)) is None:
        note(f"{address} keeps no products: an order for one that inventory does not know becomes a dead letter.")


def _seconds(text: str) -> int:
    found = re.fullmatch(r"(\d{1,6})([smh]?)", text.strip())
    if not found or not int(found[1]):
        raise InvalidInput(f"{text!r} is no duration.", field="for", remedy="Write it like 30s, 5m or 2h.")
    return int(found[1]) * _UNITS[found[2]]


def command(_name: str) -> click.Command:
    """Give the command."""
    return load
