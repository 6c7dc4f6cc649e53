"""Publishes to Kafka: an idempotent producer on a thread of its own, a publish answered when all its messages are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread

from confluent_kafka import KafkaError, KafkaException, Producer

from restock.adapters.kafka.client import WIRE_BYTES, configured, in_our_words
from restock.core.errors import Unavailable
from restock.engine.stream.port import Message

DELIVERY_SECONDS = 30.0
"""How long a publish is tried before its caller is told: longer than a broker takes to restart or to elect a leader."""

QUEUE_KBYTES = 256 << 10
"""Memory for messages on their way: a quarter of the client's default, and 25 publishes of the largest kind."""

LINGER_MS = 5
"""How long a batch may wait to fill while a publish is handed over; a flush sends it at once when that is done."""

LOOK_SECONDS = 0.002
"""How often the thread looks for the next publish while answers are out."""

BY_KEY = -1
"""The partition that stands for the one of the key."""

Places = list[tuple[int, int]]
"""Partition and offset of each message."""

AGAIN = "Publish again with the same event ids."


class _Publish:
    """One publish: what it still waits for."""

    def __init__(self, placed: Sequence[tuple[int, Message]], prefix: str) -> None:
        self.placed = placed
        self.prefix = prefix
        self.places: Places = [(0, -1)] * len(placed)
        self.left = len(placed)
        self.error: KafkaError | None = None
        self._loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[Places] = self._loop.create_future()

    def delivered(self, place: int, error: KafkaError | None, message: object) -> None:
        """One message is stored, or will not be."""
        if error is None:
            self.places[place] = (message.partition(), message.offset())  # type: ignore[attr-defined]  # the client's Message
        else:
            self.error = self.error or error
        self.left -= 1
        if not self.left:
            self.done(0)

    def done(self, count: int) -> None:
        """So many messages have their answer."""
        self.left -= count
        if self.left == 0 and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        if self.answer.done():
            return
        if self.error is not None:
            failure = in_our_words(self.error, f"Publishing {len(self.placed)} messages did not succeed")
            if isinstance(failure, Unavailable):
                failure = Unavailable(failure.what, remedy=AGAIN)
            self.answer.set_exception(failure)
        elif any(offset < 0 for _, offset in self.places):
            self.answer.set_exception(Unavailable("The broker did not say where it stored messages.", remedy=AGAIN))
        else:
            self.answer.set_result(self.places)


class Publisher:
    """The producer and its thread, both begun with the first publish."""

    def __init__(self, servers: str, prefix: str, delivery_seconds: float = DELIVERY_SECONDS) -> None:
        self._prefix = prefix
        self._settings = configured(
            servers,
            enable_idempotence=True,
            acks="all",
            compression_type="lz4",  # a third less work for the broker, none more here; every client reads it
            partitioner="murmur2_random",  # Kafka's hash; the client's default is another
            delivery_timeout_ms=int(delivery_seconds * 1000),
            linger_ms=LINGER_MS,
            message_max_bytes=WIRE_BYTES,
            queue_buffering_max_kbytes=QUEUE_KBYTES,
            allow_auto_create_topics=False,
        )
        self._jobs: SimpleQueue[_Publish | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._ending = False

    async def publish(self, placed: Sequence[tuple[int, Message]]) -> Places:
        """Store messages that were checked, each in the partition given with it, or by its key where that is `BY_KEY`.

        Gives their places. Raises Unavailable when it is not known whether all are stored.
        """
        if self._thread is None:
            self._thread = Thread(target=self._work, name="kafka-publisher", daemon=True)
            self._thread.start()
        job = _Publish(placed, self._prefix)
        self._jobs.put(job)
        return await job.answer

    async def close(self) -> None:
        """End the thread; what is on its way gets its answer first."""
        if self._thread is not None:
            self._ending = True
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    def _work(self) -> None:
        producer = Producer(self._settings)
        out: list[_Publish] = []
        while out or not self._ending:
            while (job := self._next(wait=not out and not self._ending)) is not None:
                self._hand_over(producer, job)
                out.append(job)
            producer.flush(LOOK_SECONDS)
            failed = [job.error for job in out if job.error is not None]
            if failed:
                producer = self._after(producer, failed)
            out = [job for job in out if job.left]

    def _next(self, *, wait: bool) -> _Publish | None:
        try:
            return self._jobs.get(block=wait)
        except Empty:
            return None

    def _hand_over(self, producer: Producer, job: _Publish) -> None:
        delivered, produce = job.delivered, producer.produce
        names = {topic: job.prefix + topic for topic in {message.topic for _, message in job.placed}}
        for place, (partition, message) in enumerate(job.placed):
            while True:
                try:
                    produce(
                        names[message.topic],
                        message.value,
                        message.key or None,  # a record without a key has null, as Kafka says it
                        partition,
                        partial(delivered, place),
                        headers=dict(message.headers),
                    )
                except BufferError:  # the queue is full: answers make room, and a time limit gives every message one
                    producer.flush(LOOK_SECONDS)
                    time.sleep(0)
                except KafkaException as error:
                    job.error = job.error or error.args[0]
                    job.done(len(job.placed) - place)
                    return
                else:
                    break

    def _after(self, producer: Producer, errors: list[KafkaError]) -> Producer:
        """Nothing of a publish is sent once a part of it failed: it would come before what the caller sends again."""
        if all(error.code() == KafkaError.MSG_SIZE_TOO_LARGE for error in errors):
            return producer
        producer.purge()
        while len(producer):
            producer.flush(LOOK_SECONDS)
        return Producer(self._settings) if any(error.fatal() for error in errors) else producer
