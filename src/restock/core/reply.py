"""Replies that several ports share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stored:
    """How many rows differ from what was there."""

    changed: int
