"""The DuckDB text in other dialects: sqlglot translates, and this corrects what it would lose.

Three corrections matter. PostgreSQL and SQLite divide whole numbers with `/`; sqlglot would write DIV over numerics, or go
through binary fractions. Text length in bytes has a name of its own in each engine. And a layer must stay a layer: an
engine that merges it into the next repeats every expression at each use, which doubles the work with each layer.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, Final

from restock.core.errors import InvalidInput
from restock.engine.rules.errors import meant
from restock.engine.rules.sql.targets import TARGETS, Target

FENCES: Final = {
    "postgres": "OFFSET 0",
    "mysql": "LIMIT 9223372036854775807",
    "sqlite": "LIMIT -1",
}
"""What keeps a layer apart without storing it: engines do not merge a query that counts its rows. MATERIALIZED does it too,
and writes each layer out: four times slower in PostgreSQL. DuckDB and Spark keep layers by themselves."""


def target_of(dialect: str) -> Target:
    """Give the target of a dialect's name. Raises InvalidInput with the nearest name."""
    found = TARGETS.get(dialect)
    if found is None:
        raise InvalidInput(f"There is no dialect {dialect!r}.", field="dialect", remedy=meant(dialect, TARGETS))
    return found


def translated(text: str, dialect: str) -> str:
    """Give a query of ours in another dialect."""
    if target_of(dialect).name == "duckdb":
        return text
    import sqlglot  # noqa: PLC0415 - a tenth of a second that only other dialects pay

    written = sqlglot.parse_one(text, read="duckdb")
    found: str = _generator(dialect)(pretty=True, dialect=dialect).generate(written)
    fence = FENCES.get(dialect)
    if fence:
        found = re.sub(r"\n\)(, layer_\d+ AS|\nSELECT\n)", rf"\n  {fence}\n)\1", found)
    return found + "\n"


@functools.cache
def _generator(dialect: str) -> Callable[..., Any]:  # Any: sqlglot's classes are made at run time
    """Make the generator of a dialect with our corrections."""
    from sqlglot import exp  # noqa: PLC0415 - as above
    from sqlglot.dialects.dialect import Dialect  # noqa: PLC0415 - as above

    base = Dialect.get_or_raise(dialect).generator_class
    changes: dict[Any, Any] = {exp.Anonymous: functools.partial(_function, dialect=dialect)}
    if dialect in ("postgres", "sqlite"):
        changes[exp.IntDiv] = lambda self, node: self.binary(node, "/")
    if dialect == "mysql":
        changes[exp.Cast] = functools.partial(_cast, base.cast_sql)
    if dialect == "sqlite":
        changes[exp.Greatest] = lambda self, node: self.func("MAX", node.this, *node.expressions)
        changes[exp.Least] = lambda self, node: self.func("MIN", node.this, *node.expressions)
        changes[exp.Left] = lambda self, node: self.func("SUBSTR", node.this, exp.Literal.number(1), node.expression)
        changes[exp.Right] = _right
    made: type = type(f"Restock{dialect}", (base,), {"TRANSFORMS": {**base.TRANSFORMS, **changes}})
    return made


def _function(generator: Any, node: Any, dialect: str) -> str:  # Any: sqlglot's node
    """Write a function that sqlglot does not know: the length of a text in bytes."""
    name = str(node.this).upper()
    if name != "STRLEN":
        return str(generator.anonymous_sql(node))
    text = generator.sql(node.expressions[0])
    return {
        "spark": f"OCTET_LENGTH({text})",
        "mysql": f"LENGTH({text})",
        "postgres": f"OCTET_LENGTH({text})",
        "sqlite": f"LENGTH(CAST({text} AS BLOB))",
    }[dialect]


def _cast(otherwise: Callable[[Any, Any], str], generator: Any, node: Any) -> str:  # Any: as above
    """Write a cast; MySQL knows VARBINARY as a column's type only."""
    if node.to.is_type("blob", "varbinary"):
        return f"CAST({generator.sql(node.this)} AS BINARY)"
    return otherwise(generator, node)


def _right(generator: Any, node: Any) -> str:  # Any: as above
    """Write the end of a text; SUBSTR from minus 0 would give all of it."""
    text, count = generator.sql(node.this), generator.sql(node.expression)
    return f"SUBSTR({text}, LENGTH({text}) - {count} + 1, {count})"
