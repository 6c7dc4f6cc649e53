"""Databases that keep the promise of `restock.engine.database.port`."""
