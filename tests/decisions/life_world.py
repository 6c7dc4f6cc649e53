"""A rulebook of two rules, its life on a home of the test, and how far it is taken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.core.clock import Clock, SimulatedClock
from restock.core.ids import Ids
from restock.decisions.library import Library
from restock.decisions.model import Version
from restock.decisions.port import DecideRequest, Decision, MoveRequest, SubmitRequest
from restock.decisions.service import DecisionsService
from restock.decisions.store import SCHEMA

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
NAME = "limits"
ALICE, BOB = "alice", "bob"


def text(limit: int, extra: str = "") -> str:
    """Give a rulebook by which what costs more than the limit waits."""
    return f"""input amount: decimal(9,2) in 0..1000000;
output grand_total: decimal(12,2) in 0..2000000 default 0;
output waits: bool default false;
invariant "what costs more waits": waits || grand_total <= {limit};
rule Total salience 10 no-loop {{ when amount > 0 then grand_total = amount; }}
rule Wait salience 5 no-loop {{ when grand_total > {limit} then waits = true; }}
{extra}"""


@asynccontextmanager
async def decisions(home: Path, clock: Clock | None = None) -> AsyncIterator[DecisionsService]:
    """The decisions of a home."""
    clock = clock or SimulatedClock(START)
    databases = EmbeddedDatabases(home, {"decisions": [SCHEMA]})
    try:
        yield DecisionsService(databases["decisions"], Library(home / "rulebooks"), clock, Ids(clock))
    finally:
        await databases.close()


async def submitted(service: DecisionsService, limit: int, effective: str = "") -> Version:
    """Submit a version."""
    return await service.submit(SubmitRequest(NAME, text(limit), ALICE, effective=effective))


def move(version: Version, actor: str = BOB) -> MoveRequest:
    """Ask for a move of a version."""
    return MoveRequest(version.name, version.version, actor)


async def approved(service: DecisionsService, limit: int, effective: str = "") -> Version:
    """Take a version as far as approval."""
    version = await submitted(service, limit, effective)
    assert not (await service.advance(move(version))).stopped
    return await service.approve(move(version))


async def activated(service: DecisionsService, limit: int) -> Version:
    """Take a version into force."""
    return await service.activate(move(await approved(service, limit)))


async def decided(service: DecisionsService, amount: object, version: str = "", *, record: bool = True) -> Decision:
    """Decide once."""
    request = DecideRequest(NAME, [{"amount": Decimal(str(amount))}], record=record, version=version)
    (made,) = (await service.decide(request)).results
    assert isinstance(made, Decision)
    return made


async def waits(service: DecisionsService, amount: int) -> bool:
    """Tell what is decided on an amount."""
    return bool((await decided(service, amount, record=False)).outputs["waits"])
