"""A process of its own for the crash tests: `python stream_child.py WORK HOME`; prints what was acknowledged."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from stream_shop import Shop, order

from restock.core.clock import SystemClock
from restock.core.ids import Ids
from restock.engine.stream import EVENT_ID_HEADER, Message
from restock.engine.stream.producers import Producers

ORDERS = 40
"""Orders of a crash run: several batches of the small subscriber."""


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def publish(shop: Shop, name: str) -> None:
    """Publish single records for ever; name each one once it is acknowledged."""
    for number in range(1_000_000):
        event_id = f"{name}-{number}"
        message = Message("orders", f"{name}-{number % 5}", event_id.encode(), {EVENT_ID_HEADER: event_id})
        (position,) = await shop.log.publish([message])
        say(f"{event_id} {position.partition} {position.offset}")


async def expire(shop: Shop, _name: str) -> None:
    """Forget what the topic no longer keeps; say how many records at each step."""
    while count := await shop.log.expire():
        say(str(count))


async def work(shop: Shop, _name: str) -> None:
    """Place the orders if nobody did, relay and consume: one life of a service."""
    published = sum(high for _, high in (await shop.log.watermarks("orders")).values())
    if not published and not (await shop.outbox.backlog(shop.database)).events:
        await shop.place([order(number) for number in range(ORDERS)])
    await shop.relay.drain()
    await shop.subscriber(batch=15).drain()


async def transact(shop: Shop, _name: str) -> None:
    """Store three records in one transaction, as a program does that begins anew after a crash."""
    clock = SystemClock()
    producers = Producers(shop.log, shop.databases["stream"], clock, Ids(clock))
    who = await producers.begin_producing("shop")
    name = await producers.begin(who)
    first = [Message("orders", "k", text) for text in (b"a", b"b")]
    await producers.produce(who, 0, first, 0, name)
    await producers.produce(who, 1, [Message("orders", "k", b"c")], 0, name)
    await producers.commit(who, name)


WORK = {"publish": publish, "work": work, "expire": expire, "transact": transact}


async def main() -> None:
    what, home, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    shop = await Shop(home).open()
    try:
        await WORK[what](shop, name)
    finally:
        await shop.close()


if __name__ == "__main__":
    asyncio.run(main())
