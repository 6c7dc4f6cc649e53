"""The dashboard: the published lines, a bar for each window, drawn again after a change, ended by Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from cli_world import Answer, Restock

from restock.analytics.port import Figures, LastOrder, TopCustomer, TopProduct, Window
from restock.edge.cli.analytics import dashboard

D = Decimal
PLACE = ("orders", "place", "--orders")


def order(customer: str, sku: str, quantity: int, price: str) -> str:
    items = [{"sku": sku, "quantity": quantity, "price": price}]
    return json.dumps([{"customer_id": customer, "items": items}])


def test_the_dashboard_has_the_published_lines(company: Restock) -> None:
    assert company(*PLACE, order("cust-alice", "WIDGET-1", 2, "29.99")).exit_code == 0
    assert company(*PLACE, order("cust-bob", "GADGET-B", 1, "99.99")).exit_code == 0
    told = company("analytics").output
    for line in (
        "total revenue        159.97",
        "total orders         2",
        "average order value  79.99",
        "unique customers     2",
        "last order           ORD-",
        "group                analytics",
        "topics               inventory-updates, orders",
        "Top 2 customers by revenue",
        "cust-bob         1    99.99",
        "Top 2 products by quantity",
        "WIDGET-1       1         2",
        "Revenue by minute",
    ):
        assert line in told, told
    assert "█" in told


def test_a_home_without_orders_says_so(restock: Restock) -> None:
    told = restock("analytics").output
    assert "total orders         0" in told and "last order           none yet" in told


def test_json_is_for_machines(company: Restock, answer: Answer) -> None:
    company(*PLACE, order("cust-alice", "WIDGET-1", 2, "29.99"))
    found = answer("analytics", "--size", "day")
    assert (found["size"], found["figures"]["orders"], found["windows"][0]["revenue"]) == ("day", 1, 59.98)
    assert answer("analytics", "windows", "--size", "hour", "--to", "2001-01-01") == []
    assert answer("analytics", "figures")["orders"] == 1


def test_a_wrong_size_or_moment_names_the_field(restock: Restock) -> None:
    assert "size" in restock("analytics", "windows", "--size", "week").output
    found = restock("analytics", "windows", "--from", "yesterday")
    assert found.exit_code == 2 and "from" in found.output and "2026-01-31" in found.output


def test_a_bar_stands_for_each_window_and_nothing_for_none() -> None:
    windows = [
        Window("2026-01-05T08:05:00Z", 1, D(8), D(8), 0),
        Window("2026-01-05T08:02:00Z", 1, D(4), D(4), 0),
        Window("2026-01-05T08:01:00Z", 1, D("0.01"), D("0.01"), 0),
    ]
    figures = Figures(
        3,
        D("12.01"),
        D("4.00"),
        1,
        [TopCustomer("a", 3, D("12.01"))],
        [TopProduct("p", 3, D(3))],
        {},
        [],
        last_order=LastOrder("ORD-1", "2026-01-05T08:05:00.000000Z"),
    )
    told = dashboard(figures, "minute", windows, 3)
    assert "\n  ▁▄  █\n" in told
    assert "2026-01-05 08:01 to 2026-01-05 08:05; the highest is 8.00" in told
    assert "still to count       3 events" in told


def test_watch_draws_after_a_change_and_ends_with_ctrl_c(company: Restock, home: Path) -> None:
    with _watching(home) as watcher:
        assert watcher.stdout is not None
        assert json.loads(watcher.stdout.readline())["figures"]["orders"] == 0
        company(*PLACE, order("cust-alice", "WIDGET-1", 2, "29.99"))
        found = json.loads(watcher.stdout.readline())["figures"]
        while found["orders"] == 0:
            found = json.loads(watcher.stdout.readline())["figures"]
        assert found["orders"] == 1
        watcher.send_signal(signal.SIGINT)
        assert watcher.wait(10) == 0


def _watching(home: Path) -> subprocess.Popen[str]:
    command: Callable[..., subprocess.Popen[str]] = subprocess.Popen
    return command(
        [sys.executable, "-m", "restock", "analytics", "--watch", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "RESTOCK_HOME": str(home)},
    )
