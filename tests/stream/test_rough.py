"""The rough stream really is rough, and stays legal."""

from __future__ import annotations

from typing import cast

from stream_shop import Shop, order

from restock.engine.stream import EmbeddedLog, Message, RoughLog, Subscriber, encode


async def test_effects_happen_once_on_a_stream_that_repeats_itself(shop: Shop) -> None:
    rough = cast("EmbeddedLog", RoughLog(shop.log, seed=7))
    for number in range(60):
        event = order(number)
        await rough.publish([Message("orders", event.key, encode(event), {"event-id": event.event_id})])
    stored = sum(high for _, high in (await shop.log.watermarks("orders")).values())
    assert stored > 60, "some were stored twice"
    consumer = Subscriber(
        rough, "counter", ["orders"], shop.count, shop.database, shop.inbox, after=shop.remember, batch=5
    )
    await consumer.drain()
    assert sorted(await shop.effects()) == [f"event-{n:06d}" for n in range(60)]
    assert sum(map(len, shop.after)) > stored, "some batches came again"
    assert await consumer.lag() == 0
