"""What the published interface asks for producers that number their records; where it is not there, they are refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from restock.engine.stream.producers import Stored, Who
from restock.streams.port import Produced


class Producing(Protocol):
    """What a program may do that numbers its records; every call raises Conflict for a former epoch, and NotFound."""

    async def begin_producing(self, transactional_id: str = "") -> Who:
        """Give a new producer, or the next epoch of the one of that name. Raises InvalidInput."""
        ...

    async def produce(
        self, who: Who, topic: str, records: Sequence[Produced], sequence: int | None, transaction: str = ""
    ) -> Stored:
        """Store a batch of one partition, or add it to a transaction; what came before is passed over.

        Raises InvalidInput, StorageFull, and Conflict for a sequence that leaves some out.
        """
        ...

    async def begin(self, who: Who, timeout_ms: int = 0) -> str:
        """Open a transaction and give its name. Raises Conflict while another one is open."""
        ...

    async def commit(self, who: Who, transaction: str) -> str:
        """Store what a transaction holds, at once; give when. Raises Conflict when it is no longer open."""
        ...

    async def abort(self, who: Who, transaction: str) -> None:
        """Give a transaction up. Raises Conflict when it was committed."""
        ...

    async def lives(self, who: Who, transaction: str = "") -> None:
        """Return if a producer, and its transaction if one is named, may go on."""
        ...
