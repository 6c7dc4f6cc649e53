"""Mistakes planted on purpose: for each, the check that guards against it must fail. A check that cannot fail is none.

The checks themselves stand elsewhere (contract, subscriber, crash, scenario); here they are run against a stream, an inbox
or a member that was made wrong. Mistakes in the arithmetic of needs: `tests/scenario/test_loop_planted.py`.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

import pytest
from sqlalchemy import and_, bindparam, update
from stream_shop import Shop, order
from test_murmur2 import VECTORS

from restock.core.errors import Unavailable
from restock.core.event import Event
from restock.engine.database import Statement, Transaction
from restock.engine.stream import EmbeddedLog, Inbox, Message, Record, RoughLog, Subscriber, encode, log_tables
from restock.engine.stream.members import Member
from restock.engine.stream.murmur2 import partition_for
from restock.engine.stream.port import Fenced, TopicPartition

ORDERS = 60


async def publish(log: EmbeddedLog) -> None:
    for number in range(ORDERS):
        event = order(number)
        await log.publish([Message("orders", event.key, encode(event), {"event-id": event.event_id})])


async def faults(shop: Shop, log: EmbeddedLog) -> tuple[int, int]:
    """Consume everything, again after each failure; give the effects that are missing and those that are there twice."""
    dies = iter([False, True] * ORDERS)

    async def handler(tx: Transaction, events: list[Event]) -> None:
        if next(dies):
            raise Unavailable("killed in the middle of the work")
        await shop.count(tx, events)

    for _ in range(ORDERS):
        consumer = Subscriber(log, "counter", ["orders"], handler, shop.database, shop.inbox, batch=7)
        try:
            await consumer.drain()
        except Unavailable:
            await consumer.close()
            continue
        break
    found = Counter(await shop.effects())
    return ORDERS - len(found), found.total() - len(found)


async def test_what_is_right_has_no_fault(shop: Shop) -> None:
    rough = cast("EmbeddedLog", RoughLog(shop.log, seed=3))
    await publish(rough)
    assert await faults(shop, rough) == (0, 0)


async def test_without_an_inbox_effects_happen_twice(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def all_fresh(inbox: Inbox, tx: Transaction, event_ids: Iterable[str]) -> set[str]:
        return set(event_ids)

    monkeypatch.setattr(Inbox, "fresh", all_fresh)
    rough = cast("EmbeddedLog", RoughLog(shop.log, seed=3))
    await publish(rough)
    missing, twice = await faults(shop, rough)
    assert (missing, twice > 0) == (0, True)


async def test_a_commit_before_the_work_loses_effects(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    poll = Member.poll

    async def committed_at_once(member: Member, limit: int) -> list[Record]:
        records = await poll(member, limit)
        await member.commit({(one.topic, one.partition): one.offset + 1 for one in records})
        return records

    monkeypatch.setattr(Member, "poll", committed_at_once)
    await publish(shop.log)
    missing, _ = await faults(shop, shop.log)
    assert missing > 0


async def test_without_an_outbox_a_crash_loses_the_event(shop: Shop) -> None:
    """The change is committed, then the process dies before it publishes: what the outbox is for."""

    async def change(tx: Transaction) -> None:
        await shop.count(tx, [order(1)])

    await shop.database.write("change", change)
    assert await shop.effects() == ["event-000001"]
    assert {high for _, high in (await shop.log.watermarks("orders")).values()} == {0}, "nobody will ever hear of it"

    async def with_outbox(tx: Transaction) -> None:
        await shop.count(tx, [order(2)])
        await shop.outbox.add(tx, [order(2)])

    await shop.database.write("change", with_outbox)
    await shop.relay.drain()  # as the next process does
    assert sum(high for _, high in (await shop.log.watermarks("orders")).values()) == 1


def _any_owner() -> Statement:
    table = log_tables.COMMITTED
    return Statement(
        update(table)
        .where(
            and_(
                table.c.consumer_group == bindparam("of_group"),
                table.c.topic == bindparam("of_topic"),
                table.c.partition == bindparam("of_partition"),
            )
        )
        .values(next=bindparam("new_next"))
    )


@pytest.mark.parametrize("fence", [True, False], ids=["with a fence", "without"])
async def test_without_a_fence_a_former_owner_moves_the_group_back(
    shop: Shop, fence: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fence:
        monkeypatch.setattr(log_tables, "COMMIT_OWNED", _any_owner())
    await publish(shop.log)
    old, new = shop.log.consumer("g", ["orders"]), shop.log.consumer("g", ["orders"])
    held = await old.poll(1000)
    sign, old._sign = old._sign, None  # it is silent, and thinks that it still owns what it held
    assert sign is not None
    sign.end()
    ends = _reached(await new.poll(1000))
    await new.commit(ends)
    early = {(one.topic, one.partition): one.offset for one in reversed(held)}
    refused = False
    try:
        await old.commit(early)
    except Fenced:
        refused = True
    moved_back = await shop.log.committed("g", "orders") != {part: offset for (_, part), offset in ends.items()}
    assert (refused, moved_back) == (fence, not fence)
    await new.close()


def _reached(records: Sequence[Record]) -> Mapping[TopicPartition, int]:
    return {(one.topic, one.partition): one.offset + 1 for one in records}


def _crc(key: bytes | str, partitions: int) -> int:
    return zlib.crc32(key.encode() if isinstance(key, str) else key) % partitions


@pytest.mark.parametrize(("hashed", "right"), [(partition_for, True), (_crc, False)], ids=["murmur2", "another hash"])
def test_another_hash_moves_keys(hashed: Callable[[bytes | str, int], int], right: bool) -> None:
    assert (all(hashed(key, 6) == (value & 0x7FFFFFFF) % 6 for key, value in VECTORS.items())) == right
