"""What every context is given when it is wired, and what it adds to a process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from restock.engine.stream import Relay

if TYPE_CHECKING:  # a process loads the contexts that it serves, and no other
    from restock.analytics.consumer import FiguresConsumer
    from restock.analytics.port import Analytics
    from restock.core.clock import Clock
    from restock.core.ids import Ids
    from restock.decisions.port import Decisions
    from restock.engine.database import Database, Databases
    from restock.engine.stream import DeadLetters, Stream, Subscriber
    from restock.engine.stream.outbox import Framed, Outbox
    from restock.inventory.port import Inventory
    from restock.orders.port import Orders
    from restock.purchasing.dispatch import Dispatcher
    from restock.purchasing.port import Purchasing
    from restock.replenishment.consumer import ReplenishmentConsumer
    from restock.replenishment.port import Replenishment
    from restock.settings import Settings
    from restock.suppliers.port import Suppliers
    from restock.units.port import Units


class Ports:
    """Every context's port: of this process, or of another. They are there from the beginning or once they are wired."""

    orders: Orders
    inventory: Inventory
    suppliers: Suppliers
    units: Units
    decisions: Decisions
    purchasing: Purchasing
    replenishment: Replenishment
    analytics: Analytics


@dataclass(frozen=True)
class Given:
    """What a context is wired from."""

    settings: Settings
    clock: Clock
    ids: Ids
    databases: Databases
    stream: Stream
    letters: DeadLetters
    framed: Framed | None
    room: Callable[[], None]
    """Raises StorageFull while the disk is nearly full."""
    ports: Ports
    parts: dict[str, Part] = field(default_factory=dict)
    """The contexts wired so far."""

    def busy(self) -> bool:
        """Tell whether callers wait for an answer of this process."""
        return any(part.busy() for part in self.parts.values())

    def relay(self, database: Database, outbox: Outbox, *, aside: bool = False) -> Relay:
        """Make the relay of an outbox, told of every commit; `aside` when no purchase waits for its events."""
        relay = Relay(database, outbox, self.stream, self.framed, aside=aside)
        database.on_commit.append(relay.notify)
        return relay


def _never() -> bool:
    """Tell that nobody waits."""
    return False


async def _nothing() -> None:
    """Have nothing to finish."""


@dataclass(frozen=True)
class Part:
    """A context in this process: its port, and what works for it in the background."""

    port: object
    relays: Sequence[Relay] = ()
    subscribers: Sequence[Subscriber | FiguresConsumer] = ()
    dispatcher: Dispatcher | None = None
    waker: ReplenishmentConsumer | None = None
    busy: Callable[[], bool] = _never
    """Tells whether callers wait."""
    drain: Callable[[], Awaitable[None]] = _nothing
    """Waits until what it does on the side is stored."""
    finish: Callable[[], Awaitable[None]] = _nothing
    """Finishes what is inside, and takes nothing more in."""
    close: Callable[[], Awaitable[None]] = _nothing
    """Lets go of what it holds, after all work has ended."""
