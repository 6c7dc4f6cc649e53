"""What /metrics tells, in the text format of Prometheus. Counting costs an addition; the text is made when asked for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import accumulate

from restock.analytics.port import FiguresRequest
from restock.core.errors import RestockError
from restock.edge.rest.served import Served
from restock.edge.wire import number_text
from restock.replenishment.port import FlowReply

BUCKETS_MS = (0.5, 1, 2, 3, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560)
"""Upper bounds of the latency histogram: doubling, with the promised 3 and 40 ms among them."""

_BOUNDS_NS = tuple(int(bound * 1_000_000) for bound in BUCKETS_MS)

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]
Sample = tuple[str, Labels, str]


class RouteMeter:
    """Requests of one route: by status, and how long they took."""

    __slots__ = ("buckets", "count", "statuses", "total_ns")

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.buckets = [0] * (len(_BOUNDS_NS) + 1)
        self.total_ns = 0
        self.count = 0

    def observe(self, status: int, took_ns: int) -> None:
        """Count a request."""
        statuses = self.statuses
        statuses[status] = statuses.get(status, 0) + 1
        self.buckets[bisect_left(_BOUNDS_NS, took_ns)] += 1
        self.total_ns += took_ns
        self.count += 1


class Meters:
    """The counters of this process; what is stored is read when the text is made."""

    def __init__(self) -> None:
        self.routes: dict[tuple[str, str], RouteMeter] = {}
        self.flows: dict[str, int] = {}
        self.in_flight = 0

    def route(self, verb: str, path: str) -> RouteMeter:
        """Give the meter of a route; get it once and keep it."""
        return self.routes.setdefault((verb, path), RouteMeter())

    def flow(self, reply: FlowReply | RestockError) -> None:
        """Count a flow by its outcome."""
        outcome = reply.outcome if isinstance(reply, FlowReply) else "error"
        self.flows[outcome] = self.flows.get(outcome, 0) + 1

    async def text(self, app: Served, *, draining: bool) -> bytes:
        """Give everything that is measured."""
        lines: list[str] = []
        self._requests(lines)
        _family(
            lines,
            "restock_flows_total",
            "counter",
            "Flows over REST since the start, by outcome.",
            [("", {"outcome": outcome}, str(count)) for outcome, count in sorted(self.flows.items())],
        )
        if "analytics" in app.contexts:
            await _counted(lines, app)
        if "replenishment" in app.contexts:
            await _runs(lines, app)
        await _background(lines, app, draining=draining)
        return ("\n".join(lines) + "\n").encode()

    def _requests(self, lines: list[str]) -> None:
        meters = sorted(self.routes.items())
        _family(
            lines,
            "restock_http_requests_total",
            "counter",
            "Requests answered, by route and status.",
            [
                ("", {"method": verb, "route": path, "status": str(status)}, str(count))
                for (verb, path), meter in meters
                for status, count in sorted(meter.statuses.items())
            ],
        )
        samples: list[Sample] = []
        for (verb, path), meter in meters:
            if not meter.count:
                continue
            place = {"method": verb, "route": path}
            for bound, count in zip(BUCKETS_MS, accumulate(meter.buckets), strict=False):
                samples.append(("_bucket", {**place, "le": f"{bound / 1000:g}"}, str(count)))
            samples.append(("_bucket", {**place, "le": "+Inf"}, str(meter.count)))
            samples.append(("_sum", place, f"{meter.total_ns / 1e9:.6f}"))
            samples.append(("_count", place, str(meter.count)))
        _family(lines, "restock_http_request_seconds", "histogram", "Time to answer a request.", samples)
        _one(lines, "restock_http_requests_in_flight", "Requests being answered.", self.in_flight)


async def _counted(lines: list[str], app: Served) -> None:
    figures = await app.analytics.figures(FiguresRequest(1))
    money = figures.purchase_orders
    _family(
        lines,
        "restock_purchase_orders_total",
        "counter",
        "Purchase orders created, by currency.",
        [("", {"currency": one.currency}, str(one.orders)) for one in money],
    )
    _family(
        lines,
        "restock_purchase_order_amount_total",
        "counter",
        "Grand total of the purchase orders created, exact, by currency.",
        [("", {"currency": one.currency}, number_text(one.amount)) for one in money],
    )
    _one(lines, "restock_customer_orders_total", "Customer orders accepted.", figures.orders, "counter")


async def _runs(lines: list[str], app: Served) -> None:
    runs, queries, microseconds = await app.replenishment.totals()
    _one(lines, "restock_flow_runs_total", "Runs of flows that are stored.", runs, "counter")
    _one(lines, "restock_flow_queries_total", "Queries that flows made.", queries, "counter")
    _one(
        lines,
        "restock_flow_query_seconds_total",
        "Time that the queries of flows took.",
        f"{microseconds / 1e6:.6f}",
        "counter",
    )


async def _background(lines: list[str], app: Served, *, draining: bool) -> None:
    _family(
        lines,
        "restock_outbox_events",
        "gauge",
        "Events that wait to be published, by database.",
        [("", {"database": relay.name}, str((await relay.backlog()).events)) for relay in app.relays],
    )
    _family(
        lines,
        "restock_subscriber_lag",
        "gauge",
        "Records still to be consumed, by subscriber.",
        [("", {"subscriber": one.group}, str(await one.lag())) for one in app.subscribers],
    )
    if app.dispatcher is not None:
        delivery = await app.dispatcher.backlog()
        _one(lines, "restock_dispatch_backlog", "Orders that wait to be delivered.", delivery.orders)
        _one(lines, "restock_dispatch_failing", "Orders whose delivery failed and is tried again.", delivery.failing)
    _one(lines, "restock_disk_low", "1 while orders are refused because the disk is nearly full.", int(app.disk_low))
    _one(lines, "restock_problems", "What stands still and needs a person.", len(app.problems()))
    _one(lines, "restock_draining", "1 while the server is stopping.", int(draining))


def _one(lines: list[str], name: str, told: str, value: object, kind: str = "gauge") -> None:
    _family(lines, name, kind, told, [("", {}, str(value))])


def _family(lines: list[str], name: str, kind: str, told: str, samples: Iterable[Sample]) -> None:
    lines.append(f"# HELP {name} {told}")
    lines.append(f"# TYPE {name} {kind}")
    for suffix, labels, value in samples:
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        lines.append(f"{name}{suffix}{{{inside}}} {value}" if inside else f"{name}{suffix} {value}")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
