"""A process of its own: `python buying_child.py WORK HOME`; starts when told on stdin, prints what was acknowledged."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from buying import Desk, line, new_order

from restock.adapters.dispatch.files import OrderFiles
from restock.core.clock import SystemClock
from restock.purchasing.dispatch import Dispatcher
from restock.purchasing.model import PurchaseOrder

NEEDS = 20
ROUNDS = 5


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def order_needs(desk: Desk) -> None:
    """Order every need of each round, several times at once, always on the version that the round began with."""
    for seen in range(ROUNDS):
        wanted = [new_order(line(f"P{need}", seen), run_id=str(seen)) for need in range(NEEDS)]
        results = await asyncio.gather(*(desk.create(one) for one in wanted * 3))
        for (result,) in results:
            if isinstance(result, PurchaseOrder):
                say(result.po_id)


async def order_for_ever(desk: Desk) -> None:
    """Order one need after the other; name each order once it is acknowledged."""
    for need in range(100_000):
        (order,) = await desk.made(new_order(line(f"P{need}"), line(f"Q{need}")))
        say(order.po_id)


async def dispatch(desk: Desk) -> None:
    """Deliver what waits."""
    files = OrderFiles(desk.home / "outbox", in_process=True)
    say(str(await Dispatcher(desk.database, files, desk.clock).drain()))
    await files.close()


async def serve(desk: Desk) -> None:
    """Deliver with a worker process until killed."""
    files = OrderFiles(desk.home / "outbox", in_process=False)
    await Dispatcher(desk.database, files, desk.clock).drain()
    say("delivered")
    await asyncio.sleep(60)


WORK = {"needs": order_needs, "for-ever": order_for_ever, "dispatch": dispatch, "serve": serve}


async def main() -> None:
    desk = Desk(Path(sys.argv[2]), SystemClock())
    say("ready")
    sys.stdin.readline()
    try:
        await WORK[sys.argv[1]](desk)
    finally:
        await desk.close()


if __name__ == "__main__":
    asyncio.run(main())
