"""Measurements of the rule engines."""
