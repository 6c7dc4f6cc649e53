"""Column types that every store shares, so that a number or a moment is stored in one way only."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Text

IDENTIFIER_LENGTH = 36
"""A UUID as text."""

NAME_LENGTH = 128
"""Products, suppliers, customers, warehouses, units: longer ones are refused at the edge."""

MOMENT_LENGTH = 27
"""RFC 3339 in UTC with microseconds: sorts as text as it sorts in time, in every database."""


def identifier(name: str, **options: Any) -> Column[str]:
    """Declare a column for an identifier."""
    return Column(name, String(IDENTIFIER_LENGTH), nullable=False, **options)


def label(name: str, **options: Any) -> Column[str]:
    """Declare a column for a short text: a product, a supplier, a state."""
    return Column(name, String(NAME_LENGTH), **{"nullable": False, **options})


def scaled(name: str, **options: Any) -> Column[int]:
    """Declare a column for a quantity or an amount in whole millionths (`restock.core.quantity`)."""
    return Column(name, BigInteger, **{"nullable": False, **options})


def count(name: str, **options: Any) -> Column[int]:
    """Declare a column for a whole number."""
    return Column(name, BigInteger, **{"nullable": False, **options})


def sequence(name: str) -> Column[int]:
    """Declare a primary key that the database counts up, never giving a number twice."""
    return Column(name, BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


def flag(name: str, **options: Any) -> Column[bool]:
    """Declare a column for yes or no."""
    return Column(name, Boolean, **{"nullable": False, **options})


def moment(name: str, **options: Any) -> Column[str]:
    """Declare a column for a moment as RFC 3339 text."""
    return Column(name, String(MOMENT_LENGTH), **{"nullable": False, **options})


def document(name: str, **options: Any) -> Column[str]:
    """Declare a column for JSON text."""
    return Column(name, Text, **{"nullable": False, **options})
