"""The network engine: facts by handle that change, and rules that follow. Callers need `Network`."""

from restock.engine.rules.network.network import Network

__all__ = ["Network"]
