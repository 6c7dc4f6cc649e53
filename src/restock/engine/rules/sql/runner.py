"""Runs a rulebook over a whole table: `SqlRunner(rulebook).run(source, out)` reads, decides and writes in one query.

Rows stream through DuckDB; memory is bounded whatever the table's size. A row that cannot be decided is written with empty
outputs and a sentence in `trouble`, so nothing is lost silently.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from restock.core.errors import InvalidInput
from restock.engine.rules.errors import meant
from restock.engine.rules.sql.book import Book, program_of
from restock.engine.rules.sql.duck import MEMORY_LIMIT, THREADS, connected
from restock.engine.rules.sql.query import SqlQuery, Wanted, compile_sql
from restock.engine.rules.sql.sources import Opened, Source, first_line, opened
from restock.engine.rules.sql.texts import quoted

if TYPE_CHECKING:
    import duckdb
    import polars

FORMATS: Final = {
    ".parquet": "FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 122880",
    ".csv": "FORMAT csv, HEADER true",
}
"""How outputs are written, by suffix. Snappy: zstd makes files a third smaller and takes twice the time."""


@dataclass(frozen=True, slots=True)
class SqlRun:
    """What a run did: rows written, and for each trouble how many rows had it. `query` names the fired rules of a mask."""

    rows: int
    troubles: dict[str, int]
    query: SqlQuery


class SqlRunner:
    """Runs a rulebook, or one module of it, over tables by DuckDB."""

    def __init__(self, rulebook: Book, *, module: str = "", memory: str = MEMORY_LIMIT, threads: int = THREADS) -> None:
        self._source, self._program = program_of(rulebook, module)
        self._memory = memory
        self._threads = threads

    def run(
        self,
        source: Source,
        out: Path,
        *,
        keep: Sequence[str] | None = None,
        only: str = "",
        outputs: Sequence[str] = (),
        fired: bool = True,
    ) -> SqlRun:
        """Decide every row of the source and write the decisions to a Parquet or CSV file.

        `keep` are columns handed through, by default all that are no inputs. `outputs` are the outputs wanted, by default
        all. `only` names a bool output: rows where it is false are left out, rows in trouble are not. Raises SqlRefused
        with the reason when SQL cannot run the rules, or on binary fractions.
        """
        format_of(out)
        with self._query(source, keep, only, outputs, fired) as (connection, query):
            return written(connection, query, out)

    def frame(self, source: Source, *, keep: Sequence[str] | None = None, only: str = "") -> polars.DataFrame:
        """Decide every row of the source and give the decisions as a Polars frame."""
        import polars  # noqa: PLC0415 - a tenth of a second that files do not pay

        with TemporaryDirectory(prefix="restock-") as folder:
            out = Path(folder) / "out.parquet"
            self.run(source, out, keep=keep, only=only)
            return polars.read_parquet(out)

    @contextmanager
    def _query(
        self, source: Source, keep: Sequence[str] | None, only: str, outputs: Sequence[str], fired: bool
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, SqlQuery]]:
        with closing(connected(self._memory, self._threads)) as connection, opened(connection, source) as table:
            wanted = Wanted(self._kept(table, keep), True, fired, self._flag(only), self._outputs(outputs))
            yield connection, compile_sql(self._source, self._program, table.table, table.columns, wanted)

    def _kept(self, table: Opened, keep: Sequence[str] | None) -> tuple[str, ...]:
        if keep is None:
            fields = {name.lower() for name in self._program.fields()} | {"fired", "trouble"}
            return tuple(name for name in table.columns if name.lower() not in fields)
        for name in keep:
            if name not in table.columns:
                raise InvalidInput(f"The table has no column {name!r}.", remedy=meant(name, table.columns))
        return tuple(keep)

    def _outputs(self, outputs: Sequence[str]) -> tuple[str, ...]:
        known = [one.name for one in self._program.outputs]
        for name in outputs:
            if name not in known:
                raise InvalidInput(f"There is no output {name!r}.", remedy=meant(name, known))
        return tuple(outputs)

    def _flag(self, only: str) -> str:
        flags = [one.name for one in self._program.outputs if one.kind == "bool"]
        if only and only not in flags:
            raise InvalidInput(f"There is no output {only!r} that is true or false.", remedy=meant(only, flags))
        return only


def format_of(out: Path) -> str:
    """Give how a file is written, before any work is done for a name that cannot be."""
    how = FORMATS.get(out.suffix)
    if how is None:
        raise InvalidInput("SQL writes .parquet and .csv.", field=str(out), remedy="Name the file like that.")
    return how


def written(connection: duckdb.DuckDBPyConnection, query: SqlQuery, out: Path) -> SqlRun:
    """Write what a query gives to a file, and count its troubles. DuckDB puts the file in place when it is complete."""
    how = format_of(out)
    name = quoted(str(out))
    rows = execute(connection, f"COPY ({query.text}) TO {name} ({how})").fetchall()[0][0]
    table = (
        f"read_parquet({name})" if out.suffix == ".parquet" else f"read_csv({name}, all_varchar = true, header = true)"
    )
    counted = "SELECT trouble, count(*) FROM {} WHERE trouble IS NOT NULL GROUP BY trouble ORDER BY trouble"
    troubles = execute(connection, counted.format(table)).fetchall() if query.troubles else []
    return SqlRun(int(rows), dict(troubles), query)


def execute(connection: duckdb.DuckDBPyConnection, text: str) -> duckdb.DuckDBPyConnection:
    """Run a query; an error of the machine (disk, memory, a damaged file) says what to do."""
    import duckdb  # noqa: PLC0415 - as in `connected`

    try:
        return connection.execute(text)
    except duckdb.OutOfMemoryException as error:
        raise InvalidInput(
            f"DuckDB needs more memory: {first_line(error)}", remedy="Give SqlRunner more memory, or fewer threads."
        ) from None
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        raise InvalidInput(f"DuckDB cannot go on: {first_line(error)}", remedy="Check the file and the disk.") from None
