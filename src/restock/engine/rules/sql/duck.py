"""A DuckDB connection with bounds: it may take a part of the machine and never reaches out of it.

DuckDB is imported when the first connection is opened: a service that never runs SQL does not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import duckdb

MEMORY_LIMIT: Final = "700MiB"
"""Most memory of one query: the engine shares the machine with a service and its stores, and 10 million rows stream through
half of it."""

THREADS: Final = 2
"""Threads of one query: what the smallest machine has; each thread holds row groups of its own, so more need more memory."""


def connected(memory: str = MEMORY_LIMIT, threads: int = THREADS) -> duckdb.DuckDBPyConnection:
    """Open a connection in memory.

    Filters stay where they are written: pushed down through the layers they would repeat every expression. Extensions are
    never fetched.
    """
    import duckdb  # noqa: PLC0415 - a tenth of a second that only SQL pays

    connection = duckdb.connect(":memory:")
    for setting in (
        f"SET memory_limit = '{memory}'",
        f"SET threads = {threads}",
        "SET disabled_optimizers = 'filter_pushdown'",
        "SET autoinstall_known_extensions = false",
        "SET TimeZone = 'UTC'",
    ):
        connection.execute(setting)
    return connection
