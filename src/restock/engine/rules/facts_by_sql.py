"""Decides documents of facts by SQL: a table for each type, the query of `fact_groups`, and its rows as facts again.

It pays for agreement; for whole tables in a database take the text of `fact_sql`. A document that SQL cannot decide goes to
the agenda, which answers or says why not.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from restock.engine.rules.arithmetic import EXACT, shown
from restock.engine.rules.fact_memory import Memory
from restock.engine.rules.fact_rulebook import FactDecision, FactRulebook
from restock.engine.rules.facts import encodable
from restock.engine.rules.ir import Value
from restock.engine.rules.ir_patterns import FactField, FactType, FactValue
from restock.engine.rules.sql.duck import connected
from restock.engine.rules.sql.fact_groups import fact_sql
from restock.engine.rules.sql.inputs import identifier

if TYPE_CHECKING:
    import duckdb

HANDLE: Final = "fact handle"
"""The column that tells facts apart; no field has a blank in its name."""

MOST_DIGITS: Final = 38
"""Most digits of a DECIMAL."""


class FactEngine:
    """A rulebook over facts ready to decide by SQL. Raises SqlRefused, with the reason, when SQL cannot run it."""

    def __init__(self, book: FactRulebook) -> None:
        self._book = book
        self._query = fact_sql(book, keep=(HANDLE,))
        self._kind = self._query_type()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def _query_type(self) -> FactType:
        """Give the type whose facts are decided: the one that rules set."""
        return next(one for one in self._book.program.types if any(field.derived for field in one.fields))

    def decide(self, document: Mapping[str, object]) -> FactDecision:
        """Decide once: what `FactRulebook.decide` gives, with the matches of a rule in the order of facts. Raises as it."""
        memory = Memory(self._book.program)
        self._book.flat(document)
        memory.load(document)
        if not all(_plain(one, fact) for one in self._book.program.types for fact in memory.facts[one.name].values()):
            return self._book.decide(document)
        rows = self._run(memory)
        if any(row[-1] for row in rows):
            return self._book.decide(document)
        fired: list[tuple[str, ...]] = []
        for handle, *outputs in rows:
            given = zip(self._query.outputs, outputs, strict=False)
            memory.facts[self._kind.name][handle] |= {one.name: _value(one.kind, held) for one, held in given}
            fired.append(self._query.fired(outputs[len(self._query.outputs) : -1]))
        names = tuple(name for name in self._query.rules for one in fired if name in one)
        return FactDecision({}, memory.document(), names)

    def _run(self, memory: Memory) -> list[tuple[Any, ...]]:  # Any: a row of DuckDB
        if self._connection is None:
            self._connection = connected()
        with self._connection.cursor() as cursor:
            cursor.execute("SET disabled_optimizers = 'filter_pushdown'")
            for one in self._book.program.types:
                _fill(cursor, one, memory)
            return sorted(cursor.execute(self._query.text).fetchall())


def _fill(cursor: duckdb.DuckDBPyConnection, kind: FactType, memory: Memory) -> None:
    """Make the table of a type, with what callers give."""
    given = [one for one in kind.fields if not one.derived]
    columns = [f"{identifier(HANDLE)} BIGINT", *(f"{identifier(one.name)} {_type(one)}" for one in given)]
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE {identifier(kind.name)} ({', '.join(columns)})")
    rows = [[handle, *(fact[one.name] for one in given)] for handle, fact in memory.facts[kind.name].items()]
    if rows:
        marks = ", ".join("?" * len(columns))
        cursor.executemany(f"INSERT INTO {identifier(kind.name)} VALUES ({marks})", rows)  # noqa: S608 - names are quoted


def _type(one: FactField) -> str:
    if one.field.kind == "number":
        return f"DECIMAL({MOST_DIGITS}, {one.field.decimals})"
    return "BOOLEAN" if one.field.kind == "bool" else "VARCHAR"


def _plain(kind: FactType, fact: Mapping[str, FactValue]) -> bool:
    """Tell whether the query sees the fact as rules do: it cannot hold every text, and knows one start of what rules set."""
    if any(one.derived and fact[one.name] != one.start for one in kind.fields):
        return False
    return all(encodable(value) for value in fact.values())


def _value(kind: str, held: Any) -> Value:  # Any: a value of DuckDB
    return shown(EXACT.plus(Decimal(held))) if kind == "number" else held
