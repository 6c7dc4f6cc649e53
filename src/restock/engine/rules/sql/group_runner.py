"""Runs rules across rows over whole tables: `GroupRunner(lines, groups, spec).run(source, out, terms=...)`."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path

from restock.engine.rules.sql.book import Book, program_of
from restock.engine.rules.sql.duck import MEMORY_LIMIT, THREADS, connected
from restock.engine.rules.sql.groups import Groups, Table, compile_groups
from restock.engine.rules.sql.runner import SqlRun, written
from restock.engine.rules.sql.sources import Source, opened


class GroupRunner:
    """Decides lines with one rulebook and their groups with another, by DuckDB."""

    def __init__(
        self, lines: Book, groups: Book, spec: Groups, *, memory: str = MEMORY_LIMIT, threads: int = THREADS
    ) -> None:
        self._lines = program_of(lines, "")
        self._groups = program_of(groups, "")
        self._spec = spec
        self._memory = memory
        self._threads = threads

    def run(self, source: Source, out: Path, *, terms: Source | None = None, fired: bool = True) -> SqlRun:
        """Decide every group of the source's lines and write the decisions to a Parquet or CSV file.

        `terms` has one row a group: the key and the inputs that are no totals. Raises what `compile_groups` raises.
        """
        with closing(connected(self._memory, self._threads)) as connection, ExitStack() as stack:
            found = stack.enter_context(opened(connection, source))
            others = stack.enter_context(opened(connection, terms)) if terms is not None else None
            second = None if others is None else Table(others.table, others.columns)
            table = Table(found.table, found.columns)
            query = compile_groups(self._lines, self._groups, self._spec, table, second, fired=fired)
            return written(connection, query, out)
