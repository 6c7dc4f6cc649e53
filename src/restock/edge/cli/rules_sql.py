"""`restock rules sql`: print a rulebook as SQL for a database of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from restock.core.errors import InvalidInput
from restock.edge.cli.decide import loaded
from restock.edge.cli.shell import Shell
from restock.engine.rules import FactRulebook

DIALECTS: Final = ("duckdb", "spark", "mysql", "postgres", "sqlite")
"""The names of `engine.rules.sql.targets`, here so that the help need not load the engine."""


TABLE: Final = "products"
"""The table of a rulebook over one set of fields."""


@click.command(
    epilog="""\b
Examples:
  restock rules sql purchasing
  restock rules sql purchasing --dialect postgres --table shop.products --keep product_id
  restock rules sql ./mine.grl --dialect sqlite --scaled

The table has a column for each input, a whole number or a DECIMAL; NULL takes
the default. Each row gives the outputs, the fired rules as bits of numbers
(bit 0 is the first rule that `restock rules show` lists), and in the column
trouble why it could not be decided.

Rules over facts of one type that add up others (accumulate, exists, not) become GROUP BY
and the same pass; the tables are named as the types, and the keys are kept."""
)
@click.argument("name", metavar="NAME|FILE")
@click.option("--dialect", type=click.Choice(DIALECTS), default="duckdb", show_default=True, help="The database.")
@click.option("--table", default=TABLE, show_default=True, help="The table or view to read.")
@click.option(
    "--keep", multiple=True, metavar="COLUMN", help="A column handed through, for example the key; repeatable."
)
@click.option("--module", default="", help="Only the rules of this module, for example LINE or ORDER.")
@click.option("--scaled", is_flag=True, help="Numbers are whole numbers of the field's smallest part, in and out.")
@click.pass_obj
def sql(shell: Shell, name: str, dialect: str, table: str, keep: Sequence[str], module: str, scaled: bool) -> None:
    """Print a rulebook as one SQL query: layered CASE over whole numbers, exact in every database."""
    from restock.engine.rules.sql import fact_sql, printed_sql  # noqa: PLC0415 - other commands need no SQL

    book = loaded(shell, name)
    if isinstance(book, FactRulebook):
        if (dialect, table, module, scaled) != (DIALECTS[0], TABLE, "", False):
            remedy = "Leave --dialect, --table, --module and --scaled out."
            raise InvalidInput(
                f"Rules over facts are written for {DIALECTS[0]}, with tables named as types.", remedy=remedy
            )
        click.echo(fact_sql(book, keep=keep).text, nl=False)
        return
    query = printed_sql(book, dialect=dialect, table=table, keep=keep, module=module, scaled=scaled)
    click.echo(query.text, nl=False)
