"""How far groups have come on the embedded log, and who their members are; topics and their ends beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from restock.core.errors import Conflict, InvalidInput, NotFound
from restock.engine.database import Database, Transaction
from restock.engine.stream import log_tables as sql
from restock.engine.stream.checks import checked_name
from restock.engine.stream.members import stored
from restock.engine.stream.port import GroupMember, TopicFacts, TopicPartition, Watermarks
from restock.engine.stream.presence import Presence
from restock.engine.stream.retention import kept_as


class Groups:
    """What the log knows of topics and groups; `EmbeddedLog` adds the records."""

    def __init__(self, database: Database, presence: Presence) -> None:
        self._database = database
        self._presence = presence
        self._topics: dict[str, tuple[int, int]] = {}

    async def topics(self) -> dict[str, int]:
        """Give the number of partitions of every topic, by name."""
        return {name: partitions for name, _, partitions in await self._database.read(sql.ALL_TOPICS)}

    async def watermarks(self, topic: str) -> dict[int, Watermarks]:
        """Give the first offset and the next offset to be written, by partition."""
        number, _ = await self._topic(topic)
        found = await self._database.read(sql.WATERMARKS, {"wanted": number})
        return {part: Watermarks(low, high) for part, low, high in found}

    async def describe(self, topic: str) -> TopicFacts:
        """Give what is known of a topic."""
        await self._topic(topic)
        ((partitions, created_at, size, *kept),) = await self._database.read(sql.FACTS, {"wanted": topic})
        return TopicFacts(partitions, created_at, int(size), kept_as(*kept))

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        """Give the next offset the group wants to read, by partition."""
        wanted, _ = await self._topic(topic)
        found = await self._database.read(sql.COMMITS, {"of_group": group})
        return {part: offset for number, part, offset in found if number == wanted}

    async def commit(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Remember durably the next offset to read; never goes back."""
        checked_name(group, "group")
        wanted: dict[tuple[int, int], int] = {}
        for (topic, partition), offset in offsets.items():
            if offset < 0:
                raise InvalidInput(f"{offset} is not an offset.", field="offset", remedy="Give 0 or more.")
            wanted[await self.number(topic, partition), partition] = offset
        if not wanted:
            return

        async def remember(tx: Transaction) -> None:
            known = {(number, part) for number, part in await tx.read(sql.KNOWN, {"of_group": group})}
            await tx.write_many(
                sql.ADD_COMMIT,
                [
                    {
                        "consumer_group": group,
                        "topic": number,
                        "partition": part,
                        "next": offset,
                        "owner": "",
                        "epoch": 0,
                    }
                    for (number, part), offset in wanted.items()
                    if (number, part) not in known
                ],
            )
            await tx.write_many(
                sql.RAISE_COMMIT,
                [
                    {"of_group": group, "of_topic": number, "of_partition": part, "new_next": offset}
                    for (number, part), offset in wanted.items()
                    if (number, part) in known
                ],
            )

        await self._database.write("offsets", remember)

    async def lag(self, group: str) -> dict[TopicPartition, int]:
        """Give the records still to be read, for every topic on which the group committed once."""
        found = await self._database.read(sql.COMMITS, {"of_group": group})
        done = {(number, part): offset for number, part, offset in found}
        followed = {number for number, _ in done}
        result: dict[TopicPartition, int] = {}
        for name, number, _ in await self._database.read(sql.ALL_TOPICS):
            if number in followed:
                for part, (low, high) in (await self.watermarks(name)).items():
                    result[name, part] = max(0, high - max(low, done.get((number, part), 0)))
        return result

    async def partitions(self, topic: str) -> int:
        """Give the number of partitions of a topic. Raises NotFound."""
        return (await self._topic(topic))[1]

    async def ends(self, topics: Sequence[str]) -> dict[TopicPartition, Watermarks]:
        """Give the first offset and the next offset to be written, for all partitions of some topics."""
        rows = await self._database.read(sql.WATERMARKS_OF, {"names": topics})
        return {(topic, part): Watermarks(low, high) for topic, part, low, high in rows}

    async def groups(self) -> list[str]:
        """Give the names of all groups."""
        return [name for (name,) in await self._database.read(sql.GROUPS)]

    async def members(self, group: str) -> list[GroupMember]:
        """Give the living members of a group."""
        known = await stored(self._database, group)
        return [
            GroupMember(one, tuple(place for place, owned in sorted(known.places.items()) if owned.owner == one))
            for one in sorted(known.members)
            if self._presence.lives(one)
        ]

    async def reset(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Let a group go on from other offsets; refused while a member lives."""
        await self.commit(group, offsets)  # makes what is missing, and checks

        async def unit(tx: Transaction) -> None:
            await self._nobody_lives(tx, group)
            for (topic, part), offset in offsets.items():
                number = await self.number(topic, part)
                where = {"of_group": group, "of_topic": number, "of_partition": part}
                await tx.write(sql.SET_COMMIT, {**where, "new_next": offset})

        await self._database.write("reset", unit)

    async def forget(self, group: str) -> bool:
        """Forget a group and its offsets; refused while a member lives."""

        async def unit(tx: Transaction) -> bool:
            await self._nobody_lives(tx, group)
            known = bool(await tx.read(sql.KNOWN, {"of_group": group}))
            await tx.write(sql.DROP_MEMBERS, {"of_group": group})
            await tx.write(sql.DROP_COMMITS, {"of_group": group})
            return known

        return await self._database.write("forget", unit)

    async def _nobody_lives(self, tx: Transaction, group: str) -> None:
        living = sum(self._presence.lives(one) for one in (await stored(tx, group)).members)
        if living:
            raise Conflict(f"Group {group} has {living} living members.", remedy="Stop them, then try again.")

    async def _topic(self, name: str) -> tuple[int, int]:
        """Give the topic's number and count, which never change. Raises NotFound."""
        known = self._topics.get(name)
        if known is None:
            found = await self._database.read(sql.ONE_TOPIC, {"wanted": name})
            if not found:
                raise NotFound(f"There is no topic {name}.", field="topic", remedy="Create it, or check the name.")
            known = self._topics[name] = (found[0][0], found[0][1])
        return known

    async def number(self, topic: str, partition: int) -> int:
        """Give the number of a topic that has such a partition. Raises NotFound."""
        number, partitions = await self._topic(topic)
        if not 0 <= partition < partitions:
            raise NotFound(
                f"Topic {topic} has no partition {partition}.",
                field="partition",
                remedy=f"It has 0 to {partitions - 1}.",
            )
        return number
