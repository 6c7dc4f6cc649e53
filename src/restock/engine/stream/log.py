"""The embedded log: the stream in one database of its own, no server needed.

A publish is one transaction: the partitions' next offsets are raised and the records added together, so offsets are dense
and two processes never give one twice. What one publish adds to a partition stands in one row, a record batch.
Publishes that wait at the same time share one flush of the disk (the database port's group commit). Durable writes are
named `create_topic`, `retain`, `expire`, `publish` and `offsets` for failpoints.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

import msgspec

from restock.core.clock import Clock, timestamp
from restock.core.errors import Conflict, InvalidInput
from restock.engine.database import Database, Transaction
from restock.engine.database.migrate import Schema
from restock.engine.stream import log_tables as sql
from restock.engine.stream.bells import Bell, Bells
from restock.engine.stream.checks import (
    check_message,
    checked_name,
    checked_partitions,
    checked_retention,
    headers_bytes,
)
from restock.engine.stream.groups import Groups
from restock.engine.stream.members import Member
from restock.engine.stream.murmur2 import partition_for
from restock.engine.stream.port import FOREVER, MAX_PUBLISH, MAX_READ, Message, Position, Record, Retention
from restock.engine.stream.presence import Presence
from restock.engine.stream.retention import Expiry

SCHEMA = Schema("stream", Path(__file__).parent / "migrations")
"""The log's tables, for the folder of databases; the log's database is named "stream"."""

BATCH_RECORDS = 500
"""Records in one row: beyond that a row saves nothing more, and a reader that wants few unpacks many."""

BATCH_BYTES = 1 << 20
"""A row is closed once it has so many bytes: what it holds is read as a whole."""

READ_BYTES = 8 << 20
"""A read stops after the slice that reaches this size, so that records of 1 MiB do not fill the memory."""

FIRST_SLICE = 8
"""Batches asked for before the sizes are known; each further slice is twice as long while they stay small."""

Entry = tuple[str, bytes | None, Mapping[str, str]]
"""A record as it stands in a batch: key, value, headers."""

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[tuple[str, bytes | None, dict[str, str]]]).decode

Row = dict[str, object]
Layout = dict[int, dict[int, list[tuple[int, Entry]]]]
"""Topic number, partition, and the entries for it with their place in the caller's list."""


