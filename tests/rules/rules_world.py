"""What the tests of the rule language share: the shipped rulebooks, golden products, and makers of random ones."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import restock
from restock.engine.rules import Decision, Rulebook

RULEBOOKS = Path(restock.__file__).parent / "decisions" / "rulebooks"
PUBLISHED_TEXT = (RULEBOOKS / "published.grl").read_text("utf-8")
PURCHASING_TEXT = (RULEBOOKS / "purchasing.grl").read_text("utf-8")
PUBLISHED = Rulebook.parse(PUBLISHED_TEXT, "published.grl")
PURCHASING = Rulebook.parse(PURCHASING_TEXT, "purchasing.grl")

GOLDEN = {
    # set, product: demand, available, moq, lead, price, shortage, quantity, total, approval, final, grand
    "A-001": ("15.5", 20, 20, 7, "15.99", "88.5", "88.5", "1415.115", "auto_approved", "1415.115", "1528.3242"),
    "A-002": ("50", 5, 100, 5, "15.50", "245", "245", "3797.5", "auto_approved", "3797.5", "4101.3"),
    "A-003": ("22", 7, 10, 5, "25", "103", "103", "2575", "auto_approved", "2575", "2781"),
    "C-001": ("10", 100, 50, 7, "25", "-30", "0", "0", "", "0", "0"),
    "C-002": ("50", 5, 100, 5, "15.50", "245", "245", "3797.5", "auto_approved", "3797.5", "4101.3"),
    "C-003": ("200", 1, 50, 10, "120", "1999", "1999", "239880", "pending", "215892", "233163.36"),
    "C-004": ("80", 10, 75, 7, "35", "550", "550", "19250", "pending", "19250", "20790"),
    "C-005": ("30", 0, 60, 5, "22.5", "150", "150", "3375", "auto_approved", "3375", "3645"),
}


def golden_facts(key: str) -> dict[str, object]:
    demand, available, moq, lead, price = GOLDEN[key][:5]
    return {
        "avg_daily_demand": demand,
        "available_qty": available,
        "moq": moq,
        "lead_time_days": lead,
        "unit_price": price,
        "is_active": True,
    }


def product(**changes: object) -> dict[str, object]:
    """An ordinary product of the default rulebook: 100 needed, none there, price 1."""
    facts: dict[str, object] = {"required_qty": 100, "available_qty": 0, "unit_price": 1, "is_active": True}
    return facts | changes


def both(book: Rulebook, facts: dict[str, object], module: str = "") -> Decision:
    """Decide by both engines, which must agree, and give the decision."""
    row = book.decide(facts, engine="row", module=module)
    reference = book.decide(facts, engine="reference", module=module)
    assert row == reference
    return row


def number(decision: Decision, name: str) -> Decimal:
    value = decision.outputs[name]
    assert isinstance(value, Decimal)
    return value


def rule(body: str, *, name: str = "R", attributes: str = "no-loop") -> str:
    return f"rule {name} {attributes} {{ {body} }}\n"


def one(text: str) -> Rulebook:
    return Rulebook.parse(text, "test.grl")
