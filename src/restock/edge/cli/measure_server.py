"""`restock metrics --server`: the summary of a running server, from its /metrics looked at twice."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import inf

import click

from restock.core.errors import Unavailable
from restock.edge.cli.output import Column, money, table
from restock.edge.load.caller import Caller

LOOK_SECONDS = 1.0
"""The time between the two looks."""

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Samples = Mapping[str, list[tuple[Mapping[str, str], Decimal]]]


@dataclass(frozen=True)
class Watched:
    """How a server does. Rates are of the last second; latencies of it too, or since the start when nobody asked in it.

    `latency_ms` has p50, p95 and p99; the part of `errors` is of all requests since the start.
    """

    requests_per_second: Decimal
    flows_per_second: Decimal
    latency_ms: Mapping[str, Decimal]
    requests: int
    errors: Decimal
    customer_orders: int
    flows: Mapping[str, int]
    purchase_orders: Mapping[str, int]
    money: Mapping[str, Decimal]
    stock: Mapping[str, int]
    lag: Mapping[str, int]
    outbox: Mapping[str, int]
    dead_letters: int
    problems: int
    memory_mib: Decimal


async def watched_server(url: str) -> Watched:
    """Look twice at a server. Raises Unavailable when it does not answer with metrics, InvalidInput for a wrong address."""
    caller = Caller(url)
    try:
        first, began = await _look(caller), time.perf_counter()
        await asyncio.sleep(LOOK_SECONDS)
        second, took = await _look(caller), Decimal(str(time.perf_counter() - began))
    finally:
        caller.close()
    return _watched(first, second, took)


async def _look(caller: Caller) -> Samples:
    reply = await caller.ask("GET", "/metrics")
    if reply.status != 200:
        raise Unavailable(f"/metrics answered {reply.status}.", remedy="Is it a server of Restock?")
    found: dict[str, list[tuple[Mapping[str, str], Decimal]]] = {}
    for name, labels, value in _SAMPLE.findall(reply.body.decode()):
        found.setdefault(name, []).append((dict(_LABEL.findall(labels)), Decimal(value)))
    return found


def _watched(first: Samples, second: Samples, seconds: Decimal) -> Watched:
    requests = "restock_http_requests_total"
    all_requests = _sum(second, requests)
    failed = sum((n for labels, n in second.get(requests, ()) if labels["status"] >= "500"), Decimal(0))
    return Watched(
        requests_per_second=_rounded((all_requests - _sum(first, requests) - 1) / seconds),  # the look is one itself
        flows_per_second=_rounded((_sum(second, "restock_flows_total") - _sum(first, "restock_flows_total")) / seconds),
        latency_ms=_latencies(first, second),
        requests=int(all_requests),
        errors=(failed / all_requests if all_requests else Decimal(0)).quantize(Decimal("0.0001")),
        customer_orders=int(_sum(second, "restock_customer_orders_total")),
        flows=_by(second, "restock_flows_total", "outcome"),
        purchase_orders=_by(second, "restock_purchase_orders_total", "currency"),
        money={one["currency"]: n for one, n in second.get("restock_purchase_order_amount_total", ())},
        stock=_by(second, "restock_stock_events_total", "status"),
        lag=_by(second, "restock_subscriber_lag", "subscriber"),
        outbox=_by(second, "restock_outbox_events", "database"),
        dead_letters=int(_sum(second, "restock_dead_letters")),
        problems=int(_sum(second, "restock_problems")),
        memory_mib=_rounded(_sum(second, "process_resident_memory_bytes") / (1 << 20)),
    )


def _sum(samples: Samples, name: str) -> Decimal:
    return sum((value for _, value in samples.get(name, ())), Decimal(0))


def _by(samples: Samples, name: str, label: str) -> dict[str, int]:
    return {labels[label]: int(value) for labels, value in samples.get(name, ())}


def _rounded(number: Decimal) -> Decimal:
    return max(number, Decimal(0)).quantize(Decimal("0.1"))


def _latencies(first: Samples, second: Samples) -> dict[str, Decimal]:
    """Give what half, 95 and 99 of a hundred requests took at most, between two bounds in proportion."""
    before, after = _buckets(first), _buckets(second)
    counts = {bound: count - before.get(bound, Decimal(0)) for bound, count in after.items()}
    if max(counts.values(), default=Decimal(0)) <= 1:  # the look itself
        counts = after
    return {f"p{part}": _quantile(counts, Decimal(part) / 100) for part in (50, 95, 99)} if counts else {}


def _buckets(samples: Samples) -> dict[float, Decimal]:
    found: dict[float, Decimal] = {}
    for labels, value in samples.get("restock_http_request_seconds_bucket", ()):
        if labels["route"] != "/metrics":
            bound = inf if labels["le"] == "+Inf" else float(labels["le"])
            found[bound] = found.get(bound, Decimal(0)) + value
    return dict(sorted(found.items()))


def _quantile(counts: Mapping[float, Decimal], part: Decimal) -> Decimal:
    wanted = part * max(counts.values())
    low, below = Decimal(0), Decimal(0)
    for bound, count in counts.items():
        if bound == inf:
            return low
        high = Decimal(str(bound)) * 1000
        if count >= wanted and count > below:
            return (low + (high - low) * (wanted - below) / (count - below)).quantize(Decimal("0.01"))
        low, below = high, count
    return low


def show_watched(found: Watched) -> None:
    """Print the summary as a table."""
    rows = [
        ("throughput", f"{found.requests_per_second:,}", "requests/s"),
        ("", f"{found.flows_per_second:,}", "flows/s"),
        *((f"latency {name}", f"{value:,}", "ms") for name, value in found.latency_ms.items()),
        ("errors", f"{found.errors * 100:.2f}", f"% of {found.requests:,} requests"),
        ("customer orders", f"{found.customer_orders:,}", ""),
        *((f"purchase orders in {currency}", f"{n:,}", "") for currency, n in found.purchase_orders.items()),
        *(("ordered, with tax", money(amount), currency) for currency, amount in found.money.items()),
        *(_listed("flows", found.flows)),
        *(_listed("stock", found.stock)),
        *(_listed("lag", found.lag)),
        *(_listed("to publish", found.outbox)),
        ("dead letters", f"{found.dead_letters:,}", ""),
        ("problems", f"{found.problems:,}", "" if not found.problems else "see /readyz"),
        ("memory", f"{found.memory_mib:,}", "MiB"),
    ]
    click.echo(table([Column("figure"), Column("value", number=True), Column("")], rows))


def _listed(name: str, counts: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
    return ((f"{name} {label}", f"{count:,}", "") for label, count in counts.items())
