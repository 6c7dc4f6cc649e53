"""Suppliers' terms in this process."""

from __future__ import annotations

from restock.app.wiring import Given, Part
from restock.suppliers.service import SuppliersService


def made(given: Given) -> Part:
    """Wire the context."""
    return Part(SuppliersService(given.databases["supplier"], given.clock))
