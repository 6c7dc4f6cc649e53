"""The figures are those of a straight computation, whatever is delivered twice, in whatever turn, with whatever restarts."""

from __future__ import annotations

from itertools import count

import pytest
from counting import PARTITIONS, D, Shop, Sold, straight, told
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from restock.analytics import consumer
from restock.core.ids import Ids
from restock.engine.stream import seen
from restock.engine.stream.members import Member

numbers = count()

amounts = st.decimals(0, 1000, places=2, allow_nan=False)
quantities = st.one_of(st.integers(1, 20).map(D), st.decimals("0.001", 20, places=3, allow_nan=False))
lines = st.lists(st.tuples(st.sampled_from("ABCD"), quantities, amounts), min_size=1, max_size=4).map(tuple)
seconds = st.one_of(st.integers(-90, 90), st.integers(-20_000, 20_000), st.integers(-1_500_000, 1_500_000))


@st.composite
def published(draw: st.DrawFn) -> list[list[Sold]]:
    """Publishes, in their order: orders of several customers, some with foreign identifiers, some again and again."""
    clock_ids = Ids(_Standing(), _Counting())
    orders = [
        Sold(
            number,
            draw(st.sampled_from(["alice", "bob", "charlie", "diana", "eve"])),
            draw(seconds),
            draw(lines),
            f"foreign-{number}" if draw(st.integers(0, 5)) == 0 else clock_ids.new(),
        )
        for number in range(draw(st.integers(1, 25)))
    ]
    batches: list[list[Sold]] = []
    done = 0
    while done < len(orders):
        size = draw(st.integers(1, 8))
        fresh = orders[done : done + size]
        done += size
        again = draw(st.lists(st.sampled_from(orders[: min(done, len(orders))]), max_size=3))
        batches.append([*fresh, *again])
    return batches


class _Standing:
    def now(self) -> object:
        from counting import START

        return START


class _Counting:
    def __init__(self) -> None:
        self._count = count(1)

    def getrandbits(self, k: int, /) -> int:
        return next(self._count)


@given(published(), st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_figures_are_exact_after_duplicates_restarts_and_turns(
    shop: Shop, batches: list[list[Sold]], data: st.DataObject
) -> None:
    """A restart forgets everything but the stores; one that was killed before it told its position begins further back."""
    topic = f"orders-{next(numbers)}"
    await shop.log.create_topic(topic, PARTITIONS)
    await shop.consumer(topic).rebuild()
    tell = Member.commit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(consumer, "BATCH", data.draw(st.integers(1, 12), "batch"))
        patch.setattr(consumer, "READ", data.draw(st.integers(1, 5), "read"))
        patch.setattr(seen, "BLOCK", data.draw(st.integers(1, 6), "block"))
        patch.setattr(seen, "BLOCK_MOST", data.draw(st.integers(6, 12), "most"))
        running = shop.consumer(topic)
        for batch in batches:
            await shop.publish(*(order.event(topic) for order in batch))
            if data.draw(st.booleans(), "killed before the position is told"):

                async def silent(*_: object) -> None:
                    return None

                patch.setattr(Member, "commit", silent)
            if data.draw(st.booleans(), "consume"):
                await running.drain()
            if data.draw(st.booleans(), "restart"):
                await running.close()
                running = shop.consumer(topic)
                running._first = data.draw(st.integers(0, PARTITIONS), "first partition")
            patch.setattr(Member, "commit", tell)
        await running.drain()
        assert await running.lag() == 0
        expected = straight([order for batch in batches for order in batch])
        assert told(await shop.everything()) == expected
        running.group = "set-back"  # type: ignore[misc]  # as an operator does who sets the group to the start
        await running.drain()
        assert told(await shop.everything()) == expected, "read again from the start, nothing is counted again"
    await running.close()
    rebuilt = shop.consumer(topic)
    await rebuilt.rebuild()
    assert (await shop.figures()).orders == 0
    await rebuilt.drain()
    assert told(await shop.everything()) == expected, "counted again from the start, the figures are the same"