class EmbeddedLog(Groups):
    """The stream on a `Database`. Use it from one event loop; other processes may open the same file."""

    def __init__(self, database: Database, clock: Clock, presence: Presence) -> None:
        super().__init__(database, presence)
        self._clock = clock
        self._expiry = Expiry(database, clock)
        self._bells = Bells()

    async def create_topic(self, name: str, partitions: int, retention: Retention = FOREVER) -> None:
        """Make a topic, or find it with the same count. Raises Conflict, InvalidInput."""
        checked_name(name, "topic")
        checked_partitions(partitions)
        ms, size, unread = checked_retention(retention)
        at = timestamp(self._clock.now())

        async def create(tx: Transaction) -> int:
            topics = {found: (number, count) for found, number, count in await tx.read(sql.ALL_TOPICS)}
            if name in topics:
                return int(topics[name][1])
            number = 1 + max((number for number, _ in topics.values()), default=0)
            kept = {"retention_ms": ms, "retention_bytes": size, "keep_unread": unread}
            await tx.write(
                sql.ADD_TOPIC, {"name": name, "id": number, "partitions": partitions, "created_at": at, **kept}
            )
            await tx.write_many(
                sql.ADD_PARTITION,
                [{"topic": number, "partition": part, "low": 0, "high": 0, "bytes": 0} for part in range(partitions)],
            )
            return partitions

        existing = (await self.topics()).get(name) or await self._database.write("create_topic", create)
        if existing != partitions:
            raise Conflict(
                f"Topic {name} has {existing} partitions, not {partitions}.",
                remedy="Keys would move: make a new topic and copy.",
            )

    async def retain(self, topic: str, retention: Retention) -> None:
        """Let a topic keep more or less from now on."""
        ms, size, unread = checked_retention(retention)
        await self._topic(topic)

        async def unit(tx: Transaction) -> None:
            await tx.write(sql.RETAIN, {"wanted": topic, "ms": ms, "size": size, "unread": unread})

        await self._database.write("retain", unit)

    async def expire(self) -> int:
        """Forget some of what no topic keeps any longer; give how many records."""
        return await self._expiry.step()

    async def publish(self, messages: Sequence[Message]) -> list[Position]:
        """Store all messages or none; return their places once they are durable."""
        if not messages:
            return []
        if len(messages) > MAX_PUBLISH:
            raise InvalidInput(
                f"{len(messages)} messages are too many for one publish.", remedy=f"Give at most {MAX_PUBLISH}."
            )
        return await self._stored(messages, await self._layout(messages))

    async def publish_to(self, placed: Sequence[tuple[int, Message]]) -> list[Position]:
        """Store all messages or none, each in the partition given with it."""
        if not placed:
            return []
        if len(placed) > MAX_PUBLISH:
            raise InvalidInput(
                f"{len(placed)} messages are too many for one publish.", remedy=f"Give at most {MAX_PUBLISH}."
            )
        return await self._stored([message for _, message in placed], await self.layout_of(placed))

    async def _stored(self, messages: Sequence[Message], layout: Layout) -> list[Position]:
        """Append the entries; give their places once they are durable."""
        places = await self._database.write("publish", lambda tx: self.append(tx, layout, len(messages)))
        self.ring({message.topic for message in messages})
        return [Position(message.topic, part, offset) for message, (part, offset) in zip(messages, places, strict=True)]

    async def append(self, tx: Transaction, layout: Layout, count: int) -> list[tuple[int, int]]:
        """Append so many entries in a unit; give partition and offset by the entries' places."""
        places: list[tuple[int, int]] = [(0, 0)] * count
        at = timestamp(self._clock.now())
        raised: list[Row] = []
        rows: list[Row] = []
        for number, parts in layout.items():
            found = await tx.read(sql.HIGHS, {"wanted": number, "partitions": list(parts)})
            for part, high in found:
                for offset, (place, _) in enumerate(parts[part], high):
                    places[place] = (part, offset)
                batches = _batches(number, part, high, [entry for _, entry in parts[part]], at)
                where = {"of_topic": number, "of_partition": part}
                more = sum(len(cast("bytes", one["batch"])) for one in batches)
                raised.append({**where, "new_high": high + len(parts[part]), "more": more})
                rows += batches
        await tx.write_many(sql.RAISE_HIGH, raised)
        await tx.write_many(sql.ADD_BATCH, rows)
        return places

    def ring(self, topics: Iterable[str]) -> None:
        """Wake who listens to the topics."""
        self._bells.ring(set(topics))

    def named(self, numbers: Iterable[int]) -> list[str]:
        """Give the names of topics that this process wrote to, by their numbers."""
        names = {number: name for name, (number, _) in self._topics.items()}
        return [names[number] for number in numbers if number in names]

    async def layout_of(self, placed: Sequence[tuple[int, Message]]) -> Layout:
        """Check messages with their partitions and sort them, keeping their order. Raises InvalidInput, NotFound."""
        layout: Layout = defaultdict(lambda: defaultdict(list))
        for place, (partition, message) in enumerate(placed):
            topic, key, value, headers = message.topic, message.key, message.value, message.headers
            check_message(topic, key or "-", value, headers_bytes(topic, headers))
            layout[await self.number(topic, partition)][partition].append((place, (key, value, headers)))
        return layout

    async def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        """Give up to `limit` records from `offset` on, in order; fewer where records are large."""
        number = await self.number(topic, partition)
        if offset < 0:
            raise InvalidInput(f"{offset} is not an offset.", field="offset", remedy="Give 0 or more.")
        if not 1 <= limit <= MAX_READ:
            raise InvalidInput(f"{limit} is not a number of records.", field="limit", remedy=f"Give 1 to {MAX_READ}.")
        records: list[Record] = []
        size, ask, end = 0, FIRST_SLICE, offset + limit
        while size < READ_BYTES and len(records) < limit:
            most = ask
            found = await self._database.read(
                sql.READ, {"wanted": number, "of_partition": partition, "start": offset, "end": end, "most": most}
            )
            for base, _, batch, at in found:
                start, room = max(0, offset - base), limit - len(records)
                if not room:
                    break
                entries = _unpack(batch)[start : start + room]
                records += [
                    Record(topic, partition, place, key, value, headers, at)
                    for place, (key, value, headers) in enumerate(entries, base + start)
                ]
                offset = base + start + len(entries)
            if len(found) < most:
                break
            size += sum(len(row[2]) for row in found)
            ask *= 2
        return records

    def consumer(self, group: str, topics: Sequence[str]) -> Member:
        """Give a new member of a group that reads these topics."""
        return Member(self, self._database, self._presence, checked_name(group, "group"), list(topics))

    async def offsets_at(self, topic: str, at: str) -> dict[int, int]:
        """Give by partition the offset of the first record stored at or after a moment, or the end."""
        number, _ = await self._topic(topic)
        found: dict[int, int] = dict(await self._database.read(sql.FIRST_AT, {"wanted": number, "moment": at}))
        return {part: found.get(part, ends.high) for part, ends in (await self.watermarks(topic)).items()}

    async def trim(self, topic: str, before: Mapping[int, int]) -> dict[int, int]:
        """Forget whole batches below an offset, by partition; give the first offsets that are left."""
        marks = await self.watermarks(topic)
        for partition in before:
            await self.number(topic, partition)
        number, _ = await self._topic(topic)
        left: dict[int, int] = {}

        async def unit(tx: Transaction) -> None:
            for partition, offset in before.items():
                where = {"of_topic": number, "of_partition": partition}
                asked = {"wanted": number, "of_partition": partition, "before": offset}
                ((kept,),) = await tx.read(sql.FIRST_KEPT, asked)
                low = max(marks[partition].low, marks[partition].high if kept is None else kept)
                ((size,),) = await tx.read(sql.DROPPED_BYTES, {**where, "new_low": low})
                await tx.write(sql.DROP_BATCHES, {**where, "new_low": low})
                await tx.write(sql.RAISE_LOW, {**where, "new_low": low, "less": int(size)})
                left[partition] = low

        await self._database.write("trim", unit)
        return left

    def listen(self, topics: Iterable[str]) -> Bell:
        """Give a listener that wakes when this process publishes to one of the topics."""
        return self._bells.listen(topics)

    async def close(self) -> None:
        """Nothing is held: the database belongs to who opened it."""

    async def _layout(self, messages: Sequence[Message]) -> Layout:
        """Check every message and sort the entries by topic and partition, keeping their order."""
        layout: Layout = defaultdict(lambda: defaultdict(list))
        for place, message in enumerate(messages):
            topic, key, value = message.topic, message.key, message.value
            check_message(topic, key, value, headers_bytes(topic, message.headers))
            number, partitions = self._topics.get(topic) or await self._topic(topic)
            layout[number][partition_for(key, partitions)].append((place, (key, value, message.headers)))
        return layout


def _batches(topic: int, partition: int, base: int, entries: Sequence[Entry], at: str) -> list[Row]:
    """Cut the entries of one partition into rows of at most `BATCH_RECORDS` and about `BATCH_BYTES`."""
    rows: list[Row] = []
    start = size = 0
    for place, (_, value, _) in enumerate(entries, 1):
        size += len(value or b"")
        if place - start == BATCH_RECORDS or size >= BATCH_BYTES or place == len(entries):
            part = entries[start:place]
            rows.append(
                {"topic": topic, "partition": partition, "base": base + start, "records": len(part),
                 "batch": _pack(part), "at": at}
            )  # fmt: skip
            start, size = place, 0
    return rows
