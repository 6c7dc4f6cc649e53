"""Importing a real shop: the folder of the "Online Retail" data set with its made-up stock, suppliers and units.

Codes that differ only in case are one product, here as in the sales: counts of its spellings are added, terms and
conversions of the spelling in upper case stand, and those of the other are rejected as `case-variant` with the line of the
one that stands, unless they say the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Generic, TypeVar

from restock.core.errors import InvalidInput
from restock.edge.files.history_lines import Tally, day_after, import_history
from restock.edge.files.line import Line, Problem
from restock.edge.files.rejects import RejectsFile
from restock.edge.files.report import ImportReport, joined
from restock.edge.files.settings import ImportSettings
from restock.edge.files.tables import (
    CONTRADICTION,
    STOCK,
    SUPPLIERS,
    UNITS,
    Changed,
    Refusing,
    Table,
    contradicted,
    cut,
    read_row,
)
from restock.edge.files.tabular import read
from restock.inventory.model import Item, StockCount
from restock.inventory.port import CatalogueRequest, Inventory, PutItemsRequest, PutStockRequest
from restock.orders.history import retail_line
from restock.orders.port import DEFAULT_WINDOW_DAYS, Orders, Recomputed, RecomputeDemandRequest
from restock.suppliers.model import Terms
from restock.suppliers.port import PutTermsRequest, Suppliers
from restock.units.model import Conversion
from restock.units.port import PutConversionsRequest, Units

COLUMNS = {
    "InvoiceNo": "order_id",
    "StockCode": "product_id",
    "Description": "description",
    "Quantity": "quantity",
    "InvoiceDate": "date",
    "UnitPrice": "price",
    "CustomerID": "customer_id",
}
"""The shop's names of the fields of a line."""

STOCK_DATE = date(2011, 10, 1)
"""The day the data set's stock.csv was counted."""

Row = TypeVar("Row", StockCount, Terms, Conversion)


@dataclass(frozen=True)
class RetailPorts:
    """The contexts that a shop is imported into."""

    orders: Orders
    inventory: Inventory
    suppliers: Suppliers
    units: Units


@dataclass(frozen=True)
class RetailReport:
    """What became of the folder: the months and together, the other files, the products, the demand."""

    months: list[ImportReport]
    orders: ImportReport
    tables: list[ImportReport]
    products: int
    products_changed: int
    demand: Recomputed
    stock_date: date


async def import_online_retail(
    folder: Path,
    ports: RetailPorts,
    settings: ImportSettings,
    stock_date: date | None = None,
    window_days: int = DEFAULT_WINDOW_DAYS,
    before_demand: Callable[[], Awaitable[object]] | None = None,
) -> RetailReport:
    """Import a folder: its months in order, products, stock.csv, suppliers.csv, units.csv, then compute demand.

    Without a stock date stock was counted on the day after the newest line. `before_demand` is awaited when all but the
    demand is stored: who carries the stock counts on then wakes no flow, and leaves the ordering to a plan.
    """
    paths = months(folder)
    tally = Tally()
    sales = replace(settings, mapping=COLUMNS)
    reports = [await import_history(path, ports.orders, sales, COLUMNS.values(), retail_line, tally) for path in paths]
    products_changed = await _put_products(ports.inventory, tally.descriptions)
    tables = await _tables(folder, ports, replace(settings, mapping={}))
    counted = stock_date or day_after(tally.newest)
    if before_demand is not None:
        await before_demand()
    demand = await ports.orders.recompute_demand(RecomputeDemandRequest(counted, window_days))
    together = joined(folder.name, "orders", reports)
    return RetailReport(reports, together, tables, len(tally.descriptions), products_changed, demand, counted)


def months(folder: Path) -> list[Path]:
    """Give the files of a folder in their order. Raises InvalidInput when there are none."""
    months = sorted(folder.glob("*.csv.gz"))
    if not months:
        raise InvalidInput(
            f"There is no *.csv.gz in {folder}.", field=folder.name, remedy="Name the data set's folder."
        )
    return months


async def _tables(folder: Path, ports: RetailPorts, settings: ImportSettings) -> list[ImportReport]:
    async def put_stock(rows: list[StockCount]) -> Changed:
        return await ports.inventory.put_stock(PutStockRequest(rows))

    async def put_terms(rows: list[Terms]) -> Changed:
        return await ports.suppliers.put_terms(PutTermsRequest(rows))

    async def put_conversions(rows: list[Conversion]) -> Changed:
        return await ports.units.put_conversions(PutConversionsRequest(rows))

    return [
        await _import(folder / "stock.csv", STOCK, _added, put_stock, settings),
        await _import(folder / "suppliers.csv", SUPPLIERS, _standing, put_terms, settings),
        await _import(folder / "units.csv", UNITS, _standing, put_conversions, settings, contradicted(ports.units)),
    ]


