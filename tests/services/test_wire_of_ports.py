"""The wire between services: every port has a form on it, values and errors arrive as they left, deadlines are passed on."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

import grpc
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restock.core import deadline
from restock.core.clock import SystemClock
from restock.core.errors import Conflict, DeadlinePassed, InvalidInput, NotFound, RestockError, Stale, Unavailable
from restock.decisions.port import Decided, Decision
from restock.edge.grpc import calls, refusals
from restock.edge.grpc.addresses import target_of
from restock.edge.grpc.calls import calls_of
from restock.edge.grpc.client import Neighbour
from restock.edge.grpc.columns import column, decoded, encoded, error_in, error_out
from restock.edge.grpc.server import Served, serving
from restock.engine.rules.errors import Place, RuleError
from restock.inventory.port import Inventory, PositionFrame, PositionsRequest
from restock.purchasing.model import Line, PurchaseOrder, State
from restock.services import PORTS
from restock.suppliers.model import Terms

D = Decimal
numbers = st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9)
plain = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(), numbers, st.dates())
anything = st.recursive(
    plain, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3))
)


def there_and_back(hint: Any, values: Sequence[object]) -> list[object]:
    form = column(hint)
    return list(form.unpack(decoded(encoded(form.pack(values))), len(values)))


def same(one: object, other: object) -> bool:
    """Tell whether two values are equal, kind for kind and digit for digit."""
    if isinstance(one, Decimal):
        return isinstance(other, Decimal) and str(one) == str(other)
    if isinstance(one, dict):
        return isinstance(other, dict) and list(one) == list(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, RestockError):
        return type(one) is type(other) and vars(one) == vars(other)
    return type(one) is type(other) and one == other


class Kind(StrEnum):
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True)
class Inner:
    name: str
    amount: Decimal
    days: int | None = None


@dataclass(frozen=True)
class Outer:
    kind: Kind
    inner: list[Inner]
    facts: Mapping[str, object]
    best: Inner | None
    on: date
    pair: tuple[str, int]
    row: tuple[Inner, ...] = ()
    sums: dict[str, Decimal] = field(default_factory=dict)


inners = st.builds(Inner, st.text(), numbers, st.one_of(st.none(), st.integers(0, 99)))
outers = st.builds(
    Outer,
    st.sampled_from(Kind),
    st.lists(inners, max_size=3),
    st.dictionaries(st.sampled_from("abc"), anything, max_size=3),
    st.one_of(st.none(), inners),
    st.dates(),
    st.tuples(st.text(), st.integers(0, 9)),
    st.lists(inners, max_size=2).map(tuple),
    st.dictionaries(st.text(max_size=2), numbers, max_size=2),
)


@given(st.lists(anything, max_size=5))
def test_values_of_any_kind_arrive_as_they_left(values: list[object]) -> None:
    assert same(there_and_back(object, values), values)


@given(st.lists(outers, max_size=5))
def test_values_of_a_type_arrive_as_they_left(values: list[Outer]) -> None:
    found = there_and_back(Outer, values)
    assert found == values
    assert all(same(vars(one), vars(other)) for one, other in zip(values, found, strict=True))


@given(st.lists(st.one_of(inners, st.just(Stale("x", field="y"))), max_size=6))
def test_of_results_and_errors_each_stays_in_its_place(values: list[object]) -> None:
    found = there_and_back(Inner | RestockError, values)
    assert [type(one) for one in found] == [type(one) for one in values]
    assert all(same(vars(one), vars(other)) for one, other in zip(values, found, strict=True))


@pytest.mark.parametrize("name", PORTS)
def test_every_call_of_every_port_has_a_form(name: str) -> None:
    found = calls_of(name, PORTS[name])
    assert found
    assert len({call.path for call in found.values()}) == len(found)


def test_a_frame_and_an_order_arrive_as_they_left() -> None:
    frame = PositionFrame(
        ("A",), ("W",), (D("1.50"),), (D(0),), (D("1.50"),), (D(0),), (D(0),), (7,), ("PIECE",), (D(0),)
    )
    (found,) = there_and_back(PositionFrame, [frame])
    assert list(found.rows()) == list(frame.rows())  # type: ignore[attr-defined]
    assert len(there_and_back(PositionFrame, [PositionFrame.of([])])[0]) == 0  # type: ignore[arg-type]
    line = Line(1, "P", "W", 3, D("2.0"), D(2), "PIECE", D("1.25"), D("2.5"))
    order = PurchaseOrder(
        "PO-1", "S", "Supplier", "USD", State.SENT, (line,), D(1), D(0), D(0), D(1), "2026", "me", "2026-02-01"
    )
    assert there_and_back(PurchaseOrder, [order, order]) == [order, order]
    decided = Decided([Decision("d", "r", "v", {"qty": D("1.0"), "ok": True}, ("A", "B"), {"x": 3}), NotFound("no")])
    (again,) = there_and_back(Decided, [decided])
    assert again.results[0] == decided.results[0]  # type: ignore[attr-defined]
    assert str(again.results[1]) == "no"  # type: ignore[attr-defined]


def test_what_is_no_decimal_arrives_as_it_is_for_the_port_to_refuse() -> None:
    (found,) = there_and_back(Terms, [Terms("P", "S", 1.5, 3)])  # type: ignore[arg-type]
    assert type(found.unit_price) is float  # type: ignore[attr-defined]


def test_fields_that_one_side_does_not_know_are_passed_over_or_get_their_default() -> None:
    wire = decoded(encoded(column(Inner).pack([Inner("a", D(1), 3)])))
    del wire["days"]
    wire["new"] = ["unknown"]
    assert column(Inner).unpack(wire, 1) == [Inner("a", D(1))]
    del wire["name"]
    with pytest.raises(KeyError):
        column(Inner).unpack(wire, 1)


def test_a_number_without_a_form_is_refused_as_input() -> None:
    with pytest.raises(InvalidInput, match="64 bits"):
        encoded(column(object).pack([2**64]))


def every_error(kind: type[RestockError] = RestockError) -> Iterator[type[RestockError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from every_error(each)


def test_every_kind_of_error_arrives_as_it_left() -> None:
    for kind in every_error():
        made = kind.__new__(kind)
        RestockError.__init__(made, "It is so.", remedy="Do this.", field="here")
        found = error_in(error_out(made))
        assert (found.status, found.code, found.exit_code) == (kind.status, kind.code, kind.exit_code)
        assert found.__class__.__name__ == kind.__name__
        assert (found.what, found.remedy, found.field) == ("It is so.", "Do this.", "here")
    rule = RuleError("book", Place(3, 7), "line", "wrong", "right")
    assert error_in(error_out(rule)).problem() == rule.problem()
    assert str(error_in(error_out(rule))) == str(rule)


def test_an_error_of_a_newer_program_is_the_nearest_one_known() -> None:
    wire = refusals.told(Conflict("It is taken."))
    wire["kinds"] = ["NewerThanThis", *wire["kinds"]]  # type: ignore[misc]
    wire["own"] = [410, 5, "gone"]
    found = refusals.understood(wire)
    assert type(found) is Conflict
    assert (found.status, found.code) == (410, "gone")


class Slow(Protocol):
    """A port for these tests."""

    async def wait(self, seconds: str) -> str:
        """Wait."""
        ...

    async def left(self) -> str:
        """Give the seconds that are left."""
        ...

    async def fail(self) -> None:
        """Fail as nobody foresaw."""
        ...


class SlowService:
    ended = contextvars.ContextVar("ended", default="")

    def __init__(self) -> None:
        self.cancelled = 0

    async def wait(self, seconds: str) -> str:
        try:
            await asyncio.sleep(float(seconds))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return "done"

    async def left(self) -> str:
        return str(deadline.for_neighbour(100))

    async def fail(self) -> None:
        raise ZeroDivisionError("secret")


@asynccontextmanager
async def slow(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[SlowService, Any, str]]:
    monkeypatch.setitem(PORTS, "slow", Slow)  # type: ignore[attr-defined]
    service = SlowService()
    async with serving(Served((), SystemClock(), {"slow": service}), "127.0.0.1", 0) as address:
        neighbour = Neighbour("slow", address)
        yield service, neighbour.port("slow", Slow), address
        await neighbour.close()


async def test_a_deadline_goes_along_shorter_at_each_hop(monkeypatch: pytest.MonkeyPatch) -> None:
    async with slow(monkeypatch) as (service, port, _):
        assert 9 < float(await port.left()) <= calls.CALL_SECONDS
        with deadline.within(2):
            assert 1.2 < float(await port.left()) < 1.9, "5 % shorter at each hop, twice"
        with pytest.raises(DeadlinePassed), deadline.within(0.2):
            await port.wait("5")
        await asyncio.sleep(0.05)
        assert service.cancelled == 1, "work for nobody is given up"
        with pytest.raises(DeadlinePassed), deadline.within(0.005):
            await port.wait("0")


async def test_a_defect_tells_the_caller_nothing_of_the_inside(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with slow(monkeypatch) as (_, port, _):
        with pytest.raises(RuntimeError) as caught:
            await port.fail()
        assert "secret" not in str(caught.value)
    assert "secret" in capsys.readouterr().err


async def test_a_neighbour_that_is_not_there_is_unavailable_and_found_when_it_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with slow(monkeypatch) as (_, _, address):
        pass
    neighbour = Neighbour("slow", address)
    port = neighbour.port("slow", Slow)
    with pytest.raises(Unavailable, match="does not answer"):
        await port.left()
    served = Served((), SystemClock(), {"slow": SlowService()})
    async with serving(served, "127.0.0.1", int(address.rpartition(":")[2])):
        for _ in range(50):
            try:
                await port.left()
                break
            except Unavailable:
                await asyncio.sleep(0.1)
        else:
            pytest.fail("it was not found again")
    await neighbour.close()


async def test_a_request_that_cannot_be_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with slow(monkeypatch) as (_, _, address), grpc.aio.insecure_channel(address) as channel:
        for body in (b"", b"\xc1", msgspec.msgpack.encode({"seconds": 3}), msgspec.msgpack.encode([1])):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary("/restock.v1.Slow/Wait")(body)
            assert caught.value.code().name == "INVALID_ARGUMENT", body


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("127.0.0.1:50051", "127.0.0.1:50051"),
        ("http://localhost:8081", "127.0.0.1:50051"),
        ("grpc://[::1]:9", "[::1]:9"),
        ("127.0.0.1:50051, http://127.0.0.2:8081", "ipv4:127.0.0.1:50051,127.0.0.2:50051"),
        ("[::1]:1,[::1]:2", "ipv6:[::1]:1,[::1]:2"),
    ],
)
def test_addresses_are_read_with_and_without_a_scheme(url: str, found: str) -> None:
    assert target_of(url, "oms_grpc_url", instead={8081: 50051}) == found


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "127.0.0.1:x",
        "http://:50051",
        "10.0.0.1:50051",
        "oms-service:50051",
        "127.0.0.1:1,",
        "127.0.0.1:1,[::1]:2",
    ],
)
def test_an_address_that_is_none_or_far_away_is_refused_by_its_setting(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        target_of(url, "oms_grpc_url")
    assert caught.value.field == "oms_grpc_url"


def test_requests_name_their_arguments() -> None:
    call = calls_of("inventory", Inventory)["positions"]
    assert call.path == "/restock.v1.Inventory/Positions"
    data = call.asked((PositionsRequest(["A"]),), {})
    assert call.arguments_of(data) == {"request": PositionsRequest(["A"])}
    assert call.arguments_of(call.asked((), {"request": PositionsRequest(["B"])}))["request"].products == ["B"]
