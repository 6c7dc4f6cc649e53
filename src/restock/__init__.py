"""Restock turns customer orders into the right purchase orders by itself, and can say why."""

__version__ = "0.1.0"
