"""A process that works on the rulebooks of a home, to be killed or raced: `life_child.py HOME WORK`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from life_world import BOB, NAME, START, decided, decisions, move

from restock.core.clock import SimulatedClock
from restock.decisions.model import State
from restock.decisions.port import RollbackRequest, VersionsRequest
from restock.decisions.service import DecisionsService

LONG_AFTER = timedelta(days=30)


async def activate(service: DecisionsService) -> None:
    """Put in force what is approved."""
    known = await service.versions(VersionsRequest(NAME))
    (version,) = [one for one in known if one.state == State.APPROVED]
    await service.activate(move(version))


async def rollback(service: DecisionsService) -> None:
    """Take back what is in force."""
    await service.rollback(RollbackRequest(NAME, BOB))


async def decide(service: DecisionsService) -> None:
    """Decide once: what has come due comes into force by it."""
    await decided(service, 150)


async def load(service: DecisionsService) -> None:
    """Decide until the parent closes the input; tell of each decision which version made it, and what came out."""
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    while not ended.done():
        made = await decided(service, 150)
        print(made.version, made.outputs["waits"], made.decision_id, flush=True)  # noqa: T201 - the protocol
        await asyncio.sleep(0)


WORK: dict[str, Callable[[DecisionsService], Awaitable[None]]] = {
    "activate": activate,
    "rollback": rollback,
    "decide": decide,
    "load": load,
}


async def live(home: Path, work: str) -> None:
    """Do the work long after the start, when every date has passed."""
    clock = SimulatedClock(START)
    if work == "decide":
        clock.advance(LONG_AFTER)
    async with decisions(home, clock) as service:
        await WORK[work](service)


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), sys.argv[2]))
