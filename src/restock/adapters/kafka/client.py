"""What every Kafka client here shares: its settings, its thread, records, and errors in Restock's words."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, Message

from restock.core.clock import timestamp
from restock.core.errors import Conflict, InvalidInput, NotFound, Refused, RestockError, Unavailable
from restock.engine.stream.port import MAX_MESSAGE_BYTES, Fenced, Record

REQUEST_SECONDS = 10.0
"""How long a broker may take to answer before it counts as away: an election of a leader takes less."""

SETTLE_SECONDS = 0.05
"""Pause between two looks whether the cluster has settled: a new topic known everywhere, a group with its broker."""

WIRE_BYTES = 3 * MAX_MESSAGE_BYTES
"""What a message within the port's limit has at most on the wire: each of a million tiny headers costs two bytes more."""

FENCED = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.FENCED_MEMBER_EPOCH,
        KafkaError.STALE_MEMBER_EPOCH,
        KafkaError._ASSIGNMENT_LOST,
    }
)
"""What a broker or the client says to a member that owns its partitions no longer."""

MOVING = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNKNOWN_TOPIC_ID,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
    }
)
"""What is said of a partition or a group while its broker changes, or is new; the protocol asks to try again."""

_DENIED = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)

T = TypeVar("T")

_log = logging.getLogger("restock.kafka")
_log.addHandler(logging.NullHandler())  # what matters comes as an error; a terminal is not for a client's chatter


def configured(servers: str, **settings: object) -> dict[str, Any]:
    """Give the settings of a client; names with underscores for dots."""
    return {
        "bootstrap.servers": servers,
        "client.id": "restock",
        "logger": _log,
        "socket.timeout.ms": int(REQUEST_SECONDS * 1000),
        "reconnect.backoff.max.ms": 1000,  # a broker that comes back is noticed within it
        **{name.replace("_", "."): value for name, value in settings.items()},
    }


def in_our_words(error: KafkaError, what: str) -> RestockError:
    """Give our error for one of Kafka's. `what` says what could not be done, without a full stop.

    A topic that a client does not know is away: the stream has seen it before it asks, and brokers that start say the same.
    """
    code, reason = error.code(), f"{what}: {error.str()} ({error.name()})."
    if code in FENCED:
        return Fenced(reason, remedy="Nothing: what was not committed comes to the new owner.")
    if code == KafkaError.GROUP_ID_NOT_FOUND:
        return NotFound(reason, field="group", remedy="Check the name.")
    if code == KafkaError.NON_EMPTY_GROUP:
        return Conflict(reason, remedy="Stop its members first.")
    if code == KafkaError.MSG_SIZE_TOO_LARGE:
        return InvalidInput(reason, field="value", remedy=f"Set max.message.bytes of the topic to {WIRE_BYTES}.")
    if code in _DENIED:
        return Refused(reason, remedy="Let the cluster's administrator allow it.")
    return Unavailable(reason, remedy="Try again; is the broker up and reachable?")


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turn Kafka's exceptions into ours."""
    try:
        yield
    except KafkaException as error:
        raise in_our_words(error.args[0], what) from None


class OwnThread:
    """A thread for one client: calls run one after the other, results go to the event loop."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=f"kafka-{name}")

    async def run(self, call: Callable[..., T], *arguments: object) -> T:
        """Run a call on the thread. One that was begun ends there, also when nobody waits any more."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, call, *arguments)

    def end(self) -> None:
        """Take no more calls."""
        self._executor.shutdown(wait=False)


def record(topic: str, message: Message[bytes, bytes]) -> Record:
    """Give the record of a message. What is not text in a foreign key or header is shown as replaced."""
    headers: Any = message.headers()  # Any: the client's type admits what a reader is never given
    return Record(
        topic,
        message.partition() or 0,
        message.offset() or 0,
        (message.key() or b"").decode(errors="replace"),
        message.value(),
        {name: (value or b"").decode(errors="replace") for name, value in headers} if headers else {},
        _moment(message.timestamp()[1]),
    )


@lru_cache(1024)  # the records of a batch have one moment
def _moment(milliseconds: int) -> str:
    return timestamp(datetime.fromtimestamp(milliseconds // 1000, UTC).replace(microsecond=milliseconds % 1000 * 1000))
