"""A process of its own for the scenario tests.

`python loop_child.py HOME SEED` lives once: RESTOCK_FAILPOINT and RESTOCK_FAILPOINT_LOG do what they do in every program.
`python loop_child.py nursery` imports everything once and forks a process per line of JSON on stdin, so that hundreds of
lives cost no start: it answers each with its exit status.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from random import Random

from scenario_world import D, life, load, order, run_loop

import restock.adapters.dispatch.pdf
import restock.adapters.kafka.stream  # noqa: F401 - what is imported before the fork costs no life anything
from restock.app import WIRED, App
from restock.core import failpoint as failpoints
from restock.inventory.model import Item, StockCount
from restock.orders.model import Demand
from restock.orders.port import PlaceRequest
from restock.replenishment.port import FlowRequest, PlanRequest, PurchaseRequest
from restock.suppliers.model import Terms

for each in WIRED:  # opened by name
    import_module(f"restock.app.{each}")

NEEDS = [f"NEED-{number:02}" for number in range(20)]
"""Products that all have a need from the start; their quantities differ."""


CLIENTS = 8
"""Clients that send orders at the same time."""


async def load_needs(app: App) -> None:
    """Store a company of twenty needs of two suppliers."""
    await load(
        app,
        [Item(product) for product in NEEDS],
        [StockCount(product, D(5)) for product in NEEDS],
        [Terms(p, f"SUP-{n % 2}", D("1.5"), 3, "Supplier", D(10), D(5)) for n, p in enumerate(NEEDS)],
        [Demand(product, D(10 + number)) for number, product in enumerate(NEEDS)],
        [],
    )


def say(path: str, text: str) -> None:
    """Acknowledge: a line that survives the process."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{text}\n".encode())
    os.close(handle)


async def loop(app: App, _task: dict[str, str]) -> None:
    """Live the whole loop."""
    await run_loop(app)


async def race(app: App, task: dict[str, str]) -> None:
    """Run flows for every need, many at once, shuffled; plan and purchase between them when asked to."""
    random = Random(int(task["seed"]))
    calls: list[Awaitable[object]] = []
    for product in random.sample(NEEDS * int(task["rounds"]), len(NEEDS) * int(task["rounds"])):
        calls.append(_flow(app, product, task))
    if task.get("plan"):
        calls.insert(random.randrange(len(calls)), _purchase(app, task))
    await asyncio.gather(*calls)


async def _flow(app: App, product: str, task: dict[str, str]) -> None:
    reply = await app.replenishment.flow(FlowRequest(product))
    say(task["said"], json.dumps([product, reply.outcome, reply.po.po_id if reply.po else "", reply.message]))


async def _purchase(app: App, task: dict[str, str]) -> None:
    await app.replenishment.plan(PlanRequest())
    bought = await app.replenishment.purchase(PurchaseRequest())
    for made in bought.orders:
        for line in made.lines:
            say(task["said"], json.dumps([line.product_id, "ordered", made.po_id, ""]))


async def serve(app: App, task: dict[str, str]) -> None:
    """Serve clients until killed, the background at work; each client sends again what was not acknowledged."""
    app.start()
    known = acknowledged(task["said"])

    async def client(first: int) -> None:
        for number in range(first, int(task["orders"]), int(task.get("stride", CLIENTS))):
            if number in known:
                continue
            product, quantity = wanted(number)
            request = PlaceRequest([order(f"order-{number}", f"client-{number}", [(product, str(quantity), "2")])])
            (placed,) = (await app.orders.place(request)).orders
            assert placed.error is None, placed
            say(task["said"], f"{number} {placed.order_id}")
            if number % 3 == 0:
                await app.replenishment.flow(FlowRequest(product))
            await asyncio.sleep(float(task.get("pause", 0)))

    clients = int(task.get("first", 0))
    await asyncio.gather(*(client(first) for first in range(clients, clients + CLIENTS)))
    if "stay" in task:
        await asyncio.Event().wait()


def wanted(number: int) -> tuple[str, int]:
    """Give what order so and so asks for."""
    return NEEDS[number * 7 % len(NEEDS)], number % 5 + 1


def acknowledged(said: str) -> dict[int, str]:
    """Give the orders that a client was told of: number and identifier."""
    path = Path(said)
    lines = path.read_text().splitlines() if path.exists() else []
    return {int(number): order_id for number, order_id in (line.split() for line in lines)}


WORK: dict[str, Callable[[App, dict[str, str]], Awaitable[None]]] = {"loop": loop, "race": race, "serve": serve}


async def live(task: dict[str, str]) -> None:
    """Live once."""
    home, seed, session = Path(task["home"]), int(task["seed"]), int(task.get("session", 10))
    async with life(home, seed, session, rough="rough" in task, kafka_prefix=task.get("kafka_prefix", "")) as app:
        await WORK[task["work"]](app, task)


def born(task: dict[str, str]) -> None:
    """Be a process: arm what the task asks for, live, end."""
    name, _, count = task.get("failpoint", "").partition(":")
    failpoints._armed_name, failpoints._armed_at = name, int(count or 1)
    failpoints._record_to = task.get("log", "")
    failpoints._dwell_ms = int(task.get("dwell", 0))
    failpoints.armed = bool(name or failpoints._record_to or failpoints._dwell_ms)
    try:
        asyncio.run(live(task))
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def nursery() -> None:
    """Fork a process per line; answer with its exit status. `kill_after` seconds it gets a kill -9.

    With `freeze_for` it is first stopped for so long, and killed as long after that.
    """
    for line in sys.stdin:
        task = json.loads(line)
        child = os.fork()
        if child == 0:
            born(task)
        if "freeze_for" in task:
            time.sleep(float(task["kill_after"]))
            os.kill(child, signal.SIGSTOP)
            time.sleep(float(task["freeze_for"]))
            os.kill(child, signal.SIGCONT)
        if "kill_after" in task:
            time.sleep(float(task["kill_after"]))
            os.kill(child, signal.SIGKILL)  # not waited for yet, so the number is still its own
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - the protocol


if __name__ == "__main__":
    if sys.argv[1] == "nursery":
        nursery()
    else:
        asyncio.run(live({"work": "loop", "home": sys.argv[1], "seed": sys.argv[2]}))
