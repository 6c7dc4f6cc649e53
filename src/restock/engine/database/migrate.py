"""Migrations: each context brings numbered Alembic revisions for its own tables.

The revision of a context is kept in its own version table, so contexts may share a database. When every table is current,
which is the case at almost every start, Alembic is not even imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from restock.core.errors import StorageUnusable

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class Schema:
    """The tables of one context: its name and the folder of its revisions, files named `0001_word.py` and so on."""

    context: str
    folder: Path

    @property
    def version_table(self) -> str:
        """The table that holds the context's revision."""
        return f"{self.context}_schema_version"

    def revisions(self) -> list[str]:
        """Give the revision numbers, oldest first."""
        return sorted(path.name[:4] for path in self.folder.glob("[0-9][0-9][0-9][0-9]_*.py"))


def pending(schema: Schema, current: str | None, database: str) -> bool:
    """Tell whether migration is needed. Raises StorageUnusable when the store is newer than this program."""
    known = schema.revisions()
    if current is not None and current not in known:
        raise StorageUnusable(
            f"Database {database} has revision {current} of {schema.context}, newer than this Restock knows"
            f" ({known[-1]}).",
            remedy="Install the Restock that wrote it, or restore a backup made by this one.",
        )
    return current != known[-1]


def upgrade(connection: Connection, schemas: Sequence[Schema]) -> None:
    """Bring the tables of the schemas up to date on an open connection; the caller commits."""
    from alembic.config import Config  # noqa: PLC0415 - 160 ms that a current database does not pay
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415 - as above
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - as above

    for schema in schemas:
        config = Config()
        config.set_main_option("script_location", str(schema.folder))
        config.set_main_option("version_locations", str(schema.folder))
        config.set_main_option("path_separator", "os")
        script = ScriptDirectory.from_config(config)

        def to_head(revision: object, _context: object, script: ScriptDirectory = script) -> object:
            return script._upgrade_revs("head", revision)  # type: ignore[arg-type]  # as alembic.command does

        with EnvironmentContext(config, script, fn=to_head) as environment:
            environment.configure(connection=connection, version_table=schema.version_table, transactional_ddl=False)
            environment.run_migrations()
