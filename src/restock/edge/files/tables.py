"""Importing tables: products, stock, suppliers, units, stated demand.

Each line is checked by the constructor of its context's model and handed to the context's port in batches. A second line
for the same thing is rejected: which of the two is right is not for a program to guess.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from restock.core.errors import InvalidInput
from restock.edge.files.cells import original
from restock.edge.files.line import Line, Problem
from restock.edge.files.rejects import RejectsFile
from restock.edge.files.report import ImportReport
from restock.edge.files.settings import BATCH, ImportSettings, Progress
from restock.edge.files.tabular import Lines, read
from restock.inventory.model import Item, StockCount, item, stock_count
from restock.inventory.port import Inventory, PutItemsRequest, PutStockRequest
from restock.orders.model import Demand, demand
from restock.orders.port import Orders, PutDemandRequest
from restock.suppliers.model import Terms, terms
from restock.suppliers.port import PutTermsRequest, Suppliers
from restock.units.model import Conversion, contradictions, conversion
from restock.units.port import ConversionsRequest, PutConversionsRequest, Units

T = TypeVar("T")

CONTRADICTION = "contradiction"
"""Why a line is rejected that cannot be true beside others."""


Refusing = Callable[[list[T]], Awaitable[Mapping[int, str]]]
"""Says which rows of a batch cannot be stored with what is on file or with those before them, by place, and why."""


class Changed(Protocol):
    """The answer of every port that stores rows."""

    @property
    def changed(self) -> int:
        """How many rows differ from what was there."""
        ...


@dataclass(frozen=True)
class Table(Generic[T]):
    """One kind of file: its columns, how a row is read, what makes two rows the same thing."""

    kind: str
    required: tuple[str, ...]
    read: Callable[[Mapping[str, object]], T]
    key: Callable[[T], tuple[str, ...]]


PRODUCTS = Table[Item]("products", ("product_id",), item, lambda one: (one.product_id,))
STOCK = Table[StockCount](
    "stock", ("product_id", "on_hand"), stock_count, lambda one: (one.product_id, one.warehouse_id)
)
SUPPLIERS = Table[Terms](
    "suppliers",
    ("product_id", "supplier_id", "unit_price", "lead_time_days"),
    terms,
    lambda one: (one.product_id, one.supplier_id),
)
UNITS = Table[Conversion](
    "units",
    ("product_id", "from_unit", "to_unit", "factor"),
    conversion,
    lambda one: (one.product_id, one.from_unit, one.to_unit),
)
DEMAND = Table[Demand]("demand", ("product_id", "demand_per_day"), demand, lambda one: (one.product_id,))


async def import_products(path: Path, inventory: Inventory, settings: ImportSettings) -> ImportReport:
    """Import products: product_id; description, stock_unit, safety_stock."""
    return await _import(path, PRODUCTS, lambda rows: inventory.put_items(PutItemsRequest(rows)), settings)


async def import_stock(path: Path, inventory: Inventory, settings: ImportSettings) -> ImportReport:
    """Import stock counts: product_id, on_hand; reserved, warehouse_id."""
    return await _import(path, STOCK, lambda rows: inventory.put_stock(PutStockRequest(rows)), settings)


async def import_suppliers(path: Path, suppliers: Suppliers, settings: ImportSettings) -> ImportReport:
    """Import supplier terms: product_id, supplier_id, unit_price, lead_time_days and the other fields of terms."""
    return await _import(path, SUPPLIERS, lambda rows: suppliers.put_terms(PutTermsRequest(rows)), settings)


async def import_units(path: Path, units: Units, settings: ImportSettings) -> ImportReport:
    """Import conversions: product_id, from_unit, to_unit, factor."""

    async def put(rows: list[Conversion]) -> Changed:
        return await units.put_conversions(PutConversionsRequest(rows))

    return await _import(path, UNITS, put, settings, contradicted(units))


def contradicted(units: Units) -> Refusing[Conversion]:
    """Give what refuses conversions that contradict others."""

    async def refused(rows: list[Conversion]) -> Mapping[int, str]:
        known = await units.conversions(ConversionsRequest(sorted({one.product_id for one in rows})))
        return contradictions(known.conversions(), rows)

    return refused


async def import_demand(path: Path, orders: Orders, settings: ImportSettings) -> ImportReport:
    """Import stated demand: product_id, demand_per_day; trend."""
    return await _import(path, DEMAND, lambda rows: orders.put_demand(PutDemandRequest(rows)), settings)


def read_row(table: Table[T], line: Line) -> T | Problem:
    """Give the row of a line, or why there is none."""
    if line.problem:
        return line.problem
    try:
        return table.read({field: original(text) for field, text in line.row.items()})
    except InvalidInput as error:
        what = " ".join(part for part in (error.what, error.remedy) if part)
        return Problem(f"bad-{error.field or 'line'}", error.field, what)


async def _import(
    path: Path,
    table: Table[T],
    put: Callable[[list[T]], Awaitable[Changed]],
    settings: ImportSettings,
    refusing: Refusing[T] | None = None,
) -> ImportReport:
    start = settings.clock.now()
    lines = read(path, settings.mapping, table.required, settings.encoding)
    intake = _Intake(table, lines.file)
    with closing(lines), RejectsFile(settings.rejects, path.name) as rejects:
        for batch in cut(lines, settings):
            taken = [(line, row) for line in batch for row in intake.rows(line, rejects)]
            refused = await refusing([row for _, row in taken]) if refusing and taken else {}
            for at, what in refused.items():
                intake.refuse(*taken[at], what, rejects)
            if rows := [row for at, (_, row) in enumerate(taken) if at not in refused]:
                intake.changed += (await put(rows)).changed
            await asyncio.sleep(0)  # others get their turn
    seconds = (settings.clock.now() - start).total_seconds()
    place = str(rejects.path) if rejects.count else ""
    accepted = {table.kind: len(intake.seen)}
    return ImportReport(
        path.name, table.kind, intake.lines, accepted, intake.changed, dict(intake.rejected), place, seconds
    )


class _Intake(Generic[T]):
    """What came of the lines so far."""

    def __init__(self, table: Table[T], file: str) -> None:
        self._table = table
        self._file = file
        self.lines = 0
        self.changed = 0
        self.seen: dict[tuple[str, ...], int] = {}
        self.rejected: Counter[str] = Counter()

    def rows(self, line: Line, rejects: RejectsFile) -> Iterator[T]:
        """Give the row of the line, if it has one; write the line down otherwise."""
        self.lines += 1
        row = read_row(self._table, line)
        if not isinstance(row, Problem):
            key = self._table.key(row)
            first = self.seen.setdefault(key, line.number)
            if first == line.number:
                yield row
                return
            row = Problem("duplicate", "product_id", f"{' '.join(key)} already stands on line {first}.")
        self._reject(line, row, rejects)

    def refuse(self, line: Line, row: T, what: str, rejects: RejectsFile) -> None:
        """Write down a line whose row contradicts others after all."""
        del self.seen[self._table.key(row)]
        self._reject(line, Problem(CONTRADICTION, "product_id", what), rejects)

    def _reject(self, line: Line, problem: Problem, rejects: RejectsFile) -> None:
        self.rejected[problem.reason] += 1
        rejects.add(self._file, line, problem)


def cut(lines: Lines, settings: ImportSettings) -> Iterator[list[Line]]:
    """Cut lines into batches and tell of progress after each."""
    walk, count = iter(lines), 0
    while batch := list(islice(walk, BATCH)):
        yield batch
        count += len(batch)
        settings.progress(Progress(lines.file, count, *lines.progress))
