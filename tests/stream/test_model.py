"""The log against a model of thirty lines: whatever is published, read and committed, both answer the same."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Awaitable
from pathlib import Path
from typing import ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.adapters.database.presence import FilePresence
from restock.core.clock import SystemClock
from restock.core.errors import Conflict, InvalidInput
from restock.engine.stream import SCHEMA, EmbeddedLog, Message, partition_for

T = TypeVar("T")
TOPICS = {"orders": 3, "inventory-updates": 2}
topics = st.sampled_from(sorted(TOPICS))
partitions = st.integers(0, 1)
messages = st.builds(
    Message,
    topics,
    st.sampled_from(["a", "b", "c", "d", "é"]),
    st.binary(max_size=5),
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), max_size=3), st.text(st.characters(codec="utf-8"), max_size=3)
    ),
)


class Model:
    """What the log should hold."""

    def __init__(self) -> None:
        self.records: defaultdict[tuple[str, int], list[Message]] = defaultdict(list)
        self.committed: dict[tuple[str, str, int], int] = {}

    def publish(self, sent: list[Message]) -> list[tuple[str, int, int]]:
        places = []
        for message in sent:
            partition = partition_for(message.key, TOPICS[message.topic])
            here = self.records[message.topic, partition]
            places.append((message.topic, partition, len(here)))
            here.append(message)
        return places

    def commit(self, group: str, topic: str, partition: int, offset: int) -> None:
        before = self.committed.get((group, topic, partition), 0)
        self.committed[group, topic, partition] = max(before, offset)

    def lag(self, group: str) -> dict[tuple[str, int], int]:
        followed = {topic for owner, topic, _ in self.committed if owner == group}
        return {
            (topic, part): max(0, len(self.records[topic, part]) - self.committed.get((group, topic, part), 0))
            for topic in followed
            for part in range(TOPICS[topic])
        }


class LogMachine(RuleBasedStateMachine):
    """Drives the log and the model together; two openings of the files take turns."""

    template: ClassVar[Path]

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copytree(self.template, self.folder / "home")
        self.model = Model()
        self.opened: list[EmbeddedDatabases] = []
        self.logs = [self.opening(), self.opening()]
        for name, count in TOPICS.items():
            self.run(self.logs[0].create_topic(name, count))

    def opening(self) -> EmbeddedLog:
        self.opened.append(EmbeddedDatabases(self.folder / "home", {"stream": [SCHEMA]}))
        return EmbeddedLog(self.opened[-1]["stream"], SystemClock(), FilePresence(self.folder / "home"))

    def run(self, call: Awaitable[T]) -> T:
        return self.loop.run_until_complete(call)

    @rule(sent=st.lists(messages, max_size=8), by=st.integers(0, 1))
    def publish(self, sent: list[Message], by: int) -> None:
        assert [tuple(place) for place in self.run(self.logs[by].publish(sent))] == self.model.publish(sent)

    @rule(sent=st.lists(messages, max_size=3))
    def publish_with_one_bad(self, sent: list[Message]) -> None:
        with pytest.raises(InvalidInput):
            self.run(self.logs[0].publish([*sent, Message("orders", "", b"")]))

    @rule(topic=topics, partition=partitions, offset=st.integers(0, 30), limit=st.integers(1, 10), by=st.integers(0, 1))
    def read(self, topic: str, partition: int, offset: int, limit: int, by: int) -> None:
        found = self.run(self.logs[by].read(topic, partition, offset, limit))
        expected = self.model.records[topic, partition][offset : offset + limit]
        assert [Message(record.topic, record.key, record.value, record.headers) for record in found] == expected
        assert [record.offset for record in found] == list(range(offset, offset + len(expected)))

    @rule(group=st.sampled_from("gh"), topic=topics, partition=partitions, offset=st.integers(0, 30))
    def commit(self, group: str, topic: str, partition: int, offset: int) -> None:
        self.run(self.logs[0].commit(group, {(topic, partition): offset}))
        self.model.commit(group, topic, partition, offset)

    @rule(topic=topics, count=st.integers(1, 4))
    def create_again(self, topic: str, count: int) -> None:
        if count == TOPICS[topic]:
            self.run(self.logs[1].create_topic(topic, count))
        else:
            with pytest.raises(Conflict):
                self.run(self.logs[1].create_topic(topic, count))

    @rule()
    def reopen(self) -> None:
        self.run(self.opened.pop(0).close())
        self.logs = [self.logs[1], self.opening()]

    @invariant()
    def both_say_the_same(self) -> None:
        if not hasattr(self, "model"):
            return
        for topic, count in TOPICS.items():
            ends = {part: (0, len(self.model.records[topic, part])) for part in range(count)}
            assert self.run(self.logs[0].watermarks(topic)) == ends
            for group in "gh":
                known = {
                    part: offset
                    for (owner, of, part), offset in self.model.committed.items()
                    if (owner, of) == (group, topic)
                }
                assert self.run(self.logs[1].committed(group, topic)) == known
        assert self.run(self.logs[0].lag("g")) == self.model.lag("g")

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            for databases in self.opened:
                self.run(databases.close())
            self.loop.close()
            shutil.rmtree(self.folder)


def test_the_log_behaves_as_its_model(migrated_home: Path) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    LogMachine.template = migrated_home
    run_state_machine_as_test(
        LogMachine,
        settings=settings(
            max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
