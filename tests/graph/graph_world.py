"""Operations and flows that the graph tests share."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import count

from restock.core.clock import SimulatedClock
from restock.engine.graph import Executor, load_flow
from restock.engine.graph.model import Flow

Items = Sequence[Mapping[str, object]]
START = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)

PURCHASING = """
flow: purchasing
version: "1"
description: Buys one product when its inventory position falls short.
inputs: [product_id, {warehouse: WH-001}]
nodes:
  orders:    {operation: orders.demand, inputs: {product_id: product_id}, timeout: 2s}
  stock:     {operation: inventory.position, inputs: {product_id: product_id, warehouse: warehouse}, timeout: 2s}
  supplier:  {operation: suppliers.terms, inputs: {product_id: product_id}, retry: {attempts: 3, delay: 1ms}}
  units:     {operation: units.factor, inputs: {product_id: product_id}, cache: {ttl: 30s}}
  decide:
    rulebook: purchasing
    inputs:
      demand_per_day: orders.demand
      available: stock.available
      moq: supplier.moq
      factor: units.factor
  wanted:
    type: conditional
    condition: decide.should_create_po and decide.order_qty > 0
    true_branch: [create]
    false_branch: [explain]
  create:
    operation: purchasing.create
    inputs: {product_id: product_id, quantity: decide.order_qty}
  explain:
    operation: purchasing.explain
    inputs: {need: decide.order_qty}
output:
  order: create.po_id
  quantity: decide.order_qty
"""

FETCHES = ("orders.demand", "inventory.position", "suppliers.terms", "units.factor")
PURCHASING_OPERATIONS = (*FETCHES, "purchasing.create", "purchasing.explain")
ANSWERS: dict[str, dict[str, object]] = {
    "orders.demand": {"demand": 15},
    "inventory.position": {"available": 20},
    "suppliers.terms": {"moq": 20},
    "units.factor": {"factor": 1},
    "purchasing.create": {"po_id": "PO-2026-000001"},
    "purchasing.explain": {"why": "covered"},
}


class Turn:
    """Simulated time: `sleep` waits in simulated nanoseconds, and time passes when nothing else can happen."""

    def __init__(self) -> None:
        self.now = 0
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()

    def monotonic(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + round(seconds * 1e9), next(self._order), wake))
        await wake

    async def run(self, task: asyncio.Task[object]) -> None:
        """Let time pass until the task is done."""
        while not task.done():
            for _ in range(25):
                await asyncio.sleep(0)
            if not task.done() and self._sleepers:
                due, _, wake = heapq.heappop(self._sleepers)
                self.now = max(self.now, due)
                if not wake.done():
                    wake.set_result(None)


def flow_of(text: str, operations: Sequence[str] = ("a", "b", "c", "d", "e"), **more: object) -> Flow:
    return load_flow(text, "test.yaml", operations=operations, **more)  # type: ignore[arg-type]


def executor_of(**operations: object) -> Executor:
    return Executor(operations, decide, SimulatedClock(START))  # type: ignore[arg-type]


def echo(items: Items) -> list[object]:
    return [dict(item) for item in items]


def decide(name: str, items: Items) -> list[object]:
    return [{"should_create_po": True, "order_qty": 100, "rulebook": name} for _ in items]


def purchasing_operations(log: list[tuple[str, int]] | None = None) -> dict[str, object]:
    """Make the operations of the purchasing flow; `log` gets (operation, number of items) of each call."""

    def operation(name: str) -> object:
        async def answer(items: Items) -> list[object]:
            if log is not None:
                log.append((name, len(items)))
            await asyncio.sleep(0)
            return [dict(ANSWERS[name]) for _ in items]

        return answer

    return {name: operation(name) for name in PURCHASING_OPERATIONS}


def purchasing_flow() -> Flow:
    return load_flow(PURCHASING, "purchasing.yaml", operations=PURCHASING_OPERATIONS, rulebooks=["purchasing"])
