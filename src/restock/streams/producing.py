"""Producers of other programs, with epochs, sequences and transactions: the same checks as any record, then the log."""

from __future__ import annotations

from collections.abc import Sequence

from restock.engine.stream.producers import Producers, Stored, Who
from restock.streams.port import Produced
from restock.streams.service import StreamsService


class ProducingService:
    """The producers of the embedded log behind the checks of the streams service."""

    def __init__(self, streams: StreamsService, producers: Producers) -> None:
        self._streams = streams
        self._producers = producers
        self.begin_producing = producers.begin_producing
        self.begin = producers.begin
        self.commit = producers.commit
        self.abort = producers.abort
        self.lives = producers.lives

    async def produce(
        self, who: Who, topic: str, records: Sequence[Produced], sequence: int | None, transaction: str = ""
    ) -> Stored:
        """Store a batch of one partition, or add it to a transaction."""
        placed = await self._streams.placed(topic, records)
        partition = placed[0][0]
        return await self._producers.produce(who, partition, [one for _, one in placed], sequence, transaction)
