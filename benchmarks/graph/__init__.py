"""Benchmarks of the graph engine."""
