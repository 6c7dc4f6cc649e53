"""What became of a file: numbers that add up to the input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True)
class ClassTotal:
    """Lines of one class with the sums of their quantities and of quantity times price, as the file has them.

    Lines whose numbers cannot be read count with 0.
    """

    lines: int
    quantity: Decimal
    money: Decimal


@dataclass(frozen=True)
class ImportReport:
    """What became of one file: `lines` is all of it, `accepted` by class and `rejected` by reason add up to it.

    `changed` is how much differs from what was stored before, 0 for the same file again. `totals` is by class and reason,
    for files with quantities. `notes` counts what was accepted but is worth knowing, such as lines without a customer.
    """

    file: str
    kind: str
    lines: int
    accepted: Mapping[str, int]
    changed: int
    rejected: Mapping[str, int]
    rejects_path: str = ""
    seconds: float = 0.0
    totals: Mapping[str, ClassTotal] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)

    @property
    def adds_up(self) -> bool:
        """Whether no line is missing."""
        return self.lines == sum(self.accepted.values()) + sum(self.rejected.values())


def joined(file: str, kind: str, reports: list[ImportReport]) -> ImportReport:
    """Give the report of several files together."""
    accepted: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    totals: dict[str, ClassTotal] = {}
    for report in reports:
        accepted.update(report.accepted)
        rejected.update(report.rejected)
        notes.update(report.notes)
        for name, one in report.totals.items():
            sum_ = totals.get(name, ClassTotal(0, Decimal(0), Decimal(0)))
            totals[name] = ClassTotal(sum_.lines + one.lines, sum_.quantity + one.quantity, sum_.money + one.money)
    return ImportReport(
        file,
        kind,
        sum(report.lines for report in reports),
        dict(accepted),
        sum(report.changed for report in reports),
        dict(rejected),
        "",
        sum(report.seconds for report in reports),
        totals,
        dict(notes),
    )
