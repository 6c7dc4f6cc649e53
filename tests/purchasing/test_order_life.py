"""The life of purchase orders against a model that knows only the rules: every step on the real service and database."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from buying import NEEDS, Desk, copied_home, line, new_order
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from restock.core.errors import Conflict, InvalidInput, Refused, RestockError, Stale
from restock.purchasing.model import PurchaseOrder
from restock.purchasing.port import (
    ByKeyRequest,
    ChangeRequest,
    CoverRequest,
    OrderRequest,
    PlansRequest,
    Receipt,
    ReceiveRequest,
)

T = TypeVar("T")

PRODUCTS = ("P1", "P2", "P3")
CREATOR, PERSON = "restock", "anna"
WAITING = {"draft", "pending_approval"}
ALLOWED = {
    "approve": WAITING,
    "reject": WAITING,
    "send": {"approved"},
    "acknowledge": {"sent"},
    "receive": {"sent", "acknowledged", "partly_received"},
    "close": {"partly_received", "received"},
    "cancel": {*WAITING, "approved", "sent", "acknowledged"},
}
AFTER = {
    "approve": "sent",
    "reject": "rejected",
    "send": "sent",
    "acknowledge": "acknowledged",
    "close": "closed",
    "cancel": "cancelled",
}
OPEN = {*WAITING, "approved", "sent", "acknowledged", "partly_received"}
QUANTITIES = st.integers(1, 400).map(lambda quarters: Decimal(quarters) / 4)
KEYS = st.sampled_from(["", "", "", "k1", "k2"])


@dataclass
class Known:
    """What the model knows of an order."""

    state: str
    events: int
    products: list[str]
    ordered: list[Decimal]
    received: list[Decimal]
    dispatched: bool
    keys: dict[str, object] = field(default_factory=dict)

    def to_come(self, product: str) -> Decimal:
        """What still counts as supply of the product."""
        if self.state not in OPEN or product not in self.products:
            return Decimal(0)
        place = self.products.index(product)
        return max(Decimal(0), self.ordered[place] - self.received[place])


class OrderLife(RuleBasedStateMachine):
    """Creates and moves orders in every way that a caller could try."""

    orders = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="restock-life-"))
        self.loop = asyncio.new_event_loop()
        self.desk = Desk(copied_home(self.folder))
        self.known: dict[str, Known] = {}
        self.keys: dict[str, tuple[str, tuple[str, ...]]] = {}

    def teardown(self) -> None:
        self.run(self.desk.close())
        self.loop.close()
        shutil.rmtree(self.folder)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @rule(
        target=orders,
        wanted=st.dictionaries(st.sampled_from(PRODUCTS), QUANTITIES, min_size=1),
        start=st.sampled_from(["approved", "sent", "pending_approval", "draft"]),
        behind=st.sampled_from([0, 0, 0, 1]),
        key=st.sampled_from(["", "", "c1", "c2", "c3"]),
    )
    def create(self, wanted: dict[str, Decimal], start: str, behind: int, key: str) -> Any:
        seen = self.run(self.desk.versions(*wanted))
        lines = [line(product, seen.get(product, 0) - behind, str(quantity)) for product, quantity in wanted.items()]
        state = "approved" if start == "sent" else start
        before = self.run(self.desk.counts())
        (result,) = self.run(
            self.desk.create(new_order(*lines, state=state, send=start == "sent", idempotency_key=key))
        )
        products = tuple(sorted(wanted))
        if key in self.keys:
            po_id, same = self.keys[key]
            assert self.run(self.desk.counts()) == before, "a key never acts twice"
            if products == same:
                assert isinstance(result, PurchaseOrder)
                assert result.po_id == po_id
            else:
                assert isinstance(result, InvalidInput)
            return multiple()
        if behind:
            assert isinstance(result, Stale)
            assert self.run(self.desk.counts()) == before
            return multiple()
        assert isinstance(result, PurchaseOrder)
        assert result.po_id > max(self.known, default="")
        self.known[result.po_id] = Known(
            start, 2 if start == "sent" else 1, list(wanted), list(wanted.values()), [Decimal(0)] * len(wanted),
            start == "sent",
        )  # fmt: skip
        if key:
            self.keys[key] = (result.po_id, products)
            assert self.run(self.desk.service.order_by_key(ByKeyRequest(key))) == result
        return result.po_id

    @rule(po_id=orders, move=st.sampled_from(list(AFTER)), actor=st.sampled_from([CREATOR, PERSON]), key=KEYS)
    def move(self, po_id: str, move: str, actor: str, key: str) -> None:
        known = self.known[po_id]
        request = ChangeRequest(po_id, actor, f"because {move}", key)
        result = self.tried(getattr(self.desk.service, move)(request))
        if key in known.keys:
            self.repeated(po_id, result, move == known.keys[key])
        elif known.state not in ALLOWED[move]:
            assert type(result) is Conflict, result
        elif move == "approve" and actor == CREATOR:
            assert isinstance(result, Refused)
        else:
            assert isinstance(result, PurchaseOrder)
            known.state = AFTER[move]
            known.events += 2 if move == "approve" else 1
            known.dispatched |= move in {"approve", "send"}
            if key:
                known.keys[key] = move

    @rule(po_id=orders, data=st.data(), key=KEYS)
    def receive(self, po_id: str, data: st.DataObject, key: str) -> None:
        known = self.known[po_id]
        places = range(len(known.products))
        arrived = data.draw(st.lists(st.tuples(st.sampled_from(places), QUANTITIES), max_size=4))
        lines = [Receipt(place + 1, quantity) for place, quantity in arrived]
        result = self.tried(self.desk.service.receive(ReceiveRequest(po_id, lines, PERSON, "", key)))
        if key in known.keys:
            self.repeated(po_id, result, known.keys[key] == arrived)
        elif known.state not in ALLOWED["receive"]:
            assert type(result) is Conflict, result
        else:
            assert isinstance(result, PurchaseOrder)
            rest = [(place, max(Decimal(0), known.ordered[place] - known.received[place])) for place in places]
            for place, quantity in arrived or rest:
                known.received[place] += quantity
            complete = all(known.received[place] >= known.ordered[place] for place in places)
            known.state = "received" if complete else "partly_received"
            known.events += 1
            if key:
                known.keys[key] = arrived

    def tried(self, work: Coroutine[Any, Any, PurchaseOrder]) -> PurchaseOrder | RestockError:
        self.before = self.run(self.desk.counts())
        try:
            return self.run(work)
        except RestockError as error:
            assert self.run(self.desk.counts()) == self.before, "what is refused leaves no trace"
            return error

    def repeated(self, po_id: str, result: PurchaseOrder | RestockError, same: bool) -> None:
        assert self.run(self.desk.counts()) == self.before, "a key never acts twice"
        if same:
            assert isinstance(result, PurchaseOrder)
            assert result.po_id == po_id
        else:
            assert isinstance(result, InvalidInput)

    @invariant()
    def orders_are_what_their_events_say(self) -> None:
        for po_id, known in self.known.items():
            stored = self.run(self.desk.service.order(OrderRequest(po_id)))
            assert stored == self.run(self.desk.service.rebuild(po_id))
            assert (stored.state, [one.received for one in stored.lines]) == (known.state, known.received)
            history = self.run(self.desk.service.history(OrderRequest(po_id)))
            assert [event.version for event in history] == list(range(1, known.events + 1))
            assert stored.version == known.events

    @invariant()
    def supply_is_what_is_still_to_come(self) -> None:
        plans = self.run(self.desk.service.plans(PlansRequest(list(PRODUCTS))))
        for product, ordered, _ in zip(*plans.columns().values(), strict=True):
            received = sum(
                (one.received[one.products.index(product)] for one in self.known.values() if product in one.products),
                Decimal(0),
            )
            assert ordered - received == sum((one.to_come(product) for one in self.known.values()), Decimal(0))
        cover = self.run(self.desk.service.covering(CoverRequest(list(PRODUCTS))))
        covered = {product for product in PRODUCTS if any(one.to_come(product) for one in self.known.values())}
        assert set(cover.product_id) == covered

    @invariant()
    def one_need_has_one_line_and_what_was_sent_is_dispatched_once(self) -> None:
        needs = self.run(self.desk.database.read(NEEDS))
        assert len(set(needs)) == len(needs) == sum(len(one.products) for one in self.known.values())
        sent = {po_id for po_id, one in self.known.items() if one.dispatched}
        assert set(self.run(self.desk.dispatches())) == sent


OrderLife.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestOrderLife = OrderLife.TestCase
