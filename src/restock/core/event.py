"""The envelope of every event: what happened, to what, when, because of what.

Events are past-tense nouns (OrderPlaced). The envelope travels with the record: the identifier makes an effect happen
once, the key keeps the order of one thing, the causation leads from a purchase order back to the customer order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from restock.core.value import value


@value
class Event:
    """One fact on a topic. `data` holds plain values only: text, bool, int, Decimal, None, lists and dicts of them."""

    event_id: str
    type: str
    topic: str
    key: str
    at: str
    data: Mapping[str, object] = field(default_factory=dict)
    causation_id: str = ""
