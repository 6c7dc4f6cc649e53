"""Rates of the event stream."""
