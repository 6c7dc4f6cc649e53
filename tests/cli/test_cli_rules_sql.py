"""`restock rules sql`: the query of a rulebook, for a database of one's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
from cli_world import Restock


def test_the_text_runs_in_the_database_it_is_meant_for(restock: Restock) -> None:
    text = restock("rules", "sql", "purchasing", "--table", "shop", "--keep", "id").stdout
    connection = duckdb.connect(":memory:")
    connection.execute(
        "CREATE TABLE shop AS SELECT 'P1' AS id, 100::DECIMAL(9,2) AS required_qty, 0 AS available_qty, 7 AS on_order_qty,"
        " NULL::INTEGER AS moq, 1 AS order_multiple, 1 AS purchase_factor, 2.50 AS unit_price, true AS is_active,"
        " NULL::INTEGER AS avg_daily_demand, NULL::INTEGER AS lead_time_days, NULL::INTEGER AS safety_stock"
    )
    row = connection.execute(f"SELECT id, order_qty, grand_total, po_status, trouble FROM ({text})").fetchone()
    assert [str(each) for each in row or ()] == ["P1", "93.000000", "251.10", "approved", "None"]


def test_other_dialects_and_tables_are_written(restock: Restock) -> None:
    text = restock("rules", "sql", "purchasing", "--dialect", "postgres", "--table", "shop.products").stdout
    assert 'FROM "shop"."products"' in text and "OFFSET 0" in text
    text = restock("rules", "sql", "purchasing", "--dialect", "mysql", "--module", "ORDER").stdout
    assert "CAST(" in text and "SIGNED" in text and "avg_daily_demand" not in text
    assert "LIMIT -1" in restock("rules", "sql", "purchasing", "--dialect", "sqlite", "--scaled").stdout


def test_what_sql_cannot_run_is_refused_with_the_reason(restock: Restock) -> None:
    refused = restock("rules", "sql", "published")
    assert refused.exit_code == 2 and "may need more digits than a BIGINT holds" in refused.stderr
    lossy = restock("rules", "sql", "purchasing", "--dialect", "sqlite")
    assert lossy.exit_code == 2 and "--scaled" in lossy.stderr
    wrong = restock("rules", "sql", "purchasing", "--module", "ORDERS")
    assert wrong.exit_code == 2 and "Did you mean ORDER?" in wrong.stderr


def test_nothing_but_a_query_loads_the_libraries_of_sql() -> None:
    code = "import sys, restock.edge.cli.rules, restock.engine.rules.sql; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not [name for name in ("duckdb", "sqlglot", "polars", "numpy") if f"'{name}'" in loaded]


BUDGET = """
input Supplier.id: text;
input Supplier.budget: decimal(9,2);
output Supplier.over: bool;
input Line.supplier: text;
input Line.value: decimal(9,2);
rule Over {
    when $s: Supplier() && $t: accumulate(Line($v: value, supplier == $s.id), sum($v)) && $t > $s.budget
    then $s.over = true;
}
"""


def test_rules_that_add_up_facts_become_one_query_over_the_tables_of_their_types(
    restock: Restock, tmp_path: Path
) -> None:
    book = tmp_path / "budget.grl"
    book.write_text(BUDGET, "utf-8")
    text = restock("rules", "sql", book).stdout
    connection = duckdb.connect(":memory:")
    connection.execute(
        "CREATE TABLE \"Supplier\" AS SELECT * FROM (VALUES ('a', 10.00), ('b', 1.00), ('c', 0)) AS t(id, budget)"
    )
    connection.execute("CREATE TABLE \"Line\" AS SELECT * FROM (VALUES ('a', 9.99), ('b', 1.01)) AS t(supplier, value)")
    assert sorted(connection.execute(f"SELECT id, over FROM ({text})").fetchall()) == [
        ("a", False),
        ("b", True),
        ("c", False),
    ]
    other = restock("rules", "sql", book, "--dialect", "spark")
    assert other.exit_code == 2 and "are written for duckdb" in other.stderr
    book.write_text("rule R { when $o: Order(total > 1) then retract($o); }", "utf-8")
    none = restock("rules", "sql", book)
    assert none.exit_code == 2 and "does more than set fields of its fact" in none.stderr
