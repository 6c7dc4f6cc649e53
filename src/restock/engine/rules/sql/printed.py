"""The SQL text of a rulebook for people, and for engines that we do not run ourselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from restock.engine.rules.sql.book import Book, program_of
from restock.engine.rules.sql.dialects import target_of, translated
from restock.engine.rules.sql.inputs import Column, columns_needed, identifier
from restock.engine.rules.sql.query import SqlQuery, Wanted, compile_sql
from restock.engine.rules.sql.terms import SqlRefused

DEFAULT_TABLE: Final = "products"


def printed_sql(
    rulebook: Book,
    *,
    dialect: str = "duckdb",
    table: str = DEFAULT_TABLE,
    keep: Sequence[str] = (),
    module: str = "",
    scaled: bool = False,
) -> SqlQuery:
    """Write a rulebook as one query over a table that has a column for each input.

    A number's column is a whole number or a DECIMAL, and may be NULL where the input has a default or is computed. With
    `scaled` numbers are whole numbers of the field's smallest part, on the way in and on the way out, and every column is
    complete and checked: the form for engines without exact decimals. Raises SqlRefused with the reason when SQL, or the
    dialect, cannot run the rules.
    """
    target = target_of(dialect)
    if not target.decimals and not scaled:
        raise SqlRefused(
            f"{target.name} keeps decimals as binary fractions, which lose digits.",
            remedy="Use --scaled: whole numbers of the smallest part.",
        )
    source, program = program_of(rulebook, module)
    columns = {one.name: Column("scaled" if scaled else one.kind) for one in columns_needed(program)}
    name = ".".join(identifier(part) for part in table.split("."))
    query = compile_sql(source, program, name, columns, Wanted(tuple(keep), people=not scaled), target)
    return replace(query, text=translated(query.text, dialect))
