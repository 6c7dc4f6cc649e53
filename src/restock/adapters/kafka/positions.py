"""The offsets of a group, read and set from outside it: by a consumer that joins nothing.

The client's interface for administrators does the same, but where the connection to the group's broker breaks meanwhile it
ends the whole process, or never answers (librdkafka's issue 4605).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from restock.adapters.kafka.client import MOVING, REQUEST_SECONDS, SETTLE_SECONDS, configured


def committed(servers: str, group: str, places: list[TopicPartition]) -> list[TopicPartition]:
    """Give what a group has committed in these places, below 0 for nothing. Raises KafkaException."""
    if not places:
        return []
    with _outsider(servers, group) as consumer:
        return _settled(lambda: consumer.committed(places, REQUEST_SECONDS))


def commit(servers: str, group: str, places: list[TopicPartition]) -> None:
    """Set what a group has committed. Raises KafkaException, with UNKNOWN_MEMBER_ID where the group has living members."""
    with _outsider(servers, group) as consumer:
        _settled(lambda: consumer.commit(offsets=places, asynchronous=False) or [])


@contextmanager
def _outsider(servers: str, group: str) -> Iterator[Consumer]:
    waits = int(REQUEST_SECONDS * 1000)  # a commit waits as long as a session for the broker of the group
    consumer = Consumer(
        configured(
            servers, group_id=group, enable_auto_commit=False, session_timeout_ms=waits, max_poll_interval_ms=waits
        )
    )
    try:
        yield consumer
    finally:
        consumer.close()


def _settled(ask: Callable[[], list[TopicPartition]]) -> list[TopicPartition]:
    """Ask until the broker that should answer is settled, as long as a request may take."""
    until = time.monotonic() + REQUEST_SECONDS
    while True:
        try:
            answers = ask()
            error: KafkaError | None = next((one.error for one in answers if one.error is not None), None)
        except KafkaException as failed:
            error = failed.args[0]
        if error is None:
            return answers
        if error.code() not in MOVING or time.monotonic() > until:
            raise KafkaException(error)
        time.sleep(SETTLE_SECONDS)
