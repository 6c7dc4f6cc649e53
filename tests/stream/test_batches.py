"""What waited in the tables of version 1, a row per event, is carried over into batches."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.adapters.database.presence import FilePresence
from restock.core.clock import SystemClock
from restock.engine import stream
from restock.engine.stream import EmbeddedLog, Message
from restock.engine.stream.log import SCHEMA
from restock.engine.stream.outbox import Waiting, events_in
from restock.engine.stream.tables import batch_outbox, create_outbox


@pytest.fixture
def connection() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection, Operations.context(MigrationContext.configure(connection)):
        yield connection
    engine.dispose()


def migrate(name: str) -> None:
    """Run one migration of the log."""
    path = Path(stream.__file__).parent / "migrations" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.upgrade()


def test_events_that_wait_in_an_old_outbox_are_carried_over_in_order(connection: sa.Connection) -> None:
    from alembic import op

    create_outbox(op)
    waiting = [Waiting(f"e{n}", "orders", f"ä{n}", b"\x00%d" % n) for n in range(3)]
    for one in waiting:
        row = {"id": one.event_id, "topic": one.topic, "key": one.key, "value": one.value}
        text = "INSERT INTO outbox (event_id, topic, key, value, headers, created_at)"
        connection.execute(sa.text(f"{text} VALUES (:id, :topic, :key, :value, '{{}}', 'at')"), row)
    batch_outbox(op)
    rows = connection.execute(sa.text("SELECT events, batch, created_at FROM outbox_batch ORDER BY seq")).fetchall()
    assert [(row[0], row[2]) for row in rows] == [(1, "at")] * 3
    assert [events_in(row[1])[0] for row in rows] == waiting
    assert "outbox" not in sa.inspect(connection).get_table_names()


def test_records_of_an_old_log_are_carried_over_at_their_offsets(connection: sa.Connection) -> None:
    migrate("0001_log")
    for offset in (4, 3):
        row = {"offset": offset, "value": b"%d" % offset}
        text = 'INSERT INTO record (topic, partition, "offset", key, value, headers, at)'
        connection.execute(sa.text(f"{text} VALUES (1, 2, :offset, 'k', :value, '{{\"event-id\":\"e\"}}', 'at')"), row)
    migrate("0002_record_batches")
    rows = connection.execute(sa.text("SELECT * FROM record_batch ORDER BY base")).fetchall()
    assert [(*row[:4], row[5]) for row in rows] == [(1, 2, 3, 1, "at"), (1, 2, 4, 1, "at")]
    assert [msgspec.msgpack.decode(row[4]) for row in rows] == [
        [["k", b"%d" % offset, {"event-id": "e"}]] for offset in (3, 4)
    ]


@pytest.mark.parametrize("limit", range(1, 12))
async def test_a_read_takes_as_many_records_as_it_asks_for_across_batches(migrated_home: Path, limit: int) -> None:
    databases = EmbeddedDatabases(migrated_home, {"stream": [SCHEMA]})
    log = EmbeddedLog(databases["stream"], SystemClock(), FilePresence(migrated_home))
    topic = f"taken-{limit}"
    await log.create_topic(topic, 1)
    for size in (3, 1, 4, 2):
        await log.publish([Message(topic, "k", b"%d" % n) for n in range(size)])
    for start in range(11):
        found = [record.offset for record in await log.read(topic, 0, start, limit)]
        assert found == list(range(start, min(10, start + limit)))
    await databases.close()
