"""Every metric of Restock, once: its name, its kind, its labels, what it says. Nothing is measured that is not here.

`/metrics`, the reference page, dashboards and alerts are held to this table by tests. What belongs to a part that this
program may have or not (a breaker, a pool) is a gauge that the part registers: `gauge`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

Number = int | Decimal | float  # float: seconds and shares, never money


@dataclass(frozen=True)
class Metric:
    """A metric: counter, gauge or histogram, in seconds where its name says so; `signal` is what it is looked at for."""

    name: str
    kind: str
    signal: str
    labels: tuple[str, ...]
    told: str


RATE, ERRORS, LATENCY, SATURATION, BUSINESS, EVENTS, HEALTH = (
    "traffic",
    "errors",
    "latency",
    "saturation",
    "business",
    "events",
    "health",
)

_ALL = (
    Metric("restock_http_requests_total", "counter", RATE, ("method", "route", "status"), "Requests answered."),
    Metric("restock_http_request_seconds", "histogram", LATENCY, ("method", "route"), "Time to answer a request."),
    Metric("restock_http_requests_in_flight", "gauge", SATURATION, (), "Requests being answered."),
    Metric("restock_grpc_requests_total", "counter", RATE, ("method", "code"), "gRPC calls answered."),
    Metric("restock_grpc_request_seconds", "histogram", LATENCY, ("method",), "Time to answer a gRPC call."),
    Metric("restock_neighbour_calls_total", "counter", RATE, ("method", "code"), "Calls made to other services."),
    Metric("restock_neighbour_call_seconds", "histogram", LATENCY, ("method",), "Time until another service answered."),
    Metric("restock_flows_total", "counter", BUSINESS, ("outcome",), "Runs of flows in this process."),
    Metric(
        "restock_flow_orders_total",
        "counter",
        BUSINESS,
        ("approval",),
        "Orders of flows, by who approves: auto, person.",
    ),
    Metric(
        "restock_automation_ratio", "gauge", BUSINESS, (), "Part of the orders of flows that no person had to approve."
    ),
    Metric("restock_cohort_runs", "histogram", SATURATION, (), "Runs that walked together: a count."),
    Metric("restock_flow_waiting", "gauge", SATURATION, (), "Callers at the flow's door."),
    Metric(
        "restock_flow_waiting_limit", "gauge", SATURATION, (), "Callers that may be at the door; the next one gets 503."
    ),
    Metric("restock_purchase_orders_total", "counter", BUSINESS, ("currency",), "Purchase orders created."),
    Metric(
        "restock_purchase_order_amount_total", "counter", BUSINESS, ("currency",), "Grand total of these orders, exact."
    ),
    Metric("restock_customer_orders_total", "counter", BUSINESS, (), "Customer orders accepted."),
    Metric("restock_stock_events_total", "counter", BUSINESS, ("status",), "Changes of stock, by what is left."),
    Metric("restock_flow_runs_total", "counter", BUSINESS, (), "Runs of flows that are stored."),
    Metric("restock_flow_queries_total", "counter", RATE, (), "Queries that flows made."),
    Metric("restock_flow_query_seconds_total", "counter", LATENCY, (), "Time that the queries of flows took."),
    Metric("restock_outbox_events", "gauge", EVENTS, ("database",), "Events that wait to be published."),
    Metric("restock_outbox_oldest_seconds", "gauge", EVENTS, ("database",), "Age of the oldest of them."),
    Metric("restock_subscriber_lag", "gauge", EVENTS, ("subscriber",), "Records still to be consumed."),
    Metric("restock_dead_letters", "gauge", EVENTS, ("subscriber",), "Dead letters that wait for a person."),
    Metric("restock_dead_letters_total", "counter", ERRORS, ("subscriber",), "Records parked by this process."),
    Metric("restock_dispatch_backlog", "gauge", EVENTS, (), "Orders that wait to be delivered."),
    Metric("restock_dispatch_failing", "gauge", ERRORS, (), "Orders whose delivery failed and is tried again."),
    Metric("restock_disk_low", "gauge", SATURATION, (), "1 while orders are refused because the disk is nearly full."),
    Metric("restock_problems", "gauge", HEALTH, (), "What stands still and needs a person."),
    Metric("restock_draining", "gauge", HEALTH, (), "1 while the server is stopping."),
    Metric("restock_event_loop_lag_seconds", "gauge", SATURATION, (), "Longest wait for a turn in the last seconds."),
    Metric(
        "restock_pool_connections", "gauge", SATURATION, ("database", "state"), "Connections to a database: used, idle."
    ),
    Metric("restock_pool_size", "gauge", SATURATION, ("database",), "Connections that there may be."),
    Metric("restock_pool_waiting", "gauge", SATURATION, ("database",), "Callers that wait for a connection."),
    Metric(
        "restock_pool_wait_seconds_total", "counter", SATURATION, ("database",), "Time that callers waited for one."
    ),
    Metric("restock_breaker_state", "gauge", HEALTH, ("neighbour",), "Circuit breaker: 0 closed, 1 half open, 2 open."),
    Metric(
        "restock_shed_total",
        "counter",
        SATURATION,
        ("at",),
        "Calls refused as too many were inside: flow, or neighbour.",
    ),
    Metric("restock_spans_total", "counter", RATE, (), "Spans of sampled traces."),
    Metric(
        "restock_spans_lost_total", "counter", ERRORS, (), "Of these, not taken by the collector, or too many to keep."
    ),
    Metric("process_resident_memory_bytes", "gauge", SATURATION, (), "Memory of the process."),
    Metric("process_cpu_seconds_total", "counter", SATURATION, (), "Processor time of the process."),
    Metric("process_open_fds", "gauge", SATURATION, (), "Open files and sockets of the process."),
)

METRICS: Mapping[str, Metric] = {one.name: one for one in _ALL}
"""Every metric by name, in the order in which they are told."""

_gauges: dict[str, dict[tuple[str, ...], Callable[[], Number]]] = {}


def gauge(name: str, read: Callable[[], Number], *labels: str) -> None:
    """Let `/metrics` ask for a value; `labels` are those of the table, in its order. Again replaces what was registered.

    Raises ValueError for a metric that is not in the table, or has other labels.
    """
    metric = METRICS.get(name)
    if metric is None or metric.kind == "histogram" or len(labels) != len(metric.labels):
        raise ValueError(f"{name} with {len(labels)} labels is no gauge or counter in restock.core.metric.")
    _gauges.setdefault(name, {})[labels] = read


def forget(name: str, *labels: str) -> None:
    """Ask no more for a value."""
    _gauges.get(name, {}).pop(labels, None)


def registered(name: str) -> list[tuple[tuple[str, ...], Number]]:
    """Give the values that parts registered for a metric, with their labels, in the order of the labels."""
    return [(labels, read()) for labels, read in sorted(_gauges.get(name, {}).items())]
