"""What the options of derived commands mean: one sentence per field of a request, for every operation that has it."""

from __future__ import annotations

from collections.abc import Mapping

MEANINGS: Mapping[str, str] = {
    "actor": "Who does it; may not approve what they created or changed",
    "after": "Go on after this one: the last of the page before",
    "author": "Who wrote it; may not approve it",
    "before": "Go on with what is older than this one: the last of the page before",
    "cases": "Its cases, as YAML",
    "causation_id": "The event that made somebody ask",
    "conversions": "The conversions to store",
    "customer_id": "The customer of each line, or empty",
    "day": "The day of each line, as YYYY-MM-DD",
    "decision_id": "The decision, as an order or a run names it",
    "demand": "The demand to store",
    "digest": "The SHA-256 of the file",
    "dry_run": "Only say what would be moved",
    "effective": "The day or moment from which it is in force once approved; empty waits for activate",
    "event_id": "The event",
    "file": "The name of the file",
    "group": "The group of readers",
    "from_": "The first day or moment that counts",
    "decided": "Also those that were replayed or discarded",
    "idempotency_key": "A word of your choice: the same request with it acts once",
    "items": "The products to store",
    "key": "What tells each line from every other; a known one changes nothing",
    "kind": "sale or return, for each line",
    "limit": "How many at most",
    "letter": "The dead letter, as `restock dlq list` names it",
    "lines": "What arrived, in stock units; nothing means all that was still to come",
    "name": "The rulebook",
    "notes": "What it changes, and why",
    "note": "Why, in a sentence",
    "order_id": "The customer order",
    "orders": "The customer orders to accept",
    "outcome": "Only products with this outcome, like blocked or no_need",
    "path": "Only records where this path holds, like .data.sku=WIDGET-1",
    "plan_no": "The plan; 0 is the newest",
    "po_id": "The purchase order",
    "price": "The price of each line",
    "product_id": "The product",
    "products": "The products",
    "proposal_id": "The proposal",
    "quantity": "The quantity of each line, above 0",
    "reason": "Why, for the history of the order",
    "reference": "The invoice or order of each line",
    "rejected": "Lines of the file that were rejected",
    "keep_unread": "Whether what a group has still to read stays all the same (on Kafka it never does)",
    "retention_bytes": "Bytes of each partition that are kept; -1 for all",
    "retention_ms": "Milliseconds that records are kept; -1 for ever",
    "returns": "Lines of the file that are returns",
    "run_id": "The run",
    "sales": "Lines of the file that are sales",
    "schema_version": "The published interface they came by, 1 or 2; it is only counted",
    "size": "minute, hour or day",
    "since": "Only decisions from this day or moment on",
    "start": "earliest, latest, an offset, -N for the last N, a moment, or next of the answer before",
    "state": "Only orders in this state, like sent or pending_approval",
    "stock": "The counts to store",
    "stock_date": "The day after the window that demand is computed from",
    "supplier_id": "Only of this supplier",
    "terms": "The terms to store",
    "text": "The text of the rulebook",
    "to": "earliest, latest, a moment or an offset; of windows the moment before which they end",
    "top": "How many of the best customers and products",
    "topic": "The topic",
    "until": "Only decisions before this day or moment",
    "version": "The version; its first letters are enough",
    "warehouse_id": "The warehouse",
    "window_days": "How many days before the stock date count",
}
"""The fields of requests, by name."""

ELSEWHERE: Mapping[tuple[str, str], str] = {
    ("decisions.advance", "reason"): "Why, for the history of the version",
    ("decisions.approve", "reason"): "Why, for the history of the version",
    ("decisions.activate", "reason"): "Why, for the history of the version",
    ("decisions.rollback", "reason"): "Why, for the history of the version",
    ("decisions.withdraw", "reason"): "Why, for the history of the version",
    ("orders.finish_import", "lines"): "Lines of the file",
    ("purchasing.orders", "product_id"): "Only orders with this product",
    ("replenishment.runs", "product_id"): "Only runs of this product",
    ("streams.records", "key"): "Only records with this key",
}
"""Where a name means something else."""


def meaning(operation: str, field: str) -> str:
    """Say what a field of an operation's request means."""
    return ELSEWHERE.get((operation, field)) or MEANINGS[field]
