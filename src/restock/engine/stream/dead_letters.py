"""Dead letters: records that a group could not handle, kept with origin and reason until a person decides.

A letter is a record of the topic `<topic>.<group>.dlq` with the key, the value and the headers of the original, and headers
that tell where it came from and why. An original that leaves no room for these is kept by its beginning: the whole stands
where it came from. What a person decided is a record too, of the topic `dead-letter-verdicts`, so letters
and verdicts live where the stream lives, are never changed, and say who, when and why.

A crash after a record was parked parks it again: letters of one origin are one letter. A replay publishes the original once
more in the partition it came from, with its event id: groups that handled it drop it, the one that could not tries again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import msgspec

from restock.core.clock import Clock, timestamp
from restock.core.errors import Conflict, InvalidInput, NotFound
from restock.engine.stream.checks import check_message, headers_bytes
from restock.engine.stream.port import MAX_KEY_BYTES, MAX_READ, Message, Position, Record, Stream, TopicPartition
from restock.engine.stream.subscriber import OnBad

SUFFIX = ".dlq"
VERDICTS = "dead-letter-verdicts"
REPLAYED, DISCARDED = "replayed", "discarded"

MAX_REASON = 1_000
"""Characters of a reason that are kept: what a person reads of an error."""

MAX_NOTE = 1_000
"""Characters of the note with which a person decides."""

BEGINNING = 64 << 10
"""Bytes kept of a value that is too large for a letter: more than a person looks at."""

_PREFIX = "dlq-"
_BYTES = "bytes"
"""Length of the value of which only the beginning is kept."""


Parked = Callable[[str, Record, Exception, int], None]


class _Verdict(msgspec.Struct):
    letter: str
    verdict: str
    actor: str
    note: str
    at: str


class DeadLetter(NamedTuple):
    """A record that a group could not handle in so many attempts; `verdict` is empty while nobody decided.

    Unless `whole`, it has the beginning of the value and no headers.
    """

    letter: str
    group: str
    topic: str
    partition: int
    offset: int
    key: str
    value: bytes | None
    headers: dict[str, str]
    reason: str
    at: str
    attempts: int = 1
    verdict: str = ""
    actor: str = ""
    note: str = ""
    whole: bool = True


class DeadLetters:
    """Parks, shows, replays and discards the letters of a stream."""

    def __init__(self, stream: Stream, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self.observers: list[Parked] = []
        """Told of every record that is parked: the group, the record, why, and after how many attempts."""

    def of(self, group: str) -> OnBad:
        """Give what parks the bad records of a group: the `on_bad` of its subscriber."""

        async def park(record: Record, error: Exception, attempts: int = 1, /) -> None:
            topic = f"{record.topic}.{group}{SUFFIX}"
            await self._stream.create_topic(topic, 1)
            origin = {
                f"{_PREFIX}topic": record.topic,
                f"{_PREFIX}group": group,
                f"{_PREFIX}partition": str(record.partition),
                f"{_PREFIX}offset": str(record.offset),
                f"{_PREFIX}attempts": str(attempts),
                f"{_PREFIX}error": f"{type(error).__name__}: {error}"[:MAX_REASON],
            }
            await self._stream.publish_to([(0, _parked(topic, record, origin))])
            for observe in self.observers:
                observe(group, record, error, attempts)

        return park

    async def letters(self, group: str = "", *, decided: bool = False) -> list[DeadLetter]:
        """Give the letters, of one group or all, that wait for a person; with `decided` also the others. Oldest first."""
        verdicts = {one.letter: one async for one in self._verdicts()}
        found: dict[str, DeadLetter] = {}
        for topic in await self._stream.topics():
            if topic.endswith(SUFFIX):
                async for record in self._records(topic):
                    letter = _letter(record, verdicts)
                    found.setdefault(letter.letter, letter)
        wanted = [one for one in found.values() if (decided or not one.verdict) and group in ("", one.group)]
        return sorted(wanted, key=lambda one: (one.at, one.letter))

    async def letter(self, name: str) -> DeadLetter:
        """Give one letter. Raises NotFound."""
        for one in await self.letters(decided=True):
            if one.letter == name:
                return one
        raise NotFound(f"There is no dead letter {name}.", field="letter", remedy="List them with `restock dlq list`.")

    async def replay(self, name: str, actor: str, note: str) -> Position:
        """Publish the original once more where it came from. Raises NotFound, Conflict when it was decided."""
        one = await self._undecided(name, note)
        message = Message(one.topic, one.key, one.value, one.headers) if one.whole else await self._original(one)
        return (await self._decide(one, REPLAYED, actor, note, [(one.partition, message)]))[0]

    async def discard(self, name: str, actor: str, note: str) -> None:
        """Put a letter aside for good. Raises NotFound, Conflict when it was decided, InvalidInput without a note."""
        if not note.strip():
            raise InvalidInput("Say why it is not needed.", field="note")
        await self._decide(await self._undecided(name, note), DISCARDED, actor, note, [])

    async def _undecided(self, name: str, note: str) -> DeadLetter:
        if len(note) > MAX_NOTE:
            raise InvalidInput(f"has more than {MAX_NOTE} characters.", field="note")
        one = await self.letter(name)
        if one.verdict:
            raise Conflict(f"Dead letter {name} was {one.verdict} by {one.actor}.", remedy="Nothing is left to do.")
        return one

    async def _decide(
        self, one: DeadLetter, verdict: str, actor: str, note: str, placed: list[tuple[int, Message]]
    ) -> list[Position]:
        await self._stream.create_topic(VERDICTS, 1)
        told = _Verdict(one.letter, verdict, actor, note, timestamp(self._clock.now()))
        return await self._stream.publish_to([*placed, (0, Message(VERDICTS, one.letter, msgspec.json.encode(told)))])

    async def _original(self, one: DeadLetter) -> Message:
        """Read where a letter came from. Raises NotFound when that is no longer kept."""
        for record in await self._stream.read(one.topic, one.partition, one.offset, 1):
            if record.offset == one.offset:
                return Message(record.topic, record.key, record.value, record.headers)
        raise NotFound(
            f"The record of dead letter {one.letter} was forgotten, and the letter holds only its beginning.",
            field="letter",
            remedy="Let its producer send it again, and discard the letter.",
        )

    async def _verdicts(self) -> AsyncIterator[_Verdict]:
        if VERDICTS in await self._stream.topics():
            async for record in self._records(VERDICTS):
                yield msgspec.json.decode(record.value or b"{}", type=_Verdict)

    async def _records(self, topic: str) -> AsyncIterator[Record]:
        for partition, (low, high) in (await self._stream.watermarks(topic)).items():
            place: TopicPartition = (topic, partition)
            offset = low
            while offset < high:
                records = await self._stream.read(*place, offset, MAX_READ)
                for record in records:
                    yield record
                if not records:
                    break
                offset = records[-1].offset + 1


def _parked(topic: str, record: Record, origin: dict[str, str]) -> Message:
    """Give the letter of a record; of one that leaves no room for the origin its beginning."""
    headers = {**record.headers, **origin}
    try:
        check_message(topic, record.key or "-", record.value, headers_bytes(topic, headers))
    except InvalidInput:
        value = record.value or b""
        beginning = {**origin, f"{_PREFIX}{_BYTES}": str(len(value))}
        return Message(
            topic, record.key[: MAX_KEY_BYTES // 4], value[:BEGINNING], beginning
        )  # 4 bytes a letter at most
    return Message(topic, record.key, record.value, headers)


def _letter(record: Record, verdicts: dict[str, _Verdict]) -> DeadLetter:
    told = {name[len(_PREFIX) :]: text for name, text in record.headers.items() if name.startswith(_PREFIX)}
    headers = {name: text for name, text in record.headers.items() if not name.startswith(_PREFIX)}
    group, topic, partition, offset = told["group"], told["topic"], int(told["partition"]), int(told["offset"])
    name = f"{topic}.{partition}.{offset}.{group}"
    verdict = verdicts.get(name)
    decided = (verdict.verdict, verdict.actor, verdict.note) if verdict else ("", "", "")
    reason = told["error"]
    attempts = int(told.get("attempts", "1"))  # letters of older programs do not say
    original = (record.key, record.value, headers, reason, record.at, attempts)
    return DeadLetter(name, group, topic, partition, offset, *original, *decided, _BYTES not in told)
