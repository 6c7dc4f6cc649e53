"""Every statement about plans, proposals and skips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from decimal import Decimal
from operator import attrgetter

import msgspec
from sqlalchemy import ColumnElement, and_, bindparam, select, true

from restock.core.errors import NotFound
from restock.core.quantity import from_scaled, plain, to_scaled
from restock.engine.database import Database, Row, Statement, Transaction
from restock.replenishment.port import Plan, Proposal, ProposalsRequest, Skip, SkipsRequest
from restock.replenishment.tables import PLAN_RUN, PROPOSAL, SKIP

_FIELDS = tuple(field.name for field in fields(Proposal) if field.name != "proposal_id")
_PREFIX = "PROP-"
_SCALED = ("quantity", "purchase_quantity", "unit_price", "total_amount", "shortage")

_N, _P, _S = PLAN_RUN.c, PROPOSAL.c, SKIP.c
_COLUMNS = tuple(_P[name] for name in _FIELDS)
_START = Statement(PLAN_RUN.insert().values({one.name: bindparam(one.name) for one in _N if one.name != "plan_no"}))
_LATEST_NO = Statement(select(_N.plan_no).order_by(_N.plan_no.desc()).limit(1))
_PLAN_COLUMNS = (_N.plan_no, _N.at, _N.warehouse_id, _N.products, _N.outcomes, _N.amounts, _N.digest, _N.basis)
_READY = Statement(select(*_PLAN_COLUMNS).where(_N.state == "ready").order_by(_N.plan_no.desc()).limit(1))
_FINISH = Statement(
    PLAN_RUN.update()
    .where(_N.plan_no == bindparam("key"))
    .values(
        products=bindparam("new_products"),
        outcomes=bindparam("new_outcomes"),
        amounts=bindparam("new_amounts"),
        digest=bindparam("new_digest"),
        state="ready",
    )
)
_SUPERSEDE = Statement(
    PROPOSAL.update().where(and_(_P.plan_no < bindparam("plan"), _P.state == "open")).values(state="superseded")
)
_ADD = Statement(PROPOSAL.insert())
_ADD_SKIP = Statement(SKIP.insert())
_KEY = and_(_P.plan_no == bindparam("key_plan"), _P.product_id == bindparam("key_product"))
_ONE = Statement(select(*_COLUMNS).where(_KEY))
_MARK = Statement(PROPOSAL.update().where(_KEY).values(state=bindparam("new_state"), po_id=bindparam("new_po_id")))

_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode = msgspec.json.Decoder(dict[str, object], float_hook=Decimal).decode


async def start(tx: Transaction, warehouse: str, at: str, basis: str) -> int:
    """Begin a plan; give its number. It counts only once it is finished."""
    row: dict[str, object] = {
        "warehouse_id": warehouse,
        "at": at,
        "products": 0,
        "outcomes": "{}",
        "amounts": "{}",
        "digest": "",
        "basis": basis,
        "state": "running",
    }
    await tx.write(_START, row)
    return int((await tx.read(_LATEST_NO))[0][0])


async def add(tx: Transaction, plan_no: int, proposals: Sequence[Proposal], skips: Sequence[Skip]) -> None:
    """Store a part of a plan."""
    await tx.write_many(_ADD, [_row(one) for one in proposals])
    await tx.write_many(
        _ADD_SKIP,
        [
            {"plan_no": plan_no, "product_id": one.product_id, "outcome": one.outcome, "reason": one.reason}
            for one in skips
        ],
    )


async def finish(tx: Transaction, plan: Plan) -> None:
    """Make a plan the latest one; open proposals of earlier plans are superseded."""
    await tx.write(
        _FINISH,
        {
            "key": plan.plan_no,
            "new_products": plan.products,
            "new_outcomes": _encode(plan.outcomes).decode(),
            "new_amounts": _encode({currency: plain(amount) for currency, amount in plan.amounts.items()}).decode(),
            "new_digest": plan.digest,
        },
    )
    await tx.write(_SUPERSEDE, {"plan": plan.plan_no})


async def latest(database: Database) -> tuple[Plan, str] | None:
    """Give the latest finished plan and what it was based on."""
    rows = await database.read(_READY)
    if not rows:
        return None
    number, at, warehouse, products, outcomes, amounts, digest, basis = rows[0]
    sums = {currency: Decimal(str(amount)) for currency, amount in _decode(amounts).items()}
    counted = {name: int(str(count)) for name, count in _decode(outcomes).items()}
    return Plan(number, at, warehouse, products, counted, sums, digest), basis


async def page(database: Database, request: ProposalsRequest) -> list[Proposal]:
    """Give a page of proposals in the order of products."""
    number = request.plan_no or await _latest_no(database)
    statement = _PAGE_OF_SUPPLIER if request.supplier_id else _PAGE
    rows = await database.read(
        statement,
        {"plan": number, "after": request.after, "limit": request.limit, "supplier": request.supplier_id},
    )
    return [_proposal(row) for row in rows]


async def one(database: Database, name: str) -> Proposal:
    """Give one proposal. Raises NotFound."""
    number, _, product = name.removeprefix(_PREFIX).partition("-")
    known = name.startswith(_PREFIX) and number.isdigit()
    rows = await database.read(_ONE, {"key_plan": int(number), "key_product": product}) if known else []
    if not rows:
        raise NotFound(
            f"There is no proposal {name}.",
            field="proposal_id",
            remedy="List them with `restock replenishment proposals`.",
        )
    return _proposal(rows[0])


async def skips(database: Database, request: SkipsRequest) -> list[Skip]:
    """Give a page of what a plan skipped."""
    number = request.plan_no or await _latest_no(database)
    statement = _SKIPS_OF if request.outcome else _SKIPS
    parameters = {"plan": number, "after": request.after, "limit": request.limit, "outcome": request.outcome}
    return [Skip(*row) for row in await database.read(statement, parameters)]


async def mark(tx: Transaction, marks: Sequence[tuple[Proposal, str, str]]) -> None:
    """Set state and order of proposals."""
    await tx.write_many(
        _MARK,
        [
            {"key_plan": one.plan_no, "key_product": one.product_id, "new_state": state, "new_po_id": po_id}
            for one, state, po_id in marks
        ],
    )


def proposal_id(plan_no: int, product: str) -> str:
    """Give the name of a proposal: its plan and its product."""
    return f"{_PREFIX}{plan_no:06}-{product}"


async def _latest_no(database: Database) -> int:
    found = await latest(database)
    return 0 if found is None else found[0].plan_no


def _page(*more: ColumnElement[bool]) -> Statement:
    conditions = (_P.plan_no == bindparam("plan"), _P.product_id > bindparam("after"), *more)
    return Statement(
        select(*_COLUMNS).where(and_(true(), *conditions)).order_by(_P.product_id).limit(bindparam("limit"))
    )


_PAGE = _page()
_PAGE_OF_SUPPLIER = _page(_P.supplier_id == bindparam("supplier"))
_SKIP_COLUMNS = (_S.product_id, _S.outcome, _S.reason)
_SKIPS = Statement(
    select(*_SKIP_COLUMNS)
    .where(and_(_S.plan_no == bindparam("plan"), _S.product_id > bindparam("after")))
    .order_by(_S.product_id)
    .limit(bindparam("limit"))
)
_SKIPS_OF = Statement(
    select(*_SKIP_COLUMNS)
    .where(
        and_(
            _S.plan_no == bindparam("plan"),
            _S.product_id > bindparam("after"),
            _S.outcome == bindparam("outcome"),
        )
    )
    .order_by(_S.product_id)
    .limit(bindparam("limit"))
)


def _row(one: Proposal) -> dict[str, object]:
    row = dict(zip(_FIELDS, _values(one), strict=True))
    for name in _SCALED:
        row[name] = to_scaled(row[name])
    return row


_values = attrgetter(*_FIELDS)


def _proposal(row: Row) -> Proposal:
    named = dict(zip(_FIELDS, row, strict=True))
    for name in _SCALED:
        named[name] = from_scaled(named[name])
    return Proposal(proposal_id=proposal_id(named["plan_no"], named["product_id"]), **named)
