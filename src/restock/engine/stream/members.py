"""A member of a group on the embedded log: owns partitions, reads them, commits what it owns.

Who owns what stands beside the offsets. Every member works out by itself how the partitions are shared out among those who
live (`presence.shared_out`), takes what is free and its own, and lets go of what is another's: nobody takes a partition
from a member that lives. An owner has a number, the epoch, which grows with each change; a commit names it, so what a former
owner commits is refused in the transaction itself. Its durable writes are named `members` and `offsets`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from restock.engine.database import Database, Transaction
from restock.engine.stream import log_tables as sql
from restock.engine.stream.port import Fenced, Listener, Record, TopicPartition, Watermarks
from restock.engine.stream.presence import Presence, Sign, shared_out

LOOK_SECONDS = 0.5
"""How often a member looks who else lives: two looks, and a partition has changed hands."""

_topics_of = msgspec.json.Decoder(list[str]).decode


class Log(Protocol):
    """What a member asks of the log."""

    async def ends(self, topics: Sequence[str]) -> dict[TopicPartition, Watermarks]:
        """Give the first offset and the next offset to be written, for all partitions of some topics."""
        ...

    async def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        """Give records."""
        ...

    async def partitions(self, topic: str) -> int:
        """Give the number of partitions."""
        ...

    async def number(self, topic: str, partition: int) -> int:
        """Give the number of a topic that has such a partition."""
        ...

    def listen(self, topics: Iterable[str]) -> Listener:
        """Give a bell."""
        ...


class Owned(NamedTuple):
    """How far the group has come in a partition (-1 for never committed), and who owns it."""

    next: int
    owner: str
    epoch: int


class Group(NamedTuple):
    """What is stored of a group: the topics of each member, and its partitions."""

    members: dict[str, list[str]]
    places: dict[TopicPartition, Owned]


class Moves(NamedTuple):
    """What a member has to change to be where it should be."""

    join: bool
    gone: list[str]
    new: list[TopicPartition]
    take: list[TopicPartition]
    release: list[TopicPartition]


async def stored(reader: Database | Transaction, group: str) -> Group:
    """Read what is stored of a group."""
    members = {member: _topics_of(topics) for member, topics in await reader.read(sql.MEMBERS, {"of_group": group})}
    rows = await reader.read(sql.OWNERS, {"of_group": group})
    return Group(members, {(topic, part): Owned(*rest) for topic, part, *rest in rows})


class Member:
    """Fulfils `restock.engine.stream.port.Consumer`; made by `EmbeddedLog.consumer`."""

    def __init__(self, log: Log, database: Database, presence: Presence, group: str, topics: list[str]) -> None:
        self.group = group
        self._log = log
        self._database = database
        self._presence = presence
        self._topics = topics
        self._sign: Sign | None = None
        self._owned: dict[TopicPartition, Owned] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._counts: dict[str, int] = {}
        self._turn = 0
        self._bell: Listener | None = None
        self._look_at = 0.0

    @property
    def assignment(self) -> Mapping[TopicPartition, int]:
        """The partitions it owns, each with the offset of the next record."""
        return self._positions

    async def poll(self, limit: int) -> list[Record]:
        """Give up to `limit` records of the partitions it owns; see the port."""
        await self._attend()
        ends = await self._log.ends(self._topics)
        ready: list[TopicPartition] = []
        for place in self._positions:
            low, high = ends[place]
            self._positions[place] = max(self._positions[place], low)
            if self._positions[place] < high and place not in self._paused:
                ready.append(place)
        records: list[Record] = []
        reached: dict[TopicPartition, int] = {}
        for place in self._in_turn(ready):
            room = min(limit - len(records), ends[place].high - self._positions[place])
            found = await self._log.read(*place, self._positions[place], room)
            if found:
                records += found
                reached[place] = found[-1].offset + 1
            if len(records) >= limit:
                break
        self._positions |= reached  # only now: what was read before a read that failed is given to nobody
        return records

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Remember durably the next offset of partitions it owns. Raises Fenced, and then keeps nothing."""
        lost = next((place for place in offsets if place not in self._owned), None)
        if lost is not None:
            raise self._fenced(lost)
        rows: list[dict[str, object]] = []
        for (topic, partition), offset in offsets.items():
            number = await self._log.number(topic, partition)
            rows.append(
                {
                    "of_group": self.group,
                    "of_topic": number,
                    "of_partition": partition,
                    "me": self._owned[topic, partition].owner,
                    "seen": self._owned[topic, partition].epoch,
                    "new_next": offset,
                    "same_next": offset,
                }
            )

        async def remember(tx: Transaction) -> None:
            if await tx.write_many(sql.COMMIT_OWNED, rows) != len(rows):
                raise self._fenced(next(iter(offsets)))

        try:
            await self._database.write("offsets", remember)
        except Fenced:
            self._forget()
            raise

    def seek(self, place: TopicPartition, offset: int) -> None:
        """Let `poll` go on from an offset of a partition it owns."""
        if place in self._positions:
            self._positions[place] = offset

    def pause(self, place: TopicPartition) -> None:
        """Give nothing of a partition until `resume`."""
        self._paused.add(place)

    def resume(self, place: TopicPartition) -> None:
        """Give records of the partition again."""
        self._paused.discard(place)

    async def wait(self, seconds: float) -> bool:
        """Wait until this process publishes to one of the topics, at most `seconds`."""
        if self._bell is None:
            self._bell = self._log.listen(self._topics)
        return await self._bell.wait(seconds)

    async def close(self) -> None:
        """Leave the group; what it owns is free at once."""
        if self._sign is not None:  # nothing is written: the others see that it does not live
            self._sign.end()
            self._sign = None
        self._forget()

    async def _attend(self) -> None:
        """Say that the member lives, and be where the others expect it."""
        if self._sign is None:
            self._sign = self._presence.begin()
            for topic in self._topics:
                self._counts[topic] = await self._log.partitions(topic)
        self._sign.beat()
        now = asyncio.get_running_loop().time()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        group = await stored(self._database, self.group)
        if not any(self._moves(group)):
            self._own(group.places)
            return

        async def move(tx: Transaction) -> Group:
            moves = self._moves(await stored(tx, self.group))
            await self._apply(tx, moves)
            return await stored(tx, self.group)

        self._own((await self._database.write("members", move)).places)

    def _moves(self, group: Group) -> Moves:
        assert self._sign is not None
        me = self._sign.member
        gone = [one for one in group.members if one != me and not self._presence.lives(one)]
        living = {one: topics for one, topics in group.members.items() if one not in gone} | {me: self._topics}
        take: list[TopicPartition] = []
        release: list[TopicPartition] = []
        for topic in self._topics:
            owners = {part: owned.owner for (of, part), owned in group.places.items() if of == topic}
            theirs = [one for one, topics in living.items() if topic in topics]
            for part, owner in shared_out(range(self._counts[topic]), theirs, owners).items():
                now = owners.get(part, "")
                if owner == me != now and now not in living:
                    take.append((topic, part))
                elif now == me != owner:
                    release.append((topic, part))
        new = [place for place in take if place not in group.places]
        return Moves(me not in group.members, gone, new, take, release)

    async def _apply(self, tx: Transaction, moves: Moves) -> None:
        assert self._sign is not None
        me = self._sign.member
        await tx.write_many(sql.DROP_MEMBER, [{"of_group": self.group, "gone": one} for one in moves.gone])
        if moves.join:
            topics = msgspec.json.encode(self._topics).decode()
            await tx.write(sql.ADD_MEMBER, {"consumer_group": self.group, "member_id": me, "topics": topics})
        await tx.write_many(sql.ADD_COMMIT, [await self._never(place) for place in moves.new])
        await tx.write_many(sql.OWN, [await self._row(place, me) for place in moves.take])
        await tx.write_many(sql.OWN, [await self._row(place, "") for place in moves.release])

    def _own(self, places: Mapping[TopicPartition, Owned]) -> None:
        """Go on from the committed offset of what is new; forget what is another's."""
        assert self._sign is not None
        mine = {
            place: owned
            for place, owned in places.items()
            if owned.owner == self._sign.member and place[0] in self._topics
        }
        for place, owned in mine.items():
            if place not in self._owned or self._owned[place].epoch != owned.epoch:
                self._positions[place] = max(owned.next, 0)
        for place in [one for one in self._positions if one not in mine]:
            del self._positions[place]
            self._paused.discard(place)
        self._owned = mine

    def _forget(self) -> None:
        self._look_at = 0.0
        self._owned, self._positions = {}, {}
        self._paused.clear()

    def _in_turn(self, places: Sequence[TopicPartition]) -> Sequence[TopicPartition]:
        """Give the partitions so that each comes first once: a busy one does not keep the others waiting."""
        if len(places) < 2:
            return places
        self._turn = (self._turn + 1) % len(places)
        return [*places[self._turn :], *places[: self._turn]]

    async def _row(self, place: TopicPartition, owner: str) -> dict[str, object]:
        number = await self._log.number(*place)
        return {"of_group": self.group, "of_topic": number, "of_partition": place[1], "new_owner": owner}

    async def _never(self, place: TopicPartition) -> dict[str, object]:
        number = await self._log.number(*place)
        key = {"consumer_group": self.group, "topic": number, "partition": place[1]}
        return {**key, "next": sql.NEVER, "owner": "", "epoch": 0}

    def _fenced(self, place: TopicPartition) -> Fenced:
        return Fenced(
            f"{place[0]}/{place[1]} has another owner in group {self.group} by now.",
            remedy="Nothing: what was not committed comes to the new owner.",
        )