async def _put_products(inventory: Inventory, descriptions: dict[str, str]) -> int:
    """Store the last description of each product; what is known of it besides stays."""
    known: dict[str, Item] = {}
    after = ""
    while len(page := await inventory.catalogue(CatalogueRequest(after))):
        columns = (page.product_id, page.description, page.stock_unit, page.safety_stock)
        known.update((row[0], Item(*row)) for row in zip(*columns, strict=True))
        after = page.product_id[-1]
    items = []
    for product, text in sorted(descriptions.items()):
        item = known.get(product, Item(product))
        items.append(replace(item, description=text or item.description))
    return (await inventory.put_items(PutItemsRequest(items))).changed


def _added(standing: StockCount, other: StockCount) -> StockCount | None:
    """Two piles of one product are one."""
    return replace(standing, on_hand=standing.on_hand + other.on_hand, reserved=standing.reserved + other.reserved)


def _standing(standing: Row, other: Row) -> Row | None:
    """Keep the one that stands when the other says the same."""
    return standing if standing == other else None


async def _import(
    path: Path,
    table: Table[Row],
    merge: Callable[[Row, Row], Row | None],
    put: Callable[[list[Row]], Awaitable[Changed]],
    settings: ImportSettings,
    refusing: Refusing[Row] | None = None,
) -> ImportReport:
    """Import a table of some thousand lines whose spellings of a code are one product."""
    start = settings.clock.now()
    lines = read(path, {}, table.required, settings.encoding)
    merger = _Merger(table, merge)
    with closing(lines), RejectsFile(settings.rejects, path.name) as rejects:
        every = [line for batch in cut(lines, settings) for line in batch]
        for line in sorted(every, key=_lower_last):
            merger.take(line)
        if refusing is not None:
            merger.leave_out(await refusing(list(merger.rows.values())))
        for line, problem in sorted(merger.problems, key=lambda one: one[0].number):
            rejects.add(path.name, line, problem)
        rows = list(merger.rows.values())
        changed = (await put(rows)).changed
    return ImportReport(
        path.name,
        table.kind,
        len(every),
        {table.kind: len(rows), "merged": merger.merged},
        changed,
        dict(Counter(problem.reason for _, problem in merger.problems)),
        str(rejects.path) if rejects.count else "",
        (settings.clock.now() - start).total_seconds(),
    )


def _lower_last(line: Line) -> bool:
    code = line.row.get("product_id", "")
    return code != code.upper()


class _Merger(Generic[Row]):
    """Rows by product in upper case."""

    def __init__(self, table: Table[Row], merge: Callable[[Row, Row], Row | None]) -> None:
        self._table: Table[Row] = table
        self._merge: Callable[[Row, Row], Row | None] = merge
        self._spellings: dict[str, tuple[str, int]] = {}
        self._lines: dict[tuple[str, ...], tuple[str, int]] = {}
        self._origins: dict[tuple[str, ...], Line] = {}
        self.rows: dict[tuple[str, ...], Row] = {}
        self.merged = 0
        self.problems: list[tuple[Line, Problem]] = []

    def take(self, line: Line) -> None:
        """Keep the row of the line, or merge it, or write down why not."""
        row = read_row(self._table, line)
        if isinstance(row, Problem):
            self.problems.append((line, row))
            return
        spelling, product = row.product_id, row.product_id.upper()
        row = replace(row, product_id=product)
        key = self._table.key(row)
        standing, at = self._lines.get(key) or self._spellings.get(product) or (spelling, line.number)
        if key in self.rows and standing == spelling:
            self._refuse(line, "duplicate", f"{' '.join(key)} already stands on line {at}.")
        elif key in self.rows and (one := self._merge(self.rows[key], row)):
            self.rows[key] = one
            self.merged += 1
        elif standing != spelling and self._merge is _standing:
            self._refuse(
                line, "case-variant", f"{spelling} is the same product as {standing}, which stands on line {at}."
            )
        else:
            self.rows[key] = row
            self._lines[key] = (spelling, line.number)
            self._origins[key] = line
            self._spellings.setdefault(product, (spelling, line.number))

    def leave_out(self, refused: Mapping[int, str]) -> None:
        """Take back the rows at these places, which contradict others."""
        for key, what in [(list(self.rows)[place], what) for place, what in refused.items()]:
            del self.rows[key]
            self._refuse(self._origins[key], CONTRADICTION, what)

    def _refuse(self, line: Line, reason: str, what: str) -> None:
        self.problems.append((line, Problem(reason, "product_id", what)))
