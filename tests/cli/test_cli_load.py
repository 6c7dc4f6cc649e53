"""`restock load` and `restock pipeline`: orders over REST to a server in the background, and what is told of them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cli_world import program

from restock.core.errors import Conflict
from restock.edge.files.pid_file import FILE, held, running
from restock.edge.load.made_up import MadeUp, demo_orders
from restock.edge.load.sending import Times


def pipeline(*arguments: str) -> subprocess.CompletedProcess[str]:
    return program("pipeline", *arguments)


@pytest.fixture
def started(home: Path) -> Iterator[str]:
    """A pipeline with its stock, running; its address."""
    assert pipeline("setup").returncode == 0
    done = pipeline("start", "--port", "0", "--json")
    assert done.returncode == 0, done.stderr
    yield json.loads(done.stdout)["address"]
    there = running(home / FILE)
    if there is not None:
        os.kill(there.pid, signal.SIGKILL)


@pytest.mark.slow
def test_the_published_steps_work_one_after_the_other(home: Path, started: str) -> None:
    again = pipeline("start")
    assert again.returncode == 5 and "A server runs already, process" in again.stderr
    ordered = json.loads(pipeline("orders", "--json").stdout)
    assert (ordered["accepted"], ordered["refused"], ordered["unanswered"]) == (20, 0, 0)
    assert ordered["seconds"] > 1.8, "a tenth of a second apart"
    figures = json.loads(pipeline("analytics", "--json").stdout)
    assert figures["orders"] == 20 and 1 <= figures["unique_customers"] <= 5
    told = pipeline("analytics").stdout
    for word in ("total revenue", "average order value", "unique customers", "cust-", "product"):
        assert word in told
    status = json.loads(pipeline("status", "--json").stdout)
    assert status["running"] and status["address"] == started and status["orders_produced"] == 20
    assert {one["product_id"] for one in status["stock"]} == {
        "WIDGET-1", "WIDGET-2", "GADGET-A", "GADGET-B", "TOOL-X", "TOOL-Y",
    }  # fmt: skip
    assert "20 orders accepted, 20 counted" in pipeline("status").stdout
    stopped = pipeline("stop")
    assert stopped.returncode == 0 and re.match(r"Process \d+ has ended\.", stopped.stdout)
    assert running(home / FILE) is None and (home / FILE).read_text() == ""
    assert pipeline("stop").stdout == "No server runs in this home.\n"
    assert json.loads(pipeline("status", "--json").stdout) == {"running": False}
    refused = pipeline("orders")
    assert refused.returncode == 7 and "restock pipeline start" in refused.stderr


def test_a_server_that_was_killed_is_not_believed_to_run(home: Path, started: str) -> None:
    there = running(home / FILE)
    assert there is not None and there.address == started
    os.kill(there.pid, signal.SIGKILL)
    end = time.monotonic() + 10
    while running(home / FILE) is not None and time.monotonic() < end:
        time.sleep(0.02)
    assert str(there.pid) in (home / FILE).read_text(), "its number is left behind"
    assert json.loads(pipeline("status", "--json").stdout) == {"running": False}
    assert pipeline("stop").stdout == "No server runs in this home.\n"
    assert pipeline("start", "--port", "0").returncode == 0


def test_a_server_that_does_not_start_says_why(home: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        done = pipeline("start", "--port", str(port))
    assert done.returncode == 7
    assert f"The server did not start: restock: Port {port} on 127.0.0.1 cannot be used" in done.stderr
    assert running(home / FILE) is None


def test_one_server_holds_the_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "server.pid"
    assert running(path) is None
    with held(path) as tell:
        assert running(path) == (os.getpid(), "")
        tell("http://127.0.0.1:1")
        assert running(path) == (os.getpid(), "http://127.0.0.1:1")
        with pytest.raises(Conflict, match=str(os.getpid())), held(path):
            pass
        assert running(path) == (os.getpid(), "http://127.0.0.1:1")
    assert running(path) is None


@pytest.mark.slow
def test_load_keeps_its_rate_and_ends_by_itself(started: str) -> None:
    done = json.loads(program("load", "orders", "--rate", "200", "--for", "2s", "--json").stdout)
    assert (done["accepted"], done["requests"]) == (400, 400)
    assert 1.9 <= done["seconds"] < 10 and 0 < done["p50_ms"] <= done["p99_ms"]
    batches = json.loads(
        program("load", "orders", "--url", started, "--rate", "1000", "--for", "1", "--batch", "300", "--json").stdout
    )
    assert (batches["accepted"], batches["requests"]) == (1000, 4)
    told = program("load", "orders", "--rate", "0", "--for", "1s", "--batch", "50").stdout
    assert re.fullmatch(r"[\d,]+ orders accepted, 0 refused in [\d.]+ s: [\d,]+ a second; p50 .* ms, p99 .* ms\n", told)


def test_control_c_ends_a_load_after_what_is_under_way(started: str) -> None:
    command = [sys.executable, "-m", "restock", "load", "orders", "--rate", "50", "--for", "1h", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(2.5)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=20)
    done = json.loads(out)
    assert process.returncode == 130 and error == ""
    assert done["accepted"] > 20 and (done["refused"], done["unanswered"]) == (0, 0)
    status = json.loads(pipeline("status", "--json").stdout)
    assert status["orders_produced"] == done["accepted"], "each answered, none twice"


def test_orders_without_an_answer_are_told(home: Path, started: str) -> None:
    command = [sys.executable, "-m", "restock", "load", "orders", "--rate", "500", "--for", "1h"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(2.5)
        there = running(home / FILE)
        assert there is not None
        os.kill(there.pid, signal.SIGKILL)
        out, _ = process.communicate(timeout=20)
    assert process.returncode in {1, 7}
    assert "accepted" in out or process.returncode == 7


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--url", "http://127.0.0.1:1"], 7, "cannot be reached"),
        (["--url", "ftp://shop"], 2, "is not the address of a server"),
        (["--for", "soon"], 2, "Write it like 30s"),
        (["--rate", "-1"], 2, "rate"),
    ],
)
def test_what_cannot_be_is_refused(arguments: list[str], status: int, words: str) -> None:
    done = program("load", "orders", *arguments)
    assert done.returncode == status and words in done.stderr


def test_made_up_orders_are_those_of_their_seed() -> None:
    def bodies(seed: int) -> list[bytes]:
        return [one.body for one in MadeUp(seed, 100, ["A", "B"]).parcels(50, 20)]

    assert bodies(1) == bodies(1) != bodies(2)
    assert [one.orders for one in MadeUp(1, 100, []).parcels(50, 20)] == [20, 20, 10]
    assert [one.body for one in demo_orders(3)] == [one.body for one in demo_orders(3)]


def test_the_demo_orders_are_as_published() -> None:
    orders = [json.loads(one.body) for one in demo_orders(1)]
    assert len(orders) == 20
    assert {one["customer_id"] for one in orders} <= {f"cust-{n}" for n in ("alice", "bob", "charlie", "diana", "eve")}
    lines = {(item["sku"], item["quantity"], item["price"]) for one in orders for item in one["items"]}
    assert lines == {
        ("WIDGET-1", 2, 29.99), ("WIDGET-2", 1, 49.99), ("GADGET-A", 3, 19.99),
        ("GADGET-B", 1, 99.99), ("TOOL-X", 2, 14.99), ("TOOL-Y", 1, 39.99),
    }  # fmt: skip
    assert {len(one["items"]) for one in orders} == {1, 2, 3}


def test_times_are_told_within_two_in_a_hundred() -> None:
    times = Times()
    for number in range(1, 10_001):
        times.add(number / 10_000)
    assert times.ms(0.5) == pytest.approx(500, rel=0.02)
    assert times.ms(0.99) == pytest.approx(990, rel=0.02)
    assert len(times.counts) < 1000
