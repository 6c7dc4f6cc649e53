"""What a query can read: files, frames and tables of attached databases, each as SQL text with the types of its columns.

CSV is read as text, so that no number passes through binary fractions on its way in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from restock.core.errors import InvalidInput, NotFound
from restock.engine.rules.sql.inputs import Column, identifier
from restock.engine.rules.sql.texts import quoted

if TYPE_CHECKING:
    import duckdb


@runtime_checkable
class Frame(Protocol):
    """A table in memory of any library that speaks Arrow: Polars, PyArrow, pandas."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Give the table as an Arrow stream."""
        ...


@dataclass(frozen=True, slots=True)
class Attached:
    """A table or view of a DuckDB or SQLite file, which is opened for reading only."""

    path: Path
    table: str


Source = Path | Attached | Frame


@dataclass(frozen=True, slots=True)
class Opened:
    """A source that is ready: what stands after FROM, and what each column holds."""

    table: str
    columns: Mapping[str, Column]


@contextmanager
def opened(connection: duckdb.DuckDBPyConnection, source: Source) -> Iterator[Opened]:
    """Make a source readable for as long as the block runs."""
    if isinstance(source, Attached):
        yield _described(connection, _attached(connection, source))
    elif isinstance(source, Path):
        yield _described(connection, _file(source))
    elif isinstance(source, Frame):
        with TemporaryDirectory(prefix="restock-") as folder:
            path = Path(folder) / "frame.parquet"
            _stored(source, path)
            yield _described(connection, _file(path))
    else:
        raise InvalidInput(
            f"SQL cannot read a {type(source).__name__}.", remedy="Give a Path, an Attached table or an Arrow frame."
        )


def _file(path: Path) -> str:
    if not path.exists() and "*" not in path.name:
        raise NotFound("There is no such file.", field=str(path))
    name = quoted(str(path))
    if path.suffix == ".parquet":
        return f"read_parquet({name})"
    if path.suffix in (".csv", ".tsv") or path.name.endswith(".csv.gz"):
        return f"read_csv({name}, all_varchar = true, header = true)"
    raise InvalidInput("SQL reads .parquet, .csv and .tsv.", field=str(path), remedy="Convert the file.")


def _stored(frame: Frame, path: Path) -> None:
    """Write a frame where DuckDB can stream it: decimals stay exact, and DuckDB needs no further library."""
    import polars  # noqa: PLC0415 - a tenth of a second that files do not pay

    held = frame if isinstance(frame, polars.DataFrame) else polars.DataFrame(frame)
    held.write_parquet(path, compression="uncompressed")


def _attached(connection: duckdb.DuckDBPyConnection, source: Attached) -> str:
    import duckdb  # noqa: PLC0415 - as in `connected`

    if not source.path.exists():
        raise NotFound("There is no such file.", field=str(source.path))
    with source.path.open("rb") as file:
        kind = ", TYPE sqlite" if file.read(6) == b"SQLite" else ""
    try:
        if kind:
            connection.execute("LOAD sqlite")
        connection.execute(f"ATTACH {quoted(str(source.path))} AS given (READ_ONLY{kind})")
    except duckdb.Error as error:
        remedy = "Install DuckDB's extension once: python -c \"import duckdb; duckdb.sql('INSTALL sqlite')\"."
        raise InvalidInput(
            f"{source.path.name} cannot be attached: {first_line(error)}", remedy=remedy if kind else "Check the file."
        ) from None
    return f"given.{identifier(source.table)}"


def _described(connection: duckdb.DuckDBPyConnection, table: str) -> Opened:
    import duckdb  # noqa: PLC0415 - as in `connected`

    try:
        rows: list[tuple[Any, ...]] = connection.execute(f"DESCRIBE FROM {table}").fetchall()
    except duckdb.Error as error:
        raise InvalidInput(f"DuckDB cannot read {table}: {first_line(error)}", remedy="Check the file.") from None
    return Opened(table, {str(row[0]): column_of(str(row[1])) for row in rows})


def column_of(kind: str) -> Column:
    """Tell from a DuckDB type what a column holds."""
    decimal = re.fullmatch(r"DECIMAL\(\d+,\s*(\d+)\)", kind)
    if decimal:
        return Column("decimal", int(decimal[1]))
    if re.fullmatch(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?", kind):
        return Column("integer")
    if kind == "BOOLEAN":
        return Column("bool")
    if kind in ("FLOAT", "DOUBLE"):
        return Column("float")
    return Column("text" if kind == "VARCHAR" or kind.startswith("ENUM(") else "other")


def first_line(error: Exception) -> str:
    """Give the first line of an error of DuckDB, which draws pictures in the others."""
    return str(error).partition("\n")[0]
