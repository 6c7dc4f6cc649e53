"""Rates and ratios, measured; `make bench` runs all. Never run as timed tests."""
