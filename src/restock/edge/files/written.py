"""Writing rows to a file that appears whole: CSV, JSON lines or Parquet, by its name."""

from __future__ import annotations

import csv
import errno
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec

from restock.core.errors import InvalidInput, RestockError, StorageFull
from restock.core.quantity import SCALE, plain
from restock.edge.files.cells import safe

if TYPE_CHECKING:
    import polars

Value = str | Decimal | int | bool | None
Rows = AsyncIterator[Sequence[Mapping[str, Value]]]
"""Pages of rows; the rows of one export have the same fields."""

_json = msgspec.json.Encoder(decimal_format="number").encode


async def write_rows(path: Path, fields: Sequence[str], pages: Rows) -> int:
    """Write pages as they come; give the number of rows. Raises InvalidInput for an unknown kind of file."""
    kind = path.suffix.lower()
    if kind == ".csv":
        with _whole(path) as file:
            return await _csv(file, fields, pages, escape=True)
    if kind in {".jsonl", ".ndjson"}:
        with _whole(path) as file:
            return await _lines(file, fields, pages)
    if kind == ".parquet":
        return await _parquet(path, fields, pages)
    raise InvalidInput(f"{path.name} is of no known kind.", field=path.name, remedy="Give .csv, .jsonl or .parquet.")


def write_whole(path: Path, text: str) -> None:
    """Write a text; the file appears whole or stays as it was. Raises InvalidInput, StorageFull."""
    with _whole(path) as file:
        file.write(text)


async def _csv(file: IO[str], fields: Sequence[str], pages: Rows, *, escape: bool) -> int:
    count = 0
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(fields)
    async for page in pages:
        for row in page:
            cells = (_text(row[field]) for field in fields)
            writer.writerow([safe(cell) for cell in cells] if escape else list(cells))
        count += len(page)
    return count


async def _lines(file: IO[str], fields: Sequence[str], pages: Rows) -> int:
    count = 0
    async for page in pages:
        for row in page:
            file.write(_json({field: _number(row[field]) for field in fields}).decode() + "\n")
        count += len(page)
    return count


async def _parquet(path: Path, fields: Sequence[str], pages: Rows) -> int:
    """Stream through a text file beside it, so that memory stays bounded; numbers become exact decimals."""
    import polars  # noqa: PLC0415 - 100 ms that other files do not pay

    kinds: dict[str, type] = {}

    async def watched() -> Rows:
        async for page in pages:
            for row in page[:1] if not kinds else ():
                kinds.update((field, type(row[field])) for field in fields)
            yield page

    text, partial = path.with_name(f"{path.name}.{os.getpid()}.rows"), _partial(path)
    try:
        with text.open("w", encoding="utf-8", newline="") as file:
            count = await _csv(file, fields, watched(), escape=False)
        rows = polars.scan_csv(text, infer_schema=False).fill_null("")
        rows.select([_typed(field, kinds.get(field, str)) for field in fields]).sink_parquet(partial)
        partial.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        text.unlink(missing_ok=True)
        partial.unlink(missing_ok=True)
    return count


def _typed(field: str, kind: type) -> polars.Expr:
    import polars  # noqa: PLC0415 - as above

    column = polars.col(field)
    if kind is bool:
        return column == "true"
    types = {Decimal: polars.Decimal(38, SCALE), int: polars.Int64()}
    return column.cast(types[kind]) if kind in types else column


@contextmanager
def _whole(path: Path) -> Iterator[IO[str]]:
    """Write beside the place, then put the file there whole."""
    partial = _partial(path)
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> RestockError:
    """Say why a file cannot be written: a full disk is not the caller's mistake."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StorageFull(f"{path} cannot be written: {error.strerror}.", remedy="Free disk space and try again.")
    return InvalidInput(f"{path} cannot be written: {error.strerror}.", field=path.name)


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}.partial")


def _number(value: Value) -> Value:
    return plain(value) if isinstance(value, Decimal) else value


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{plain(value):f}"
    return "" if value is None else str(value)
