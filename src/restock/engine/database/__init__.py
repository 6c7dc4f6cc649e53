"""The port that stores are given: transactions with group commit, statements compiled once per dialect, migrations."""

from restock.engine.database.port import Database, KeyTaken, Row, Transaction, Unit
from restock.engine.database.statement import Statement

__all__ = ["Database", "KeyTaken", "Row", "Statement", "Transaction", "Unit"]
