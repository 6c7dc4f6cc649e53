"""The running program as commands use it: the ports, and the few promises beside them that only a terminal needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from restock.analytics.port import Analytics
from restock.core.clock import Clock
from restock.core.errors import RestockError
from restock.core.event import Event
from restock.decisions.port import Decisions
from restock.engine.graph import Flow, RunResult
from restock.inventory.port import Inventory
from restock.orders.port import Orders
from restock.purchasing.port import Purchasing
from restock.replenishment.port import FlowReply, Replenishment
from restock.suppliers.port import Suppliers
from restock.units.port import Units

if TYPE_CHECKING:
    from restock.engine.stream.registry import Registry  # and with it the databases, which some commands never open


class Operations(Protocol):
    """The operations of flows."""

    async def needs(self, items: Sequence[Mapping[str, object]]) -> list[object]:
        """Give a Need or an error per product and warehouse."""
        ...


class Planner(Protocol):
    """Tells how many products are planned."""

    progress: Callable[[int], None]


class Purchaser(Protocol):
    """Tells how many lines are ordered, and of how many."""

    progress: Callable[[int, int], None]


class CountedDecisions(Decisions, Protocol):
    """Decisions, and how many there are."""

    async def count(self) -> int:
        """Give how many decisions are kept."""
        ...


class WatchedReplenishment(Replenishment, Protocol):
    """Replenishment, with its flows, their stored runs and the progress of a plan."""

    @property
    def flows(self) -> Mapping[str, Flow]:
        """The flows by name."""
        ...

    @property
    def operations(self) -> Operations:
        """What flows may call."""
        ...

    @property
    def planner(self) -> Planner:
        """Makes plans."""
        ...

    @property
    def purchaser(self) -> Purchaser:
        """Turns proposals into orders."""
        ...

    def load(self, text: bytes, name: str) -> Flow:
        """Load a flow file. Raises FlowError with the place."""
        ...

    async def result(self, run_id: str) -> RunResult:
        """Give a stored run for drawing. Raises NotFound."""
        ...

    async def drain(self) -> None:
        """Wait until every trace is stored."""
        ...


class Waker(Protocol):
    """Runs flows for stock that fell, and keeps their answers when asked to."""

    keep_replies: bool

    @property
    def replies(self) -> list[tuple[Event, FlowReply | RestockError]]:
        """Answers of the flows woken since the list was last cleared."""
        ...


class Running(Protocol):
    """Every port, and what carries events on."""

    @property
    def clock(self) -> Clock:
        """The time."""
        ...

    @property
    def ports(self) -> Mapping[str, object]:
        """The ports by name."""
        ...

    @property
    def orders(self) -> Orders:
        """Customer orders."""
        ...

    @property
    def inventory(self) -> Inventory:
        """Stock."""
        ...

    @property
    def suppliers(self) -> Suppliers:
        """Terms."""
        ...

    @property
    def units(self) -> Units:
        """Conversions."""
        ...

    @property
    def decisions(self) -> CountedDecisions:
        """Rulebooks and decisions."""
        ...

    @property
    def purchasing(self) -> Purchasing:
        """Purchase orders."""
        ...

    @property
    def replenishment(self) -> WatchedReplenishment:
        """Flows, plans, proposals."""
        ...

    @property
    def analytics(self) -> Analytics:
        """Figures."""
        ...

    @property
    def registry(self) -> Registry:
        """Schemas."""
        ...

    @property
    def waker(self) -> Waker:
        """Wakes flows."""
        ...

    async def settle(self) -> None:
        """Carry every event to its last effect."""
        ...

    async def backlog(self) -> Mapping[str, int]:
        """Give what still waits: events to publish, to consume, orders to hand over."""
        ...
