"""The flow on plain data: the graph engine and the rulebook; no store, no server. `python examples/in_memory_flow.py`"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from importlib.resources import files

from restock.core.clock import SystemClock
from restock.engine.graph import Call, Executor, load_flow
from restock.engine.rules import Rulebook

DEMAND = {"PROD-001": {"per_day": "15.5"}, "PROD-002": {"per_day": 50}, "PROD-003": {"per_day": 22}}
AVAILABLE = {"PROD-001": 20, "PROD-002": 5, "PROD-003": 7}
TERMS = {
    "PROD-001": {"lead_time_days": 7, "moq": 20, "order_multiple": 20, "unit_price": "15.99"},
    "PROD-002": {"lead_time_days": 5, "moq": 100, "order_multiple": 1, "unit_price": "15.50"},
    "PROD-003": {"lead_time_days": 5, "moq": 10, "order_multiple": 10, "unit_price": "25"},
}
ON_ORDER: dict[str, Decimal] = {}
FLOW = """
flow: in memory
inputs: [product_id]
nodes:
  demand: {operation: demand, inputs: {product_id: product_id}}
  stock: {operation: stock, inputs: {product_id: product_id}}
  terms: {operation: terms, inputs: {product_id: product_id}}
  decision:
    rulebook: purchasing
    inputs: {avg_daily_demand: demand.per_day, available_qty: stock.available, on_order_qty: stock.on_order,
             lead_time_days: terms.lead_time_days, moq: terms.moq, order_multiple: terms.order_multiple,
             unit_price: terms.unit_price, is_active: true}
  must_order: {condition: decision.should_create_po == true, true_branch: [order]}
  order: {operation: order, inputs: {product_id: product_id, quantity: decision.order_qty}}
output: {decision: decision}
"""
RULES = Rulebook.parse((files("restock") / "decisions/rulebooks/purchasing.grl").read_text("utf-8"), "purchasing.grl")
Items = Sequence[Mapping[str, object]]


def rows(found: Mapping[str, object]) -> Call:
    """Give an operation that looks products up."""
    return lambda items: [found[str(item["product_id"])] for item in items]


def stock(items: Items) -> list[object]:
    """Give stock and supply."""
    products = [str(item["product_id"]) for item in items]
    return [{"available": AVAILABLE[each], "on_order": ON_ORDER.get(each, Decimal(0))} for each in products]


def order(items: Items) -> list[object]:
    """Remember what is ordered."""
    ON_ORDER.update((str(item["product_id"]), Decimal(str(item["quantity"]))) for item in items)
    return list(items)


async def decide(_rulebook: str, items: Items) -> list[object]:
    """Ask the rules."""
    return [each if isinstance(each, Exception) else each.outputs for each in RULES.decide_many(items)]


async def main() -> None:
    """Run the flow for the three products, twice."""
    operations = {"demand": rows(DEMAND), "stock": stock, "terms": rows(TERMS), "order": order}
    flow = load_flow(FLOW, "in_memory.yaml", operations=operations)
    executor = Executor(operations, decide, SystemClock())
    for heading in ("First", "Again"):
        print(heading)
        runs = await executor.run(flow, [{"product_id": product} for product in DEMAND])
        for product, run in zip(DEMAND, runs, strict=True):
            made = run.outputs["decision"]
            ordered = f"orders {made['order_qty']} for {made['total_amount']:,.2f} USD"
            print(f"  {product} {ordered if made['should_create_po'] else 'is covered'}")


if __name__ == "__main__":
    asyncio.run(main())
