"""Statements over imported history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache

from sqlalchemy import and_, bindparam, case, func, insert, select

from restock.core.errors import InvalidInput
from restock.core.quantity import not_negative, positive, to_scaled
from restock.core.text import name
from restock.engine.database import Database, Statement, Transaction
from restock.orders.history import KEY_LENGTH, REMEMBERED, Kind, Window
from restock.orders.port import AddHistoryRequest, FinishImportRequest, HistoryImport
from restock.orders.tables import HISTORY_IMPORT, HISTORY_LINE

_L = HISTORY_LINE.c
_I = HISTORY_IMPORT.c

_KINDS = {kind.value for kind in Kind}

_KNOWN = Statement(select(_L.key).where(_L.key.in_(bindparam("keys", expanding=True))))
_ADD = Statement(insert(HISTORY_LINE).values({column.name: bindparam(column.name) for column in _L}))
_NET = case((_L.kind == Kind.SALE.value, _L.quantity), else_=-_L.quantity)
_SOLD = Statement(
    select(
        _L.product_id,
        func.sum(case((and_(_L.day >= bindparam("start"), _L.day < bindparam("middle")), _NET), else_=0)),
        func.sum(case((_L.day >= bindparam("middle"), _NET), else_=0)),
    )
    .where(_L.day < bindparam("end"))
    .group_by(_L.product_id)
    .order_by(_L.product_id)
)
_IMPORTS = Statement(select(*(_I[name] for name in HistoryImport.__dataclass_fields__)).order_by(_I.at, _I.digest))
_IMPORT = Statement(select(_I.digest).where(_I.digest == bindparam("digest")))
_FINISH = Statement(insert(HISTORY_IMPORT).values({column.name: bindparam(column.name) for column in _I}))


def history_lines(request: AddHistoryRequest) -> list[dict[str, object]]:
    """Give the rows of the request, checked. Raises InvalidInput naming column and row."""
    columns = request.columns()
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        raise InvalidInput(f"The columns have {sorted(lengths)} rows.", field="key", remedy="Give equal columns.")
    rows: list[dict[str, object]] = []
    for index, row in enumerate(request.rows()):
        try:
            rows.append(_checked(row))
        except InvalidInput as error:
            raise InvalidInput(error.what, remedy=error.remedy, field=f"{error.field}[{index}]") from None
    return rows


def _checked(row: dict[str, object]) -> dict[str, object]:
    if row["kind"] not in _KINDS:
        raise InvalidInput(f"{row['kind']!r} is neither sale nor return.", field="kind")
    if len(str(row["key"])) != KEY_LENGTH:
        raise InvalidInput(f"{row['key']!r} is not a key of {KEY_LENGTH} characters.", field="key")
    row["product_id"] = _product(row["product_id"])
    row["day"] = _day(str(row["day"]))
    row["quantity"] = _above_zero(row["quantity"])
    row["price"] = _price(row["price"])
    return row


@lru_cache(REMEMBERED)
def _product(value: object) -> str:
    return name(value, "product_id")


@lru_cache(REMEMBERED)
def _day(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise InvalidInput(f"{value!r} is not a day like 2011-09-30.", field="day") from None


@lru_cache(REMEMBERED, typed=True)
def _above_zero(value: object) -> int:
    return to_scaled(positive(value, "quantity"))


@lru_cache(REMEMBERED, typed=True)
def _price(value: object) -> int:
    return to_scaled(not_negative(value, "price"))


async def add(tx: Transaction, lines: Sequence[dict[str, object]]) -> int:
    """Store the lines whose key is new; give their number."""
    known = {row[0] for row in await tx.read(_KNOWN, {"keys": [line["key"] for line in lines]})}
    new = {line["key"]: line for line in lines if line["key"] not in known}
    await tx.write_many(_ADD, list(new.values()))
    return len(new)


async def finish(tx: Transaction, done: FinishImportRequest, at: str) -> int:
    """Write down a file that was imported to its end, once."""
    if await tx.read(_IMPORT, {"digest": done.digest}):
        return 0
    return await tx.write(_FINISH, {**vars(done), "at": at})


async def imports(database: Database) -> list[HistoryImport]:
    """Give the imported files, oldest first."""
    return [HistoryImport(*row) for row in await database.read(_IMPORTS)]


async def sold(database: Database, over: Window) -> list[tuple[str, int, int]]:
    """Give for each product with history before the window's end its net sales in the earlier and the later half."""
    bounds = {"start": over.start.isoformat(), "middle": over.middle.isoformat(), "end": over.end.isoformat()}
    return [(product, int(earlier), int(later)) for product, earlier, later in await database.read(_SOLD, bounds)]
