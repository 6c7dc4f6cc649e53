"""Which events had their effect: sixteen bytes each, exact for ever, and nothing is looked up for an event that is new.

Restock's identifiers sort by time (UUID version 7). So one that is greater than every identifier of its partition never had
its effect, and nearly every event is: that is one comparison for a whole batch. The others are looked for in the blocks that
reach so far back, which are the last one or two unless somebody repeats history. A key stays on its partition for ever, so a
repetition comes in the same partition, and each partition has blocks of its own.

Identifiers of another form say nothing of time. Programs of others may use them; each has a row in an inbox (`inbox.Inbox`).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from operator import lt
from typing import NamedTuple

from sqlalchemy import Table, bindparam, select

from restock.engine.database import Statement, Transaction
from restock.engine.database.statement import Upsert
from restock.engine.stream.port import TopicPartition

BLOCK = 512
"""A block with fewer identifiers than this takes those of the next batch too: rewriting 8 KiB costs little, and a live
partition has few blocks."""

BLOCK_MOST = 1 << 16
"""Identifiers in one block, at most: a megabyte is what one row holds."""

_TEXT, _HEX, _BYTES = 36, 32, 16
"""Length of an identifier as text, as digits, as bytes."""

_TELLS_TIME = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch

Others = Callable[[Transaction, list[str]], Awaitable[set[str]]]
"""Gives the fresh ones of identifiers that do not tell their time."""


class Reach(NamedTuple):
    """What is remembered of a partition: its greatest identifier, and how many blocks it has."""

    last_id: str = ""
    blocks: int = 0


class Blocks:
    """One consumer's memory; `table` comes from `tables.block_table`."""

    def __init__(self, table: Table, consumer: str) -> None:
        self._consumer = consumer
        columns = table.c
        of = (
            columns.consumer == bindparam("consumer"),
            columns.topic == bindparam("topic"),
            columns.partition == bindparam("partition"),
        )
        self._reaching = Statement(
            select(columns.ids).where(
                *of, columns.last_id >= bindparam("least"), columns.first_id <= bindparam("greatest")
            )
        )
        self._block = Statement(select(columns.first_id, columns.ids).where(*of, columns.number == bindparam("number")))
        self._last = Statement(
            select(columns.last_id, columns.number + 1)
            .where(*of)
            .order_by(columns.number.desc())
            .limit(1)
            .with_for_update()  # says nothing to SQLite; elsewhere two members at one partition take turns
        )
        self._put = Upsert(table, ("consumer", "topic", "partition", "number"))

    async def fresh(
        self, tx: Transaction, place: TopicPartition, ids: Sequence[str], others: Others
    ) -> set[str] | None:
        """Give the identifiers of a partition that are new, None for all; remember them in this transaction.

        One given twice is one; the caller handles it once.
        """
        reach = Reach(*next(iter(await tx.read(self._last, self._of(place))), ()))
        packed = _packed(ids)
        if packed is not None and ids and ids[0] > reach.last_id and all(map(lt, ids, islice(ids, 1, None))):
            await self._remember(tx, place, ids, packed, reach)  # what one publisher wrote in its order
            return None
        new = set(ids)
        timed = list(dict.fromkeys(ids if packed is not None else filter(_TELLS_TIME, ids)))
        foreign = new.difference(timed)
        known = await self._known(tx, place, [one for one in timed if one <= reach.last_id])
        added = [one for one in timed if one not in known]
        if added:
            await self._remember(tx, place, added, bytes.fromhex("".join(added).replace("-", "")), reach)
        new -= known
        if foreign:
            new -= foreign - await others(tx, sorted(foreign))
        return new

    async def _known(self, tx: Transaction, place: TopicPartition, doubtful: Sequence[str]) -> set[str]:
        """Give those that stand in a block."""
        if not doubtful:
            return set()
        wanted = {one.replace("-", ""): one for one in doubtful}
        found: set[str] = set()
        span = {"least": min(doubtful), "greatest": max(doubtful)}
        for (ids,) in await tx.read(self._reaching, self._of(place) | span):
            text = ids.hex()
            block = {text[at : at + _HEX] for at in range(0, len(text), _HEX)}
            found.update(wanted[one] for one in wanted.keys() & block)
        return found

    async def _remember(
        self, tx: Transaction, place: TopicPartition, added: Sequence[str], packed: bytes, reach: Reach
    ) -> None:
        """Add identifiers to the last block while it is small, else to new ones."""
        first, before, number = "", b"", reach.blocks
        if number and len(added) < BLOCK:
            ((first, before),) = await tx.read(self._block, self._of(place) | {"number": number - 1})
            if len(before) < BLOCK * _BYTES:
                number -= 1
            else:
                first, before = "", b""
        rows: list[dict[str, object]] = []
        greatest = reach.last_id
        for start in range(0, len(added), BLOCK_MOST):
            part = added[start : start + BLOCK_MOST]
            greatest = max(greatest, *part)  # of all so far: the last block tells how far the partition reaches
            rows.append(
                self._of(place)
                | {
                    "number": number + len(rows),
                    "first_id": min(*part, first or part[0], part[0]),
                    "last_id": greatest,
                    "ids": before + packed[start * _BYTES : (start + len(part)) * _BYTES],
                }
            )
            first, before = "", b""
        await tx.write_many(self._put, rows)

    def _of(self, place: TopicPartition) -> dict[str, object]:
        return {"consumer": self._consumer, "topic": place[0], "partition": place[1]}


def _packed(ids: Sequence[str]) -> bytes | None:
    """Give the bytes of all identifiers if every one is a UUID of version 7 in small letters, with one look at them all."""
    count = len(ids)
    joined = "".join(ids)
    if len(joined) != _TEXT * count or max(map(len, ids), default=_TEXT) != _TEXT:
        return None
    if any(joined[at::_TEXT].count("-") != count for at in (8, 13, 18, 23)) or joined[14::_TEXT].count("7") != count:
        return None
    digits = joined.replace("-", "")
    try:
        packed = bytes.fromhex(digits)
    except ValueError:
        return None
    return packed if packed.hex() == digits else None
