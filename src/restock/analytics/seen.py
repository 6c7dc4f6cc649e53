"""Which events were counted: sixteen bytes each, exact for ever, and nothing is looked up for an event that is new.

Restock's identifiers sort by time (UUID version 7). So one that is greater than every identifier of its partition was never
counted, and nearly every event is: that is one comparison for a whole batch. The others are looked for in the blocks that
reach so far back, which are the last one or two unless somebody repeats history. A key stays on its partition for ever, so a
repetition comes in the same partition, and each partition has blocks of its own.

Identifiers of another form say nothing of time. Programs of others may use them; each has a row in the inbox, as everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from operator import lt

from sqlalchemy import bindparam, select

from restock.analytics.store import INBOX, SEEN_BLOCK, Reach
from restock.engine.database import Statement, Transaction
from restock.engine.database.statement import Upsert
from restock.engine.stream import TopicPartition

BLOCK = 512
"""A block with fewer identifiers than this takes those of the next batch too: rewriting 8 KiB costs little, and a live
partition has few blocks."""

BLOCK_MOST = 1 << 16
"""Identifiers in one block, at most: a megabyte is what one row holds."""

_TEXT, _HEX, _BYTES = 36, 32, 16
"""Length of an identifier as text, as digits, as bytes."""

_TELLS_TIME = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch

_B = SEEN_BLOCK.c
_REACHING = Statement(
    select(_B.ids).where(
        _B.topic == bindparam("of_topic"),
        _B.partition == bindparam("of_partition"),
        _B.last_id >= bindparam("least"),
        _B.first_id <= bindparam("greatest"),
    )
)
_BLOCK = Statement(
    select(_B.first_id, _B.ids).where(
        _B.topic == bindparam("of_topic"),
        _B.partition == bindparam("of_partition"),
        _B.number == bindparam("of_number"),
    )
)
_PUT_BLOCK = Upsert(SEEN_BLOCK, ("topic", "partition", "number"))


async def fresh(
    tx: Transaction, place: TopicPartition, ids: Sequence[str], reach: Reach
) -> tuple[set[str] | None, Reach]:
    """Give the identifiers that were never counted in this partition, None for all; remember them in this transaction.

    Gives the partition's reach with them too, for the caller to store. One given twice is one; the caller counts it once.
    """
    packed = _packed(ids)
    if packed is not None and ids and ids[0] > reach.last_id and all(map(lt, ids, islice(ids, 1, None))):
        return None, await _remembered(tx, place, ids, packed, reach)  # what one publisher wrote in its order
    new = set(ids)
    timed = list(dict.fromkeys(ids if packed is not None else filter(_TELLS_TIME, ids)))
    others = new.difference(timed)
    known = await _counted(tx, place, [one for one in timed if one <= reach.last_id])
    added = [one for one in timed if one not in known]
    if added:
        digits = bytes.fromhex("".join(added).replace("-", ""))
        reach = await _remembered(tx, place, added, digits, reach)
    new -= known
    if others:
        new -= others - await INBOX.fresh(tx, sorted(others))
    return new, reach


async def _counted(tx: Transaction, place: TopicPartition, doubtful: Sequence[str]) -> set[str]:
    """Give those that stand in a block."""
    if not doubtful:
        return set()
    span = {"least": min(doubtful), "greatest": max(doubtful)}
    wanted = {one.replace("-", ""): one for one in doubtful}
    found: set[str] = set()
    for (ids,) in await tx.read(_REACHING, {"of_topic": place[0], "of_partition": place[1], **span}):
        text = ids.hex()
        block = {text[at : at + _HEX] for at in range(0, len(text), _HEX)}
        found.update(wanted[one] for one in wanted.keys() & block)
    return found


async def _remembered(
    tx: Transaction, place: TopicPartition, added: Sequence[str], packed: bytes, reach: Reach
) -> Reach:
    """Add identifiers to the last block while it is small, else to new ones."""
    first, before, number = "", b"", reach.blocks
    if number and len(added) < BLOCK:
        at = {"of_topic": place[0], "of_partition": place[1], "of_number": number - 1}
        ((first, before),) = await tx.read(_BLOCK, at)
        if len(before) < BLOCK * _BYTES:
            number -= 1
        else:
            first, before = "", b""
    rows: list[dict[str, object]] = []
    for start in range(0, len(added), BLOCK_MOST):
        part = added[start : start + BLOCK_MOST]
        rows.append(
            {
                "topic": place[0],
                "partition": place[1],
                "number": number + len(rows),
                "first_id": min(*part, first or part[0], part[0]),
                "last_id": max(part) if not before else max(*part, reach.last_id),
                "ids": before + packed[start * _BYTES : (start + len(part)) * _BYTES],
            }
        )
        first, before = "", b""
    await tx.write_many(_PUT_BLOCK, rows)
    return reach._replace(last_id=max(reach.last_id, *added), blocks=number + len(rows))


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
