"""Migrated tables are the tables that the statements were written for, in every context."""

from __future__ import annotations

import importlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import MetaData, Table, create_engine, inspect

from restock.adapters.database.embedded import migrate
from restock.engine.database.migrate import Schema

SOURCES = Path(importlib.import_module("restock").__file__ or "").parent


def contexts() -> dict[str, tuple[Schema, list[MetaData]]]:
    """Find the schema and the tables of every package that has migrations."""
    found: dict[str, tuple[Schema, list[MetaData]]] = {}
    for folder in sorted(SOURCES.rglob("migrations")):
        names: dict[str, object] = {}
        for path in sorted(folder.parent.glob("*.py")):
            text = path.read_text()
            if "Schema(" in text or "Table(" in text:
                module = importlib.import_module(
                    ".".join(["restock", *path.relative_to(SOURCES).with_suffix("").parts])
                )
                names |= {f"{path.stem}.{name}": value for name, value in vars(module).items()}
        (schema,) = {value for value in names.values() if isinstance(value, Schema)}
        tables = {id(value.metadata): value.metadata for value in names.values() if isinstance(value, Table)}
        found[schema.context] = (schema, list(tables.values()))
    return found


CONTEXTS = contexts()


def test_the_contexts_are_found() -> None:
    assert set(CONTEXTS) >= {"suppliers", "units", "inventory", "purchasing", "orders", "stream"}
    assert all(declarations for _, declarations in CONTEXTS.values()), (
        "every context with migrations declares its tables"
    )


@pytest.mark.parametrize("context", CONTEXTS)
def test_migrated_tables_are_those_of_the_metadata(context: str, tmp_path: Path) -> None:
    schema, declarations = CONTEXTS[context]
    migrate(tmp_path / "migrated.db", [schema])
    declared = create_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    for metadata in declarations:
        metadata.create_all(declared)
    migrated = create_engine(f"sqlite:///{tmp_path / 'migrated.db'}")
    try:
        assert described(migrated, {schema.version_table}) == described(declared, set())
    finally:
        declared.dispose()
        migrated.dispose()


def described(engine: object, without: set[str]) -> dict[str, object]:
    look = inspect(engine)  # type: ignore[call-overload]
    return {
        table: {
            "columns": {
                # SQLite keeps both as one integer; a key that it counts up must be spelled INTEGER
                column["name"]: (
                    str(column["type"]).replace("BIGINT", "INTEGER"),
                    column["nullable"],
                    column["primary_key"],
                )
                for column in look.get_columns(table)
            },
            "key": look.get_pk_constraint(table)["constrained_columns"],
            "unique": sorted((one["name"], *one["column_names"]) for one in look.get_unique_constraints(table)),
            "indexes": sorted((one["name"], one["unique"], *one["column_names"]) for one in look.get_indexes(table)),
        }
        for table in sorted(look.get_table_names())
        if table not in without and not table.startswith("sqlite_")
    }


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_migration_twice_is_a_migration_once(context: str, tmp_path: Path) -> None:
    schema, _ = CONTEXTS[context]
    path = tmp_path / "store.db"
    migrate(path, [schema])
    with closing(sqlite3.connect(path)) as file:
        before = list(file.iterdump())
    migrate(path, [schema])
    with closing(sqlite3.connect(path)) as file:
        assert list(file.iterdump()) == before
        assert file.execute(f"SELECT version_num FROM {schema.version_table}").fetchall() == [(schema.revisions()[-1],)]
