"""Where analytics listens: every topic. The figures change in the transaction that records the events as seen."""

from __future__ import annotations

from collections.abc import Sequence

from restock.analytics import store
from restock.analytics.model import additions
from restock.core.event import Event
from restock.engine.database import Transaction


async def on_events(tx: Transaction, events: Sequence[Event]) -> None:
    """Add the events to the figures."""
    await store.add(tx, additions(events))
