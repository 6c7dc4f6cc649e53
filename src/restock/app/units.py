"""Conversions in this process."""

from __future__ import annotations

from restock.app.wiring import Given, Part
from restock.units.service import UnitsService


def made(given: Given) -> Part:
    """Wire the context."""
    return Part(UnitsService(given.databases["uom"], given.clock))
