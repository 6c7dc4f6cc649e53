"""Moves topics and positions from one stream to another; nobody may publish or consume meanwhile.

Every record is published again in its partition and in its order, so a key stays where it was; counts are equal.
Offsets change, so a group's position becomes that of the first record it has not done. A move that was interrupted is begun
again with `replace`, and the inboxes drop what comes twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import NamedTuple

from restock.core.errors import Conflict
from restock.engine.stream.port import Message, Record, Stream, TopicPartition

MOVE_RECORDS = 2_000
"""Records per read and publish: one flush for all of them, and a few megabytes in memory."""

Positions = dict[str, dict[TopicPartition, int]]
"""By group, the next offset it wants to read."""


class Moved(NamedTuple):
    """What was moved: records by topic, and the groups whose positions were set."""

    records: dict[str, int]
    groups: list[str]


async def move(
    source: Stream, target: Stream, *, replace: bool = False, tell: Callable[[int, int], None] = lambda _done, _of: None
) -> Moved:
    """Copy every topic of `source` and set the positions of its groups; `tell` hears records done and their number.

    Raises Conflict, before anything is written, when a topic has another number of partitions at the target, when it has
    records there (which `replace` forgets first), or when a group has members on either side.
    """
    topics = await source.topics()
    positions = await _positions(source, list(topics))
    await _check_nobody_lives(positions, source, target)
    total = await _checked(source, target, topics, replace)
    for topic, partitions in topics.items():
        await target.create_topic(topic, partitions, (await source.describe(topic)).retention)
        if replace:
            await target.trim(topic, {part: ends.high for part, ends in (await target.watermarks(topic)).items()})
    moved = dict.fromkeys(topics, 0)
    reached: Positions = {group: {} for group in positions}
    for place in [(topic, part) for topic, partitions in topics.items() for part in range(partitions)]:
        mapped = _Mapped({offsets[place] for offsets in positions.values() if place in offsets})
        async for records in _records(source, place):
            mapped.passed(records, await _published(target, place, records))
            moved[place[0]] += len(records)
            tell(sum(moved.values()), total)
        ends = mapped.ended((await target.watermarks(place[0]))[place[1]].high)
        for group, offsets in positions.items():
            if place in offsets:
                reached[group][place] = ends[offsets[place]]
    for group, offsets in reached.items():
        await target.reset(group, offsets)
    return Moved(moved, sorted(reached))


async def _published(target: Stream, place: TopicPartition, records: list[Record]) -> list[int]:
    """Publish the records again where they were, without a key too; give their offsets."""
    again = [(place[1], Message(one.topic, one.key, one.value, one.headers)) for one in records]
    return [one.offset for one in await target.publish_to(again)]


class _Mapped:
    """Finds for offsets of one partition those of the same records at the target."""

    def __init__(self, offsets: set[int]) -> None:
        self._open = sorted(offsets, reverse=True)
        self._found: dict[int, int] = {}

    def passed(self, records: list[Record], offsets: list[int]) -> None:
        """These records got these offsets."""
        for record, offset in zip(records, offsets, strict=True):
            while self._open and self._open[-1] <= record.offset:
                self._found[self._open.pop()] = offset
            if not self._open:
                return

    def ended(self, high: int) -> Mapping[int, int]:
        """Give what every offset became; those behind the last record became `high`."""
        return self._found | dict.fromkeys(self._open, high)


async def _positions(source: Stream, topics: list[str]) -> Positions:
    found: Positions = {}
    for group in await source.groups():
        for topic in topics:
            for partition, offset in (await source.committed(group, topic)).items():
                found.setdefault(group, {})[topic, partition] = offset
    return found


async def _check_nobody_lives(groups: Iterable[str], *streams: Stream) -> None:
    for group in groups:
        for stream in streams:
            if await stream.members(group):
                raise Conflict(f"Group {group} has living members.", remedy="Stop every server of this home first.")


async def _checked(source: Stream, target: Stream, topics: Mapping[str, int], replace: bool) -> int:
    """Refuse what would move keys or mix records; give the number of records to move."""
    there, total = await target.topics(), 0
    for topic, partitions in topics.items():
        total += sum(high - low for low, high in (await source.watermarks(topic)).values())
        if topic not in there:
            continue
        if there[topic] != partitions:
            raise Conflict(
                f"Topic {topic} has {partitions} partitions here and {there[topic]} at the target.",
                remedy="Keys would move: make a new topic there with this count.",
            )
        records = sum(high - low for low, high in (await target.watermarks(topic)).values())
        if records and not replace:
            raise Conflict(
                f"Topic {topic} has {records} records at the target.", remedy="Forget them first: --replace."
            )
    return total


async def _records(source: Stream, place: TopicPartition) -> AsyncIterator[list[Record]]:
    offset = (await source.watermarks(place[0]))[place[1]].low
    while records := await source.read(*place, offset, MOVE_RECORDS):
        yield records
        offset = records[-1].offset + 1
