"""What /metrics tells beside what was counted: what is stored, what waits, what stands still, what the process takes."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from restock.analytics.port import FiguresRequest
from restock.core import trace
from restock.core.clock import Clock, moment
from restock.edge.rest.meters import Meters, Text
from restock.edge.rest.served import Served, WatchedFlows

PROCESS = Path("/proc/self")
"""What Linux tells of this process."""


async def metrics_text(app: Served, meters: Meters, *, draining: bool) -> bytes:
    """Give everything that is measured."""
    text = Text()
    meters.write(text)
    _flows(text, app)
    if "analytics" in app.contexts:
        await _counted(text, app)
    if "replenishment" in app.contexts:
        await _runs(text, app)
    await _background(text, app)
    text.one("restock_draining", int(draining))
    text.one("restock_spans_total", trace.RECORDED.recorded)
    _process(text)
    text.registered()
    return text.made()


def _flows(text: Text, app: Served) -> None:
    if isinstance(app.replenishment, WatchedFlows):
        text.one("restock_flow_waiting", app.replenishment.waiting)
        text.one("restock_flow_waiting_limit", app.replenishment.queue_limit)
        text.many("restock_shed_total", [(("flow",), app.replenishment.refused)])


async def _counted(text: Text, app: Served) -> None:
    figures = await app.analytics.figures(FiguresRequest(1))
    money = figures.purchase_orders
    text.many("restock_purchase_orders_total", [((one.currency,), one.orders) for one in money])
    text.many("restock_purchase_order_amount_total", [((one.currency,), one.amount) for one in money])
    text.one("restock_customer_orders_total", figures.orders)
    text.many("restock_stock_events_total", [((status,), n) for status, n in sorted(figures.stock_events.items())])


async def _runs(text: Text, app: Served) -> None:
    runs, queries, microseconds = await app.replenishment.totals()
    text.one("restock_flow_runs_total", runs)
    text.one("restock_flow_queries_total", queries)
    text.one("restock_flow_query_seconds_total", f"{microseconds / 1e6:.6f}")


async def _background(text: Text, app: Served) -> None:
    for relay in app.relays:
        backlog = await relay.backlog()
        text.many("restock_outbox_events", [((relay.name,), backlog.events)])
        text.many("restock_outbox_oldest_seconds", [((relay.name,), _age(app.clock, backlog.oldest))])
    text.many("restock_subscriber_lag", [((one.group,), await one.lag()) for one in app.subscribers])
    waiting = dict.fromkeys([one.group for one in app.subscribers], 0)
    for letter in await app.dead_letters.letters():
        waiting[letter.group] = waiting.get(letter.group, 0) + 1
    text.many("restock_dead_letters", [((group,), n) for group, n in sorted(waiting.items())])
    if app.dispatcher is not None:
        delivery = await app.dispatcher.backlog()
        text.one("restock_dispatch_backlog", delivery.orders)
        text.one("restock_dispatch_failing", delivery.failing)
    text.one("restock_disk_low", int(app.disk_low))
    text.one("restock_problems", len(app.problems()))
    for database in app.databases:
        if (pool := database.pool) is not None:
            name = database.name
            text.many("restock_pool_connections", [((name, "used"), pool.in_use), ((name, "idle"), pool.idle)])
            text.many("restock_pool_size", [((name,), pool.size)])
            text.many("restock_pool_waiting", [((name,), pool.waiting)])
            text.many("restock_pool_wait_seconds_total", [((name,), f"{pool.wait_us / 1e6:.6f}")])


def _age(clock: Clock, since: str) -> str:
    return f"{max(0.0, (clock.now() - moment(since)).total_seconds()):.3f}" if since else "0"


def _process(text: Text) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    text.one("process_cpu_seconds_total", f"{usage.ru_utime + usage.ru_stime:.3f}")
    try:
        memory = int((PROCESS / "statm").read_text("ascii").split()[1]) * resource.getpagesize()
        text.one("process_open_fds", sum(1 for _ in (PROCESS / "fd").iterdir()))
    except OSError:  # not Linux: the most it ever took
        memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    text.one("process_resident_memory_bytes", memory)
