"""A whole catalogue decided from file to file, in bounded memory: every row of the facts becomes a row of the decisions.

The target appears whole or not at all. A row that cannot be decided is there too, with its `error`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from restock.core.errors import InvalidInput
from restock.edge.files.csv_lines import DELIMITERS
from restock.edge.files.written import unwritable
from restock.engine.rules import Rulebook

if TYPE_CHECKING:
    import polars

CATALOGUES = (".parquet", ".csv")
"""Endings of files whose rows are decided together."""

MAX_HEADER = 1 << 16
"""Bytes of a CSV file's first line that are looked at to find its delimiter."""


@dataclass(frozen=True, slots=True)
class DecidedReport:
    """How many rows were written, and how many of them have an error instead of a decision."""

    rows: int
    errors: int


def decide_file(
    book: Rulebook, source: Path, target: Path, *, engine: str | None = None, module: str = ""
) -> DecidedReport:
    """Decide every row of a Parquet or CSV file into a Parquet file: its own columns, outputs, `fired` and `error`.

    By columns, or in batches by another engine. Raises InvalidInput when the engine cannot run the rules, the file cannot
    be read, or a column is missing or of a wrong type; then nothing is written.
    """
    import polars  # noqa: PLC0415 - 100 ms that other commands do not pay

    if target.suffix.lower() != ".parquet":
        raise InvalidInput(
            f"{target.name} is not a Parquet file.", field=target.name, remedy="Write to a .parquet file."
        )
    if not target.parent.is_dir():
        missing = f"{target} cannot be written: there is no folder {target.parent}."
        raise InvalidInput(missing, field="out", remedy="Make it first.")
    if target.exists() and source.exists() and target.samefile(source):
        same = f"{target} is the file of the facts."
        raise InvalidInput(same, field="out", remedy="Write the decisions to another file.")
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    try:
        frame = book.decide_frame(_read(source), keep=True, engine=engine, module=module)
        frame.sink_parquet(partial)
        counts = polars.scan_parquet(partial, glob=False).select(polars.len(), polars.col("error").count().alias("bad"))
        rows, errors = counts.collect().row(0)
        partial.replace(target)
    except polars.exceptions.PolarsError as error:
        raise InvalidInput(f"The file cannot be read: {str(error).splitlines()[0]}", field=source.name) from error
    except OSError as error:
        raise (_unreadable(source, error) if error.filename == str(source) else unwritable(target, error)) from error
    finally:
        partial.unlink(missing_ok=True)
    return DecidedReport(rows, errors)


def _read(source: Path) -> polars.LazyFrame:
    import polars  # noqa: PLC0415 - as above

    if source.suffix.lower() not in CATALOGUES:
        known = " or ".join(CATALOGUES)
        raise InvalidInput(f"{source.name} is of no known kind.", field=source.name, remedy=f"Give a {known} file.")
    with source.open("rb") as file:
        head = file.readline(MAX_HEADER)
    if source.suffix.lower() == ".parquet":
        return polars.scan_parquet(source, glob=False)
    if not head.strip():
        raise InvalidInput("The file is empty.", field=source.name, remedy="Its first line names the columns.")
    delimiter = max(DELIMITERS, key=lambda one: head.count(one.encode()))
    return polars.scan_csv(source, glob=False, infer_schema=False, separator=delimiter)


def _unreadable(source: Path, error: OSError) -> InvalidInput:
    return InvalidInput(f"{source} cannot be read: {error.strerror}.", field=source.name)
