"""The port that stores are given: transactions with group commit, statements compiled once per dialect, migrations."""

from restock.engine.database.port import Database, Databases, KeyTaken, Row, Transaction, Unit
from restock.engine.database.statement import Statement

__all__ = ["Database", "Databases", "KeyTaken", "Row", "Statement", "Transaction", "Unit"]
