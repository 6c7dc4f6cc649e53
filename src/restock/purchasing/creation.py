"""Creating purchase orders: one transaction in which needs are taken, numbers given, orders, events and news written.

One need, one order: a line names the version of the plan row on which its quantity was decided. If the row has moved on,
somebody else satisfied the need and the order is Stale. Counting "what is on order now" instead lets two deciders order
twice, because a receipt leaves one side before it reaches the other (measured in the design: 253 orders for 20 needs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from hashlib import sha256

from restock.core.clock import timestamp
from restock.core.errors import InvalidInput, RestockError, Stale
from restock.core.ids import Ids
from restock.core.quantity import decimal, not_negative, storable
from restock.engine.database import Transaction
from restock.engine.database.columns import NAME_LENGTH
from restock.engine.database.once import MAX_KEY, Effect, same_request
from restock.engine.stream import Waiting
from restock.purchasing import news, store
from restock.purchasing.model import Line, OrderEvent, PurchaseOrder, State, apply
from restock.purchasing.port import CreateRequest, NewLine, NewOrder
from restock.purchasing.tables import ONCE, OUTBOX

NUMBER_DIGITS = 6
"""Digits of a number in a year; one beyond them gets a letter for each further digit, so that numbers sort as text."""

Results = list[PurchaseOrder | RestockError]

_STARTS = {State.DRAFT, State.PENDING_APPROVAL, State.APPROVED}


async def create(tx: Transaction, request: CreateRequest, now: datetime, ids: Ids) -> Results:
    """Create the orders asked for inside the transaction; a result or an error for each, in order."""
    effects = await ONCE.found(tx, [one.idempotency_key for one in request.orders if one.idempotency_key])
    versions = await store.plan_versions(tx, [line.product_id for one in request.orders for line in one.lines])
    results: list[PurchaseOrder | RestockError | None] = []
    firsts: dict[str, int] = {}
    for place, one in enumerate(request.orders):
        if firsts.setdefault(one.idempotency_key or f"#{place}", place) == place:
            results.append(await _known(tx, one, effects) or _checked(one, versions))
        else:
            results.append(None)
    repeated = [one.idempotency_key and firsts[one.idempotency_key] != at for at, one in enumerate(request.orders)]
    wanted = [
        one for one, result, again in zip(request.orders, results, repeated, strict=True) if not (result or again)
    ]
    made = iter(await _write(tx, wanted, request.actor, now, ids) if wanted else ())
    answers: Results = []
    for one, result, again in zip(request.orders, results, repeated, strict=True):
        if again:
            first = firsts[one.idempotency_key]
            answers.append(_same(one, request.orders[first]) or answers[first])
        else:
            answers.append(result or next(made))
    return answers


def _same(new: NewOrder, first: NewOrder) -> RestockError | None:
    """Tell whether a key that comes twice in one request comes with the same order."""
    try:
        same_request(new.idempotency_key, Effect(_fingerprint(first), ""), _fingerprint(new))
    except InvalidInput as error:
        return error
    return None


async def _known(tx: Transaction, new: NewOrder, effects: Mapping[str, Effect]) -> PurchaseOrder | RestockError | None:
    effect = effects.get(new.idempotency_key)
    if effect is None:
        return None
    try:
        same_request(new.idempotency_key, effect, _fingerprint(new))
    except InvalidInput as error:
        return error
    return await store.order(tx, effect.result)


def _fingerprint(new: NewOrder) -> str:
    places = sorted(f"{line.product_id}@{line.warehouse_id}" for line in new.lines)
    text = ",".join(places)
    return text if len(text) <= NAME_LENGTH else f"{len(places)} lines, {sha256(text.encode()).hexdigest()}"


def _checked(new: NewOrder, versions: dict[store.Place, int]) -> RestockError | None:
    """Tell why the order cannot be made, or take its needs so that a later one in the same request cannot."""
    try:
        _check_values(new)
    except InvalidInput as error:
        return error
    for line in new.lines:
        current = versions.get((line.product_id, line.warehouse_id), 0)
        if current != line.plan_version:
            return Stale(
                f"The need for {line.product_id} was decided on version {line.plan_version}, now it is {current}.",
                field="plan_version",
                remedy="Decide again.",
            )
    for line in new.lines:
        versions[line.product_id, line.warehouse_id] = line.plan_version + 1
    return None


def _check_values(new: NewOrder) -> None:
    """Refuse an order that would be stored otherwise than it was asked for. Raises InvalidInput."""
    if not new.lines:
        raise InvalidInput("An order needs a line.", field="lines")
    if new.state not in _STARTS:
        raise InvalidInput(f"An order does not start as {new.state!r}.", field="state")
    if new.send and new.state != State.APPROVED:
        raise InvalidInput(f"An order that is {new.state} cannot be sent.", field="send")
    if len(new.idempotency_key) > MAX_KEY:
        raise InvalidInput(f"has more than {MAX_KEY} characters.", field="idempotency_key")
    for name in ("total_amount", "discount_amount", "tax_amount", "grand_total"):
        amount = getattr(new, name)
        if not storable(amount) or amount < 0:
            not_negative(amount, name)
    for line in new.lines:
        _check_line(line)
    if len({(line.product_id, line.warehouse_id) for line in new.lines}) != len(new.lines):
        raise InvalidInput(
            "A product is on two lines of the order.", field="lines", remedy="Join them: one need, one line."
        )


def _check_line(line: NewLine) -> None:
    for value in (line.quantity, line.purchase_quantity, line.unit_price, line.total_amount):
        if not storable(value):
            decimal(value, "lines")
    if line.quantity <= 0 or line.total_amount <= 0:
        raise InvalidInput(f"The line for {line.product_id} has no quantity or no amount.", field="lines")


async def _write(
    tx: Transaction, wanted: Sequence[NewOrder], actor: str, now: datetime, ids: Ids
) -> list[PurchaseOrder]:
    at = timestamp(now)
    await store.order_needs(tx, _needs(wanted))
    first = await store.next_numbers(tx, now.year, len(wanted))
    orders: list[PurchaseOrder] = []
    history: list[tuple[OrderEvent, PurchaseOrder | None]] = []
    told: list[Waiting] = []
    effects: list[tuple[str, Effect]] = []
    event_ids = iter(ids.many(sum(1 + new.send for new in wanted)))
    for number, new in enumerate(wanted, first):
        created = _order(numbered(now.year, number), new, actor, at)
        history.append((OrderEvent(created.po_id, 1, news.CREATED, at, actor, new.reason, {}), created))
        told.append(news.created(next(event_ids), created, new.causation_id))
        if new.send:
            sent = OrderEvent(created.po_id, 2, news.SENT, at, actor, "", {"send_method": new.send_method})
            history.append((sent, None))
            created = apply(created, sent)
            told.append(news.sent(next(event_ids), created, new.causation_id))
        orders.append(created)
        if new.idempotency_key:
            effects.append((new.idempotency_key, Effect(_fingerprint(new), created.po_id)))
    await store.add_orders(tx, orders)
    await store.add_events(tx, history)
    await store.add_dispatch(tx, [order for order in orders if order.state is State.SENT], store.FILE_CHANNEL, at)
    await OUTBOX.add_encoded(tx, told)
    await ONCE.store(tx, effects, at)
    await store.bump(tx)
    return orders


def numbered(year: int, number: int) -> str:
    """Give the identifier of the year's order of that number: PO-2026-000001 … PO-2026-999999, PO-2026-A1000000 …"""
    digits = f"{number:0{NUMBER_DIGITS}}"
    more = len(digits) - NUMBER_DIGITS
    return f"PO-{year}-{chr(ord('A') + more - 1) if more else ''}{digits}"


def _needs(wanted: Sequence[NewOrder]) -> list[tuple[store.Place, int, Decimal]]:
    return [
        ((line.product_id, line.warehouse_id), line.plan_version, line.quantity) for o in wanted for line in o.lines
    ]


def _order(po_id: str, new: NewOrder, actor: str, at: str) -> PurchaseOrder:
    lines = tuple(
        Line(
            number,
            line.product_id,
            line.warehouse_id,
            line.plan_version + 1,
            line.quantity,
            line.purchase_quantity,
            line.purchase_unit,
            line.unit_price,
            line.total_amount,
            line.decision_id,
        )
        for number, line in enumerate(new.lines, 1)
    )
    return PurchaseOrder(
        po_id=po_id,
        supplier_id=new.supplier_id,
        supplier_name=new.supplier_name,
        currency=new.currency,
        state=State(new.state),
        lines=lines,
        total_amount=new.total_amount,
        discount_amount=new.discount_amount,
        tax_amount=new.tax_amount,
        grand_total=new.grand_total,
        created_at=at,
        created_by=actor,
        expected_on=new.expected_on,
        decision_id=new.decision_id,
        run_id=new.run_id,
        approved_by=actor if new.state == State.APPROVED else "",
    )
