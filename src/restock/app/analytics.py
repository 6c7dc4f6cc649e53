"""Figures in this process, counted from every topic."""

from __future__ import annotations

from restock.analytics.consumer import FiguresConsumer
from restock.analytics.service import AnalyticsService
from restock.app.topics import TOPICS
from restock.app.wiring import Given, Part


def made(given: Given) -> Part:
    """Wire the context."""
    database = given.databases["analytics"]
    consumer = FiguresConsumer(given.stream, list(TOPICS), database, on_bad=given.letters.of("analytics"))
    return Part(AnalyticsService(database), subscribers=[consumer])
