"""A member's consumer, used on its thread alone: what it owns, what it has fetched, and how it gives partitions back."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from restock.adapters.kafka.client import FENCED, REQUEST_SECONDS, configured, in_our_words, record
from restock.engine.stream.port import Fenced, Record
from restock.engine.stream.port import TopicPartition as Place

SLICE_SECONDS = 0.05
"""How long one look for records takes at most, so that a member that is to close does so at once."""

FETCH_SECONDS = 0.5
"""How long a poll waits for records that are known to be there."""

FETCH_AGAIN_MS = 1
"""Pause of the client before it fetches on into a queue that was full. Its own default of a second lets a member that reads
as fast as it can wait for half of the time: 220,000 records/s instead of 419,000."""

RETRY_SECONDS = 0.02
"""Pause before a commit that met a rebalance is tried again."""

Offsets = Mapping[Place, int]


class Seat:
    """One place in a group. `positions` and `orders` are also touched by the event loop, each in one step."""

    def __init__(self, servers: str, group: str, topics: Sequence[str], prefix: str, session_seconds: float) -> None:
        self.group = group
        self.topics = list(topics)
        self.positions: dict[Place, int] = {}
        self.orders: deque[tuple[str, Place, int]] = deque()
        """What `seek`, `pause` and `resume` asked for, done before the next poll."""
        self.hurry = False
        """Somebody gave up waiting: come back soon."""
        self._names = {prefix + topic: topic for topic in topics}
        self._prefix = prefix
        self._session = session_seconds
        self._settings = configured(
            servers,
            group_id=prefix + group,
            enable_auto_commit=False,
            enable_auto_offset_store=False,
            enable_partition_eof=True,
            auto_offset_reset="earliest",
            partition_assignment_strategy="cooperative-sticky",
            session_timeout_ms=int(session_seconds * 1000),
            heartbeat_interval_ms=int(session_seconds * 200),
            max_poll_interval_ms=int(session_seconds * 1000),  # silent is who does not poll, not who does not run
            fetch_wait_max_ms=100,
            fetch_queue_backoff_ms=FETCH_AGAIN_MS,
        )
        self._consumer: Consumer | None = None
        self._committed: dict[Place, int] = {}
        self._fetched: deque[Message[bytes, bytes]] = deque()
        self._paused: set[Place] = set()
        self._at_end: set[Place] = set()
        self._joined = False
        self._join_until = 0.0
        self._polled_at = 0.0
        self._failure: KafkaError | None = None

    def poll(self, limit: int) -> list[Record]:
        """Give up to `limit` records; serves rebalances."""
        self.hurry = False
        consumer = self._consumer or self._sit_down()
        self._polled_at = _now()
        self._carry_out(consumer)
        records: list[Record] = []
        self._take(records, limit)
        if len(records) < limit:
            self._fetch(consumer, limit - len(records), 0)
            self._take(records, limit)
        give_up = _now() + FETCH_SECONDS
        while not records and self._expects(give_up) and not self.hurry:
            self._fetch(consumer, 1, SLICE_SECONDS)  # waits for one: it would wait the whole time for more
            if limit > 1 and self._fetched:
                self._fetch(consumer, limit - 1, 0)
            self._take(records, limit)
        return records

    def wait(self, seconds: float) -> bool:
        """Wait until a record is there, at most `seconds`."""
        self.hurry = False
        consumer, until = self._consumer, _now() + seconds
        while not self._has_some() and not self.hurry:
            left = until - _now()
            if left <= 0 or consumer is None:
                return False
            self._fetch(consumer, 1, min(left, SLICE_SECONDS))
        return True

    def commit(self, offsets: Offsets) -> None:
        """Commit what rises. Raises Fenced, and goes back to what is committed in all partitions."""
        lost = next((place for place in offsets if place not in self.positions), None)
        if lost is not None or self._consumer is None:
            raise self._fenced(lost or next(iter(offsets)))
        silent = _now() - self._polled_at
        if silent > self._session:
            self._go_back()
            raise self._fenced(next(iter(offsets)))
        rising = {place: offset for place, offset in offsets.items() if offset > self._committed.get(place, -1)}
        if not rising:
            return
        until = _now() + (self._session - silent) / 2
        while (error := self._sent(self._consumer, rising)) is not None:
            if error.code() == KafkaError.REBALANCE_IN_PROGRESS and _now() < until:
                time.sleep(RETRY_SECONDS)  # another member joins: soon over, and nothing is lost meanwhile
                continue
            if error.fatal():
                self.close()  # a new consumer is made by the next poll
            elif error.code() in FENCED:
                self._go_back()
            raise in_our_words(error, f"Group {self.group} cannot commit")
        self._committed |= rising

    def close(self) -> None:
        """Leave the group."""
        if self._consumer is not None:
            self._consumer.close()
        self._consumer = None
        self._forget(list(self.positions))
        self.orders.clear()
        self._paused.clear()

    def _sit_down(self) -> Consumer:
        consumer = self._consumer = Consumer(self._settings)
        self._joined, self._join_until = False, _now() + self._session / 2
        consumer.subscribe(
            [self._prefix + topic for topic in self.topics],
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._lost,
        )
        return consumer

    def _sent(self, consumer: Consumer, offsets: Offsets) -> KafkaError | None:
        wanted = [self._kafkas(place, offset) for place, offset in offsets.items()]
        try:
            answers = consumer.commit(offsets=wanted, asynchronous=False)
        except KafkaException as error:
            return error.args[0]  # type: ignore[no-any-return]  # the client puts its KafkaError there
        return next((one.error for one in answers if one.error is not None), None)

    def _expects(self, give_up: float) -> bool:
        """Tell whether records are on their way: the group has not taken the member in, or the end is not reached."""
        if not self._joined:
            return _now() < self._join_until
        return _now() < give_up and any(one not in self._at_end and one not in self._paused for one in self.positions)

    def _fetch(self, consumer: Consumer, most: int, seconds: float) -> None:
        try:
            found = consumer.consume(most, seconds)
        except KafkaException as failed:
            self._failure = failed.args[0]
            found = []
        for message in found:
            error = message.error()
            if error is None:
                self._fetched.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._reached_end(message)
            elif error.code() == KafkaError._MAX_POLL_EXCEEDED:
                self._joined, self._join_until = False, _now() + self._session / 2
            elif error.fatal() or not error.retriable():
                self._failure = error
        if self._failure is not None:  # a new consumer is made by the next poll
            failure, self._failure = self._failure, None
            self.close()
            raise in_our_words(failure, f"Group {self.group} cannot read")

    def _reached_end(self, message: Message[bytes, bytes]) -> None:
        place = self._place(message)
        if place in self.positions:
            self._at_end.add(place)
            if not any(self._place(one) == place for one in self._fetched):  # what ends in no record is passed, too
                self.positions[place] = max(self.positions[place], message.offset() or 0)

    def _take(self, records: list[Record], limit: int) -> None:
        """Give what was fetched, but for partitions that are paused; what is owned no longer goes."""
        kept: list[Message[bytes, bytes]] = []
        while self._fetched and len(records) < limit:
            message = self._fetched.popleft()
            place = self._place(message)
            if place in self._paused:
                kept.append(message)
            elif place in self.positions:
                records.append(record(place[0], message))
                self.positions[place] = records[-1].offset + 1
        self._fetched.extendleft(reversed(kept))

    def _has_some(self) -> bool:
        return any(self._place(one) not in self._paused for one in self._fetched)

    def _carry_out(self, consumer: Consumer) -> None:
        while self.orders:
            order, place, offset = self.orders.popleft()
            if place not in self.positions:
                continue
            if order == "seek":
                self._seek(consumer, place, offset)
            elif order == "pause":
                self._paused.add(place)
                consumer.pause([self._kafkas(place)])
            elif place in self._paused:
                self._paused.discard(place)
                consumer.resume([self._kafkas(place)])

    def _seek(self, consumer: Consumer, place: Place, offset: int) -> None:
        self._drop_fetched([place])
        self._at_end.discard(place)
        self.positions[place] = offset
        # a seek is refused while a partition is being started; assigned anew it begins where it should
        consumer.incremental_unassign([self._kafkas(place)])
        consumer.incremental_assign([self._kafkas(place, offset)])
        if place in self._paused:
            consumer.pause([self._kafkas(place)])

    def _go_back(self) -> None:
        for place in self.positions:
            self.orders.append(("seek", place, max(self._committed[place], 0)))

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._joined = True
        starts: list[TopicPartition] = []
        try:
            for one in consumer.committed(partitions, REQUEST_SECONDS) if partitions else []:
                low, _ = consumer.get_watermark_offsets(TopicPartition(one.topic, one.partition), REQUEST_SECONDS)
                place = (self._names[one.topic], one.partition)
                self._committed[place] = one.offset if one.offset >= 0 else -1
                self.positions[place] = max(one.offset, low)
                starts.append(self._kafkas(place, self.positions[place]))
        except KafkaException as error:  # raised by whoever fetches
            self._failure = error.args[0]
        consumer.incremental_assign(starts)

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._forget([(self._names[one.topic], one.partition) for one in partitions])
        consumer.incremental_unassign(partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._joined, self._join_until = False, _now() + self._session / 2
        self._revoked(consumer, partitions)

    def _forget(self, places: list[Place]) -> None:
        self._drop_fetched(places)
        for place in places:
            self.positions.pop(place, None)
            self._committed.pop(place, None)
            self._at_end.discard(place)
            self._paused.discard(place)

    def _drop_fetched(self, places: list[Place]) -> None:
        self._fetched = deque(one for one in self._fetched if self._place(one) not in places)

    def _place(self, message: Message[bytes, bytes]) -> Place:
        return self._names[message.topic() or ""], message.partition() or 0

    def _kafkas(self, place: Place, offset: int = -1001) -> TopicPartition:
        return TopicPartition(self._prefix + place[0], place[1], offset)

    def _fenced(self, place: Place) -> Fenced:
        return Fenced(
            f"{place[0]}/{place[1]} has another owner in group {self.group} by now.",
            remedy="Nothing: what was not committed comes to the new owner.",
        )


def _now() -> float:
    """Seconds (a float) that go on while the machine sleeps: a member that slept is dead to the broker."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
