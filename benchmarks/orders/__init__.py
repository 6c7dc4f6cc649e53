"""Benchmarks of the orders context."""
