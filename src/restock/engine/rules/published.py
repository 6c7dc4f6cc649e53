"""The well-known inputs of the published purchasing rules, used when a text reads them without declaring them.

A published file declares nothing, yet everybody knows what `moq` is. Written in the language itself, so that a file may
say the same or something else.
"""

from __future__ import annotations

from typing import Final

from restock.engine.rules.errors import SourceText
from restock.engine.rules.parser import parse
from restock.engine.rules.syntax import FieldDeclaration

TEXT: Final = """
input avg_daily_demand: decimal;
input lead_time_days: decimal;
input safety_stock: decimal default 0;
input required_qty: decimal default round(avg_daily_demand * lead_time_days + safety_stock, 6, half_up);
input available_qty: decimal;
input on_order_qty: decimal default 0;
input moq: decimal default 0;
input order_multiple: decimal default 1;
input purchase_factor: decimal default 1;
input unit_price: decimal;
input is_active: bool;
"""

WELL_KNOWN: Final[dict[str, FieldDeclaration]] = {
    one.name: one
    for one in parse(SourceText("published inputs", TEXT))[0].declarations
    if isinstance(one, FieldDeclaration)
}
"""The declarations by name."""
