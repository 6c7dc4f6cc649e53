"""The stream on a Kafka broker: topics, offsets and groups through the admin client; records through publisher and reader.

With a prefix before every name several homes share a cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import TypeVar

from confluent_kafka import (
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.cimpl import NewTopic

from restock.adapters.kafka import positions
from restock.adapters.kafka.client import (
    MOVING,
    REQUEST_SECONDS,
    SETTLE_SECONDS,
    OwnThread,
    configured,
    in_our_words,
    told,
)
from restock.adapters.kafka.keeping import asked_of, kept_by, made_with
from restock.adapters.kafka.member import Member
from restock.adapters.kafka.publisher import BY_KEY, DELIVERY_SECONDS, Publisher
from restock.adapters.kafka.reading import Reader
from restock.adapters.kafka.seat import Seat
from restock.core.defaults import SESSION_SECONDS
from restock.core.errors import Conflict, InvalidInput, NotFound, Unavailable
from restock.engine.stream.bells import Bell, Bells
from restock.engine.stream.checks import check_message, check_messages, checked_name, checked_partitions, headers_bytes
from restock.engine.stream.port import (
    FOREVER,
    MAX_PUBLISH,
    MAX_READ,
    GroupMember,
    Message,
    Position,
    Record,
    Retention,
    TopicFacts,
    Watermarks,
)
from restock.engine.stream.port import TopicPartition as Place

SAMPLE = 100
"""Records of a partition by which its size is estimated: the client cannot ask a broker for it."""

EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call] # the client leaves it untyped
LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call] # the client leaves it untyped

T = TypeVar("T")


class KafkaStream:
    """Fulfils `restock.engine.stream.port.Stream` on the brokers at `servers`. Use it from one event loop."""

    def __init__(
        self,
        servers: str,
        *,
        prefix: str = "",
        session_seconds: float = SESSION_SECONDS,
        delivery_seconds: float = DELIVERY_SECONDS,
    ) -> None:
        self._servers = servers
        self._prefix = prefix
        self._session = session_seconds
        self._admin = AdminClient(configured(servers))
        self._thread = OwnThread("topics")
        self._publisher = Publisher(servers, prefix, delivery_seconds)
        self._reader = Reader(servers)
        self._bells = Bells()
        self._counts: dict[str, int] = {}
        self._away: set[str] = set()
        self._committing = asyncio.Lock()

    async def create_topic(self, name: str, partitions: int, retention: Retention = FOREVER) -> None:
        """Make a topic, or find it with the same count. Raises Conflict, InvalidInput."""
        checked_name(name, "topic")
        checked_partitions(partitions)
        settings = made_with(retention)
        existing = (await self.topics()).get(name)
        if existing is None:
            asked = NewTopic(self._prefix + name, partitions, -1, config=settings)
            try:
                await asyncio.wrap_future(self._admin.create_topics([asked])[self._prefix + name])
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another process was faster
                    raise in_our_words(error.args[0], f"Topic {name} cannot be made") from None
            existing = await self._appeared(name)
        if existing != partitions:
            raise Conflict(
                f"Topic {name} has {existing} partitions, not {partitions}.",
                remedy="Keys would move: make a new topic and copy.",
            )

    async def retain(self, topic: str, retention: Retention) -> None:
        """Let a topic keep more or less from now on, as far as a broker asks: not by groups."""
        await self.partitions(topic)
        (told,) = self._admin.incremental_alter_configs([asked_of(self._prefix + topic, retention)]).values()
        await self._asked(told, f"Topic {topic} cannot be changed")

    async def expire(self) -> int:
        """Leave it to the broker."""
        return 0

    async def topics(self) -> dict[str, int]:
        """Give the number of partitions of every topic that can be read and written, by name."""
        found = await self._thread.run(self._listed)
        known = {name: count or self._counts.get(name, 0) for name, count in found.items()}
        self._counts = {name: count for name, count in known.items() if count}
        self._away = {name for name, count in found.items() if not count}
        return {name: count for name, count in found.items() if count}

    async def publish(self, messages: Sequence[Message]) -> list[Position]:
        """Store all messages; return their places once every copy the cluster asks for has them."""
        check_messages(messages)
        for topic in {one.topic for one in messages}.difference(self._counts):
            await self.partitions(topic)
        return await self._stored([(BY_KEY, one) for one in messages])

    async def publish_to(self, placed: Sequence[tuple[int, Message]]) -> list[Position]:
        """Store all messages, each in the partition given with it; an empty key is stored as none."""
        for partition, one in placed:
            check_message(one.topic, one.key or "-", one.value, headers_bytes(one.topic, one.headers))
            await self._check_place(one.topic, partition)
        return await self._stored(placed)

    async def _stored(self, placed: Sequence[tuple[int, Message]]) -> list[Position]:
        if not placed:
            return []
        if len(placed) > MAX_PUBLISH:
            raise InvalidInput(
                f"{len(placed)} messages are too many for one publish.", remedy=f"Give at most {MAX_PUBLISH}."
            )
        places = await self._publisher.publish(placed)
        self._bells.ring({message.topic for _, message in placed})
        return [Position(one.topic, part, offset) for (_, one), (part, offset) in zip(placed, places, strict=True)]

    async def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        """Give up to `limit` records from `offset` on, in order; fewer where records are large."""
        await self._check_place(topic, partition)
        if offset < 0:
            raise InvalidInput(f"{offset} is not an offset.", field="offset", remedy="Give 0 or more.")
        if not 1 <= limit <= MAX_READ:
            raise InvalidInput(f"{limit} is not a number of records.", field="limit", remedy=f"Give 1 to {MAX_READ}.")
        return await self._reader.read(self._prefix + topic, topic, partition, offset, limit)

    async def watermarks(self, topic: str) -> dict[int, Watermarks]:
        """Give the first offset and the next offset to be written, by partition."""
        lows, highs = await asyncio.gather(self._offsets(topic, EARLIEST), self._offsets(topic, LATEST))
        return {part: Watermarks(low, highs[part]) for part, low in lows.items()}

    async def describe(self, topic: str) -> TopicFacts:
        """Give what is known of a topic: no moment, which brokers do not keep, and its bytes by its newest records."""
        count, size = await self.partitions(topic), 0
        for partition, (low, high) in (await self.watermarks(topic)).items():
            if low < high:
                seen = await self.read(topic, partition, max(low, high - SAMPLE), SAMPLE)
                wide = sum(len(one.key) + len(one.value or b"") + headers_bytes(topic, one.headers) for one in seen)
                size += wide * (high - low) // max(len(seen), 1)
        (asked,) = self._admin.describe_configs([asked_of(self._prefix + topic)]).values()
        settings = await self._asked(asked, f"What topic {topic} keeps cannot be found")
        return TopicFacts(count, "", size, kept_by(settings))

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        """Give the next offset the group wants to read, by partition."""
        await self.partitions(topic)
        return {part: offset for (name, part), offset in (await self._committed(group)).items() if name == topic}

    async def commit(self, group: str, offsets: Mapping[Place, int]) -> None:
        """Remember durably the next offset to read; never goes back, as far as one process can see to it."""
        await self._check_offsets(group, offsets)
        if not offsets:
            return
        async with self._committing:
            known = await self._committed(group)
            rising = {place: offset for place, offset in offsets.items() if offset > known.get(place, -1)}
            await self._alter(group, rising)

    def consumer(self, group: str, topics: Sequence[str]) -> Member:
        """Give a new member of a group that reads these topics."""
        seat = Seat(self._servers, checked_name(group, "group"), topics, self._prefix, self._session)
        return Member(seat, self.listen(topics), self.partitions)

    async def groups(self) -> list[str]:
        """Give the names of all groups."""
        found = (await self._asked(self._admin.list_consumer_groups(), "Groups cannot be listed")).valid
        names = [one.group_id for one in found]
        return sorted(name.removeprefix(self._prefix) for name in names if name.startswith(self._prefix))

    async def members(self, group: str) -> list[GroupMember]:
        """Give the living members of a group."""
        name = self._prefix + group
        await self.topics()  # raises Unavailable: the next call must not meet a broker that is away (`positions`)
        try:
            found = await self._settled(
                lambda: self._admin.describe_consumer_groups([name])[name], f"Group {group} cannot be described"
            )
        except NotFound:
            return []
        return sorted(
            GroupMember(
                one.member_id,
                tuple(sorted((place.topic.removeprefix(self._prefix), place.partition) for place in places)),
            )
            for one in found.members
            for places in [one.assignment.topic_partitions if one.assignment else []]
        )

    async def reset(self, group: str, offsets: Mapping[Place, int]) -> None:
        """Let a group go on from other offsets; refused while a member lives."""
        await self._check_offsets(group, offsets)
        await self._nobody_lives(group)
        await self._alter(group, offsets)

    async def forget(self, group: str) -> bool:
        """Forget a group and its offsets; refused while a member lives."""
        await self._nobody_lives(group)
        name = self._prefix + group
        try:
            await self._asked(self._admin.delete_consumer_groups([name])[name], f"Group {group} cannot be forgotten")
        except NotFound:
            return False
        return True

    async def _nobody_lives(self, group: str) -> None:
        living = len(await self.members(group))
        if living:
            raise Conflict(f"Group {group} has {living} living members.", remedy="Stop them, then try again.")

    async def offsets_at(self, topic: str, at: str) -> dict[int, int]:
        """Give by partition the offset of the first record stored at or after a moment, or the end."""
        milliseconds = -(-round(datetime.fromisoformat(at).timestamp() * 1_000_000) // 1000)
        found, ends = await asyncio.gather(
            self._offsets(topic, OffsetSpec.for_timestamp(milliseconds)), self._offsets(topic, LATEST)
        )
        return {part: offset if offset >= 0 else ends[part] for part, offset in found.items()}

    async def trim(self, topic: str, before: Mapping[int, int]) -> dict[int, int]:
        """Forget records below an offset, by partition; give the first offsets that are left."""
        for partition in before:
            await self._check_place(topic, partition)
        marks = await self.watermarks(topic)
        wanted = {part: min(max(offset, marks[part].low), marks[part].high) for part, offset in before.items()}
        name = self._prefix + topic
        asked = self._admin.delete_records([TopicPartition(name, part, offset) for part, offset in wanted.items()])
        return {
            place.partition: (await self._asked(one, f"Topic {topic} cannot be trimmed")).low_watermark
            for place, one in asked.items()
        }

    async def lag(self, group: str) -> dict[Place, int]:
        """Give the records still to be read, for every topic on which the group committed once."""
        done = await self._committed(group)
        result: dict[Place, int] = {}
        for topic in sorted({topic for topic, _ in done} & set(await self.topics())):
            for part, (low, high) in (await self.watermarks(topic)).items():
                result[topic, part] = max(0, high - max(low, done.get((topic, part), 0)))
        return result

    def listen(self, topics: Iterable[str]) -> Bell:
        """Give a listener that wakes when this process publishes to one of the topics."""
        return self._bells.listen(topics)

    async def close(self) -> None:
        """End threads and connections; what is being published gets its answer first."""
        await self._publisher.close()
        await self._reader.close()
        self._thread.end()

    async def partitions(self, topic: str) -> int:
        """Give the number of partitions of a topic. Raises NotFound."""
        if topic not in self._counts:
            await self.topics()
        if topic not in self._counts and topic in self._away:
            raise Unavailable(f"Topic {topic} has no leader now.", remedy="Try again; are all brokers up?")
        if topic not in self._counts:
            raise NotFound(f"There is no topic {topic}.", field="topic", remedy="Create it, or check the name.")
        return self._counts[topic]

    def _listed(self) -> dict[str, int]:
        """Give the partitions of each topic, 0 where one has no leader: not to be found is something else."""
        with told("Topics cannot be listed"):
            found = self._admin.list_topics(timeout=REQUEST_SECONDS).topics
        return {
            name.removeprefix(self._prefix): len(topic.partitions)
            if topic.partitions and all(part.leader >= 0 for part in topic.partitions.values())
            else 0
            for name, topic in sorted(found.items())
            if name.startswith(self._prefix)
            and not name.startswith("__")  # the cluster's own
            and (topic.error is None or topic.error.code() == KafkaError.LEADER_NOT_AVAILABLE)
        }

    async def _appeared(self, name: str) -> int:
        """Give the partitions of a topic that was just made, once it can be used."""
        for _ in range(int(REQUEST_SECONDS / SETTLE_SECONDS)):
            if name in (found := await self.topics()):
                await self._offsets(name, LATEST)  # its leaders answer
                return found[name]
            await asyncio.sleep(SETTLE_SECONDS)
        raise Unavailable(f"Topic {name} was made, but has no leader yet.", remedy="Try again.")

    async def _check_place(self, topic: str, partition: int) -> None:
        count = await self.partitions(topic)
        if not 0 <= partition < count:
            raise NotFound(
                f"Topic {topic} has no partition {partition}.", field="partition", remedy=f"It has 0 to {count - 1}."
            )

    async def _check_offsets(self, group: str, offsets: Mapping[Place, int]) -> None:
        checked_name(group, "group")
        for (topic, partition), offset in offsets.items():
            if offset < 0:
                raise InvalidInput(f"{offset} is not an offset.", field="offset", remedy="Give 0 or more.")
            await self._check_place(topic, partition)

    async def _offsets(self, topic: str, wanted: OffsetSpec) -> dict[int, int]:
        places = [TopicPartition(self._prefix + topic, part) for part in range(await self.partitions(topic))]
        for tries in range(int(REQUEST_SECONDS / SETTLE_SECONDS), -1, -1):
            asked = self._admin.list_offsets(
                dict.fromkeys(places, wanted), isolation_level=IsolationLevel.READ_COMMITTED
            )
            found = await asyncio.gather(*map(asyncio.wrap_future, asked.values()), return_exceptions=True)
            errors = [one.args[0] for one in found if isinstance(one, KafkaException)]
            if not errors:
                break
            if not tries or any(error.code() not in MOVING for error in errors):
                raise in_our_words(errors[0], f"The ends of topic {topic} cannot be found")
            await asyncio.sleep(SETTLE_SECONDS)
            await self.topics()  # or the client goes on with the leaders it knew for minutes
        return {place.partition: one.offset for place, one in zip(asked, found, strict=True)}  # type: ignore[union-attr]  # errors left the loop

    async def _committed(self, group: str) -> dict[Place, int]:
        name = self._prefix + checked_name(group, "group")
        await self.topics()
        places = [
            TopicPartition(self._prefix + topic, part) for topic, count in self._counts.items() for part in range(count)
        ]
        with told(f"The offsets of group {group} cannot be read"):
            found = await asyncio.to_thread(positions.committed, self._servers, name, places)
        return {(one.topic.removeprefix(self._prefix), one.partition): one.offset for one in found if one.offset >= 0}

    async def _alter(self, group: str, offsets: Mapping[Place, int]) -> None:
        if not offsets:
            return
        name = self._prefix + group
        wanted = [TopicPartition(self._prefix + topic, part, offset) for (topic, part), offset in offsets.items()]
        what = f"The offsets of group {group} cannot be set"
        try:
            await asyncio.to_thread(positions.commit, self._servers, name, wanted)
        except KafkaException as error:
            raise self._refused(error.args[0], what) from None

    def _refused(self, error: KafkaError, what: str) -> Exception:
        if error.code() in {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.NON_EMPTY_GROUP}:
            return Conflict(f"{what}: it has living members.", remedy="Stop them first.")
        return in_our_words(error, what)

    async def _settled(self, ask: Callable[[], Future[T]], what: str) -> T:
        """Ask until the broker that should answer is settled, as long as a request may take."""
        for _ in range(int(REQUEST_SECONDS / SETTLE_SECONDS)):
            try:
                return await asyncio.wrap_future(ask())
            except KafkaException as error:
                if error.args[0].code() not in MOVING:
                    raise in_our_words(error.args[0], what) from None
            await asyncio.sleep(SETTLE_SECONDS)
        return await self._asked(ask(), what)

    async def _asked(self, future: Future[T], what: str) -> T:
        try:
            return await asyncio.wrap_future(future)
        except KafkaException as error:
            raise in_our_words(error.args[0], what) from None
