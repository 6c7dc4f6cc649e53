"""How long background work rests after a round."""

from __future__ import annotations

import asyncio

import pytest

from restock.engine.stream.pace import ASIDE_SECONDS, FULL_ROUND, LONGEST_REST_SECONDS, SHORT_REST_SECONDS, Pace


async def test_after_a_long_round_the_rest_is_short_where_single_events_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []

    async def sleep(seconds: float) -> None:
        rests.append(seconds)

    pace = Pace()  # its round began when the machine did
    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "sleep", sleep)
        for events in (1, FULL_ROUND // 2, FULL_ROUND, 10 * FULL_ROUND):
            await pace.rest(events)
    assert rests == [SHORT_REST_SECONDS, LONGEST_REST_SECONDS / 2, LONGEST_REST_SECONDS, LONGEST_REST_SECONDS]


async def test_who_stands_aside_gathers_single_events_and_carries_a_heap_on(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []

    async def sleep(seconds: float) -> None:
        rests.append(seconds)

    pace = Pace(aside=True)
    pace.begin()
    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "sleep", sleep)
        for events in (1, FULL_ROUND - 1, FULL_ROUND):
            await pace.rest(events)
    assert rests[:2] == [ASIDE_SECONDS, ASIDE_SECONDS], "however short the round was"
    assert rests[2] < ASIDE_SECONDS
