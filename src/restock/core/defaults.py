"""What is meant when nothing is said: the words of the product, in one place."""

from __future__ import annotations

DEFAULT_WAREHOUSE = "WH-001"
DEFAULT_UNIT = "PIECE"
DEFAULT_CURRENCY = "USD"

SESSION_SECONDS = 10
"""Silence after which a member of a group counts as dead: longer than any batch takes, shorter than anybody's patience."""
