"""Importing sales of the past: each line is a sale, a return, or a reject, with totals that add up to the file."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from decimal import Context, Decimal
from pathlib import Path

from restock.core.errors import InvalidInput
from restock.core.quantity import SCALE, decimal, plain, to_scaled
from restock.edge.files.line import Line, Problem
from restock.edge.files.rejects import RejectsFile
from restock.edge.files.report import ClassTotal, ImportReport
from restock.edge.files.settings import ImportSettings
from restock.edge.files.tables import cut
from restock.edge.files.tabular import read
from restock.orders.history import HistoryLine, Kind, Reject, line_key, order_line
from restock.orders.port import AddHistoryRequest, FinishImportRequest, Orders

ORDER_FIELDS = ("product_id", "quantity", "date")
MORE_ORDER_FIELDS = ("price", "customer_id", "order_id")
"""Fields of a line of sales: those it must have, and those it may have."""

_EXACT = Context(prec=60)


@dataclass
class _Sum:
    """Lines, millionths of quantity, and millionths of millionths of money."""

    lines: int = 0
    quantity: int = 0
    money: int = 0

    def total(self) -> ClassTotal:
        quantity = plain(Decimal(self.quantity).scaleb(-SCALE, _EXACT))
        return ClassTotal(self.lines, quantity, plain(Decimal(self.money).scaleb(-2 * SCALE, _EXACT)))


@dataclass
class Tally:
    """What came of the lines of one or several files."""

    sums: dict[str, _Sum] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    newest: str = ""
    descriptions: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, quantity: int, price: int) -> None:
        """Count a line of a class."""
        total = self.sums.get(name)
        if total is None:
            total = self.sums[name] = _Sum()
        total.lines += 1
        total.quantity += quantity
        total.money += quantity * price


class HistoryIntake:
    """The lines of one file on their way to the port."""

    def __init__(self, file: str, classify: Callable[[Mapping[str, str]], HistoryLine | Reject], tally: Tally) -> None:
        self._file = file
        self._classify = classify
        self._tally = tally
        self._occurrences: dict[int, int] = {}

    def request(self, batch: list[Line], rejects: RejectsFile) -> AddHistoryRequest:
        """Give the accepted lines of the batch as columns; write the others down."""
        accepted: list[tuple[object, ...]] = []
        for line in batch:
            found = line.problem or self._classify(line.row)
            if isinstance(found, HistoryLine):
                self._count(found, line.row)
                key = self._key(found)
                accepted.append(
                    (key, found.kind.value, found.day, found.product_id, found.quantity, found.price, found.reference,
                     found.customer_id)
                )  # fmt: skip
            else:
                reason = str(found.reason)
                self._tally.add(reason, _readable(line.row, "quantity"), _readable(line.row, "price"))
                rejects.add(self._file, line, Problem(reason, found.field, found.what))
        return AddHistoryRequest.of(accepted)

    def _count(self, found: HistoryLine, row: Mapping[str, str]) -> None:
        tally = self._tally
        quantity = to_scaled(found.quantity)
        tally.add(found.kind.value, quantity if found.kind is Kind.SALE else -quantity, to_scaled(found.price))
        tally.newest = max(tally.newest, found.day)
        if not found.customer_id:
            tally.notes["without customer"] += 1
        if found.product_id != row["product_id"]:
            tally.notes["code in another case"] += 1
        description = row.get("description", "").strip() if found.kind is Kind.SALE else ""
        if description or found.product_id not in tally.descriptions:
            tally.descriptions[found.product_id] = description

    def _key(self, found: HistoryLine) -> str:
        """Give the key of a line, from its content and how often that came up in this file.

        60 bits of the content's key are kept for each line, about 90 bytes: 35 MB for all ten months in one file. If two
        contents ever shared them, one would count from 2: still its own key, and the same one next time.
        """
        first = line_key(found, 1)
        short = int(first[-15:], 16)
        count = self._occurrences.get(short, 0) + 1
        self._occurrences[short] = count
        return first if count == 1 else line_key(found, count)


async def import_orders(path: Path, orders: Orders, settings: ImportSettings) -> ImportReport:
    """Import sales of the past: product_id, quantity, date; price, customer_id, order_id. Demand is computed apart."""
    return await import_history(path, orders, settings, ORDER_FIELDS, order_line, Tally())


async def import_history(
    path: Path,
    orders: Orders,
    settings: ImportSettings,
    required: Collection[str],
    classify: Callable[[Mapping[str, str]], HistoryLine | Reject],
    tally: Tally,
) -> ImportReport:
    """Import one file of history; `tally` goes on counting over the files of an import."""
    start = settings.clock.now()
    own = Tally(descriptions=tally.descriptions, newest=tally.newest)
    lines = read(path, settings.mapping, required, settings.encoding)
    intake, changed = HistoryIntake(lines.file, classify, own), 0
    with closing(lines), RejectsFile(settings.rejects, path.name) as rejects:
        for batch in cut(lines, settings):
            request = intake.request(batch, rejects)
            changed += (await orders.add_history(request)).changed if len(request) else 0
            await asyncio.sleep(0)  # others get their turn
    tally.newest = own.newest
    report = _report(path.name, own, changed, rejects, (settings.clock.now() - start).total_seconds())
    accepted = report.accepted
    await orders.finish_import(
        FinishImportRequest(
            _digest(path), path.name, report.lines, accepted["sale"], accepted["return"], sum(report.rejected.values())
        )
    )
    return report


def _report(file: str, tally: Tally, changed: int, rejects: RejectsFile, seconds: float) -> ImportReport:
    kinds = {kind.value for kind in Kind}
    counts = {name: total.lines for name, total in tally.sums.items()}
    return ImportReport(
        file=file,
        kind="orders",
        lines=sum(counts.values()),
        accepted={kind: counts.get(kind, 0) for kind in ("sale", "return")},
        changed=changed,
        rejected={name: lines for name, lines in sorted(counts.items()) if name not in kinds},
        rejects_path=str(rejects.path) if rejects.count else "",
        seconds=seconds,
        totals={name: total.total() for name, total in sorted(tally.sums.items())},
        notes=dict(tally.notes),
    )


def _readable(row: Mapping[str, str], field: str) -> int:
    """Give the number of a rejected line for the totals, 0 when it cannot be read."""
    try:
        return to_scaled(decimal(row.get(field, "").strip() or "0"))
    except InvalidInput:
        return 0


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def day_after(newest: str) -> date:
    """Give the day after the newest line: when nothing else is said, stock is counted then."""
    return date.fromordinal(date.fromisoformat(newest).toordinal() + 1)
