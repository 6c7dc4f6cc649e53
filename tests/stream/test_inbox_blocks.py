"""An inbox that keeps identifiers in blocks knows exactly what one with a row for each would."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from restock import analytics
from restock.adapters.database.embedded import EmbeddedDatabases
from restock.core.clock import SystemClock
from restock.core.errors import NotFound
from restock.core.ids import Ids
from restock.engine.database import Transaction
from restock.engine.stream import Inbox, seen
from restock.inventory import store
from restock.inventory.store import _BLOCKS, _INBOX_TABLE

PLACES = [("orders", 0), ("orders", 1), ("other", 0)]
Given = dict[tuple[str, int], list[str]]


class Desk:
    """An inbox and the database it stands in."""

    def __init__(self, home: Path) -> None:
        self.databases = EmbeddedDatabases(home, {"inventory": [store.SCHEMA]})
        self.database = self.databases["inventory"]
        self.inbox = Inbox(_INBOX_TABLE, "desk", blocks=_BLOCKS)
        self.rows = Inbox(_INBOX_TABLE, "desk")

    async def ask(self, given: Given) -> set[str]:
        async def unit(tx: Transaction) -> set[str]:
            fresh = await self.inbox.fresh_in(tx, given)
            return {one for ids in given.values() for one in ids} if fresh is None else fresh

        return await self.database.write("ask", unit)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path)
    yield made
    await made.databases.close()


@pytest.mark.parametrize("seed", range(12))
async def test_what_is_fresh_is_what_never_came(desk: Desk, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Identifiers of three partitions in and out of order, again and again, some of programs of others."""
    drawn = Random(seed)
    monkeypatch.setattr(seen, "BLOCK", drawn.choice([1, 3, 512]))
    monkeypatch.setattr(seen, "BLOCK_MOST", drawn.choice([2, 5, 1 << 16]))
    ids = Ids.seeded(SystemClock(), seed)
    known: dict[tuple[str, int], list[str]] = {place: [] for place in PLACES}
    had: set[str] = set()
    for _ in range(40):
        given: Given = {}
        for place in drawn.sample(PLACES, drawn.randint(1, 3)):
            new = ids.many(drawn.randint(0, 9)) + [f"foreign-{drawn.randrange(10**9)}"] * (drawn.random() < 0.2)
            old = drawn.sample(known[place], min(len(known[place]), drawn.choice([0, 0, 0, 4])))
            given[place] = [*new, *old, *new[: drawn.choice([0, 0, 2])]]
            if drawn.random() < 0.3:
                drawn.shuffle(given[place])
            known[place] += new
        every = {one for some in given.values() for one in some}
        assert await desk.ask(given) == every - had, f"seed {seed}"
        had |= every


async def test_an_undone_unit_makes_its_events_fresh_again(desk: Desk) -> None:
    given = {PLACES[0]: Ids(SystemClock()).many(3)}

    async def unit(tx: Transaction) -> None:
        assert await desk.inbox.fresh_in(tx, given) is None
        assert await desk.inbox.fresh_in(tx, given) == set()
        raise NotFound("undone")

    for _ in range(2):
        with pytest.raises(NotFound):
            await desk.database.write("try", unit)


async def test_what_an_older_program_remembered_in_rows_is_known(desk: Desk) -> None:
    before, after = Ids(SystemClock()).many(4), Ids(SystemClock()).many(4)
    assert await desk.database.write("ask", lambda tx: desk.rows.fresh(tx, before[:3])) == set(before[:3])
    assert await desk.ask({PLACES[0]: before}) == {before[3]}
    assert await desk.ask({PLACES[0]: before + after}) == set(after)
    assert await desk.ask({PLACES[1]: before[:3]}) == set(), "the rows say nothing of partitions"


@pytest.fixture
def connection() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection, Operations.context(MigrationContext.configure(connection)):
        yield connection
    engine.dispose()


def test_what_analytics_counted_is_carried_over(connection: sa.Connection) -> None:
    for name in ("0001_figures", "0002_windows"):
        _migrate(name)
    for number, last in enumerate(["b", "a", "c"]):
        row = {"number": number, "last": last}
        text = "INSERT INTO seen_block (topic, partition, number, first_id, last_id, ids) VALUES ('orders', 2, :number,"
        connection.execute(sa.text(f"{text} 'a', :last, 'x')"), row)
    connection.execute(sa.text("INSERT INTO reach VALUES ('orders', 2, 7, 'new', 'c', 3)"))
    _migrate("0003_inbox_blocks")
    rows = connection.execute(sa.text("SELECT consumer, topic, partition, number, last_id FROM inbox_block")).fetchall()
    assert sorted(tuple(row) for row in rows) == [("analytics", "orders", 2, at, "bbc"[at]) for at in range(3)]
    assert connection.execute(sa.text("SELECT * FROM reach")).fetchall() == [("orders", 2, 7, "new")]


def _migrate(name: str) -> None:
    path = Path(analytics.__file__).parent / "migrations" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.upgrade()
