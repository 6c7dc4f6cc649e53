"""What commands show: aligned tables and figures for people, JSON for machines, progress on standard error."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import click

from restock.core.quantity import plain
from restock.edge.wire import encode

NARROWEST = 12
"""A text column is not cut below this many characters."""

WIDEST = 200
"""A text column that may be cut is not wider than this, on paper either: one long text would push the others away."""

GAP = "  "

QUIET_SECONDS = 1.0
"""Work that takes less shows no progress."""

REDRAW_SECONDS = 0.2


class Column(NamedTuple):
    """A column of a table: its title, whether it holds numbers, whether it may be cut to fit the terminal."""

    title: str
    number: bool = False
    cut: bool = False


def echo_json(value: object) -> None:
    """Print a value as one JSON document."""
    click.echo(encode(value, rows=True).decode())


def program() -> str:
    """Give the program as the user can call it again: by its name if a shell finds it, else by its place."""
    called = Path(sys.argv[0])
    if called.name != "restock" or shutil.which("restock"):
        return "restock"
    return os.path.relpath(called)


def note(text: str) -> None:
    """Tell a person something beside the output."""
    click.echo(text, err=True)


def counted(count: int, thing: str) -> str:
    """Write how many there are of a thing that takes an s when they are not one."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def sums(amounts: Mapping[str, Decimal]) -> str:
    """Write amounts of money by currency: what is in two currencies has no sum."""
    return ", ".join(f"{money(amount)} {currency}" for currency, amount in sorted(amounts.items()))


def quantity(value: object) -> str:
    """Write a quantity: no trailing zeros, no exponent."""
    return f"{plain(value):f}" if isinstance(value, Decimal) else "" if value is None else str(value)


def money(value: Decimal) -> str:
    """Write an amount: thousands separated, two decimals, more where it has more."""
    whole, _, rest = f"{plain(value):f}".partition(".")
    return f"{int(whole):,}.{rest.ljust(2, '0')}" if not whole.startswith("-0") else f"-0.{rest.ljust(2, '0')}"


def yes_no(value: object) -> str:
    """Write a bool for people."""
    return "yes" if value else "no"


def moment(text: str) -> str:
    """Write an RFC 3339 moment in as few characters as a day's work needs."""
    return text[:19].replace("T", " ") if text else ""


def table(columns: Sequence[Column], rows: Iterable[Sequence[object]], indent: str = "") -> str:
    """Lay out rows under titles: numbers to the right, texts to the left, as wide as the terminal allows."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [
        max([len(column.title), *(len(row[at]) for row in cells)], default=0) for at, column in enumerate(columns)
    ]
    widths = [min(width, WIDEST) if column.cut else width for column, width in zip(columns, widths, strict=True)]
    if sys.stdout.isatty():
        _fit(columns, widths, shutil.get_terminal_size().columns - len(indent))
    lines = [_line(columns, widths, [column.title for column in columns])]
    lines.append(GAP.join("-" * width for width in widths))
    lines += [_line(columns, widths, row) for row in cells]
    return "\n".join(indent + line.rstrip() for line in lines)


def pairs(rows: Sequence[tuple[str, object]], indent: str = "") -> str:
    """Lay out names and values, one below the other."""
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{indent}{name:<{width}}  {_cell(value)}".rstrip() for name, value in rows)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return yes_no(value)
    text = quantity(value)
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


def _fit(columns: Sequence[Column], widths: list[int], room: int) -> None:
    """Narrow the columns that may be cut, the widest first."""
    over = sum(widths) + len(GAP) * (len(widths) - 1) - room
    cuttable = sorted((at for at, column in enumerate(columns) if column.cut), key=lambda at: -widths[at])
    for at in cuttable:
        if over <= 0:
            return
        taken = min(over, max(0, widths[at] - NARROWEST))
        widths[at] -= taken
        over -= taken


def _line(columns: Sequence[Column], widths: Sequence[int], cells: Sequence[str]) -> str:
    parts = []
    for column, width, text in zip(columns, widths, cells, strict=True):
        shown = text if len(text) <= width else text[: width - 1] + "…"
        parts.append(shown.rjust(width) if column.number else shown.ljust(width))
    return GAP.join(parts)


class Progress:
    """A line on a terminal that says how far work is, how fast, and how long it takes; silent elsewhere."""

    def __init__(self, what: str, unit: str, *, quiet: float = QUIET_SECONDS) -> None:
        self._what = what
        self._unit = unit
        self._start = time.monotonic()
        self._drawn = self._start + quiet - REDRAW_SECONDS
        self._shown = False
        self.visible = sys.stderr.isatty()
        """Whether anybody sees it."""

    def tell(self, done: int, share: float | None = None) -> None:
        """Show that so much is done; `share` is the part of the whole, when it is known."""
        now = time.monotonic()
        if not self.visible or now - self._drawn < REDRAW_SECONDS:
            return
        self._drawn, self._shown = now, True
        seconds = now - self._start
        text = f"{self._what}: {done:,} {self._unit}, {done / seconds:,.0f} a second"
        if share:
            text += f", {share:.0%}, {max(0, seconds / share - seconds):.0f} s left"
        click.echo(f"\r{text}\x1b[K", nl=False, err=True)

    def close(self) -> None:
        """Take the line away."""
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)
