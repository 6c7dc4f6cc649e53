"""Keeps the promise of the desk over the dead letters of a stream."""

from __future__ import annotations

from restock.dlq.port import LettersRequest, LetterState, VerdictRequest
from restock.engine.stream import DeadLetter, DeadLetters

SHOWN = 10_000
"""Characters of a value that are shown: a person looks for what is wrong; the record itself is kept whole."""


class DlqService:
    """The desk."""

    def __init__(self, letters: DeadLetters) -> None:
        self._letters = letters

    async def list(self, request: LettersRequest) -> list[LetterState]:
        """Give the letters, oldest first."""
        return [_shown(one) for one in await self._letters.letters(request.group, decided=request.decided)]

    async def replay(self, request: VerdictRequest) -> LetterState:
        """Publish the original once more where it came from."""
        await self._letters.replay(request.letter, request.actor, request.note)
        return _shown(await self._letters.letter(request.letter))

    async def discard(self, request: VerdictRequest) -> LetterState:
        """Put a letter aside for good."""
        await self._letters.discard(request.letter, request.actor, request.note)
        return _shown(await self._letters.letter(request.letter))


def _shown(one: DeadLetter) -> LetterState:
    text = (one.value or b"")[:SHOWN].decode("utf-8", "backslashreplace")
    place = (one.letter, one.group, one.topic, one.partition, one.offset)
    return LetterState(*place, one.key, text, one.reason, one.at, one.attempts, one.verdict, one.actor, one.note)
