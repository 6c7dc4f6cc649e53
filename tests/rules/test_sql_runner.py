"""Whole tables through DuckDB: what stands in a file, a frame or a database is decided as the same facts from Python."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random

import duckdb
import polars
import pytest
from rules_world import PURCHASING, one
from test_differential import random_product

from restock.core.errors import InvalidInput, NotFound
from restock.engine.rules import Decision
from restock.engine.rules.sql import Attached, SqlRefused, SqlRunner

NUMBERS = ("required_qty", "available_qty", "on_order_qty", "moq", "order_multiple", "purchase_factor", "unit_price")
SCHEMA = {
    "product_id": polars.String,
    **dict.fromkeys(NUMBERS, polars.Decimal(18, 4)),
    "avg_daily_demand": polars.Decimal(18, 4),
    "lead_time_days": polars.Int16,
    "is_active": polars.Boolean,
}


def products(count: int = 400) -> list[dict[str, object]]:
    """Random products; some leave inputs out, some are wrong."""
    random = Random(5)
    found = []
    for number in range(count):
        facts = random_product(random) | {"avg_daily_demand": None, "lead_time_days": None}
        facts = {name: Decimal(value) if name in NUMBERS else value for name, value in facts.items()}  # type: ignore[arg-type]
        if number % 5 == 0:
            facts |= {"required_qty": None, "avg_daily_demand": Decimal("3.5"), "lead_time_days": number % 30}
        if number % 7 == 0:
            facts |= dict.fromkeys(random.choices((*NUMBERS, "is_active"), k=2))
        if number % 11 == 0:
            facts |= {random.choice(NUMBERS): Decimal(random.choice(("-1", "1000000001", "0.0001", "0.005")))}
        found.append({"product_id": f"P{number}"} | facts)
    return found


def same(rows: list[dict[str, object]], out: polars.DataFrame) -> None:
    """The rows of an output are the decisions from Python on the same facts."""
    got = {row["product_id"]: row for row in out.to_dicts()}
    assert len(got) == len(rows)
    refused = 0
    for facts in rows:
        made, row = PURCHASING.decide({**facts}, engine=None) if _right(facts) else None, got[facts["product_id"]]
        if made is None:
            refused += 1
            assert row["trouble"] and row["order_qty"] is None and row["should_create_po"] is None
        else:
            assert row["trouble"] is None
            assert {name: row[name] for name in made.outputs} == made.outputs
    assert 0 < refused < len(rows) / 2


def _right(facts: dict[str, object]) -> bool:
    return isinstance(PURCHASING.decide_many([facts])[0], Decision)


def test_a_frame_is_decided_as_the_same_facts_from_python() -> None:
    rows = products()
    same(rows, SqlRunner(PURCHASING).frame(polars.DataFrame(rows, SCHEMA)))


def test_a_parquet_file_is_decided_to_a_parquet_file_with_the_kept_columns(tmp_path: Path) -> None:
    rows = products()
    polars.DataFrame(rows, SCHEMA).write_parquet(tmp_path / "in.parquet")
    done = SqlRunner(PURCHASING).run(tmp_path / "in.parquet", tmp_path / "out.parquet")
    out = polars.read_parquet(tmp_path / "out.parquet")
    assert done.rows == len(rows)
    same(rows, out)
    assert out.schema["grand_total"] == polars.Decimal(15, 2)
    fired = {done.query.fired([mask]) for mask in out["fired"].to_list()}
    assert any("CreatePurchaseOrderIfApproved" in names for names in fired)
    assert sum(done.troubles.values()) == out["trouble"].count() > 0
    assert any("unit_price is missing, or not a number from 0 to 900000" in text for text in done.troubles)


def test_csv_is_read_as_text_and_written(tmp_path: Path) -> None:
    rows = products()
    polars.DataFrame(rows, SCHEMA).write_csv(tmp_path / "in.csv")
    done = SqlRunner(PURCHASING).run(tmp_path / "in.csv", tmp_path / "out.csv")
    assert done.rows == len(rows)
    out = polars.read_csv(tmp_path / "out.csv", infer_schema=False)
    by_text = {row["product_id"]: row for row in out.to_dicts()}
    same(rows, SqlRunner(PURCHASING).frame(tmp_path / "in.csv"))
    first = next(facts for facts in rows if _right(facts))
    total = PURCHASING.decide(first).outputs["grand_total"]
    assert Decimal(by_text[first["product_id"]]["grand_total"]) == total


def test_a_table_of_an_attached_database_is_read_and_never_written(tmp_path: Path) -> None:
    rows = products()
    polars.DataFrame(rows, SCHEMA).write_parquet(tmp_path / "in.parquet")
    database = duckdb.connect(str(tmp_path / "shop.db"))
    database.execute(f"CREATE TABLE products AS FROM '{tmp_path / 'in.parquet'}'")
    database.close()
    same(rows, SqlRunner(PURCHASING).frame(Attached(tmp_path / "shop.db", "products")))
    with pytest.raises(InvalidInput, match="producs does not exist"):
        SqlRunner(PURCHASING).frame(Attached(tmp_path / "shop.db", "producs"))


def test_only_the_lines_to_order_and_the_rows_in_trouble_come_out() -> None:
    rows = products()
    frame = SqlRunner(PURCHASING).frame(polars.DataFrame(rows, SCHEMA), keep=["product_id"], only="should_create_po")
    orders = [made for made in PURCHASING.decide_many(rows) if isinstance(made, Decision)]
    assert frame["should_create_po"].sum() == sum(made.outputs["should_create_po"] is True for made in orders) > 0
    assert frame["should_create_po"].is_null().sum() == len(rows) - len(orders)
    assert not frame.filter(~polars.col("should_create_po")).height


def test_an_empty_table_gives_an_empty_table() -> None:
    frame = SqlRunner(PURCHASING).frame(polars.DataFrame([], SCHEMA))
    assert frame.height == 0 and "grand_total" in frame.columns


def test_a_module_runs_on_the_sums_of_its_lines() -> None:
    frame = polars.DataFrame(
        {"supplier": ["S"], "total_amount": [Decimal("12000.00")], "need_reorder": [True], "order_qty": [Decimal(1)]}
    )
    made = SqlRunner(PURCHASING, module="ORDER").frame(frame)
    assert made["po_status"].to_list() == ["pending_approval"] and made["grand_total"].to_list() == [
        Decimal("12960.00")
    ]


def test_binary_fractions_and_missing_columns_are_refused_by_name(tmp_path: Path) -> None:
    book = one("input a: decimal(6,2);\noutput c: decimal;\nrule R no-loop { when a > 0 then c = a; }")
    with pytest.raises(SqlRefused, match="column a holds binary fractions"):
        SqlRunner(book).frame(polars.DataFrame({"a": [0.1]}))
    with pytest.raises(SqlRefused, match="no column for the input a"):
        SqlRunner(book).frame(polars.DataFrame({"b": [1]}))
    right = polars.DataFrame({"a": [1]})
    with pytest.raises(InvalidInput, match="no column 'x'"):
        SqlRunner(book).frame(right, keep=["x"])
    with pytest.raises(InvalidInput, match="no output 'c' that is true or false"):
        SqlRunner(book).frame(right, only="c")
    with pytest.raises(NotFound, match="no such file"):
        SqlRunner(book).frame(tmp_path / "none.parquet")
    with pytest.raises(InvalidInput, match="Name the file"):
        SqlRunner(book).run(tmp_path / "in.parquet", tmp_path / "out.xlsx")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(InvalidInput, match="DuckDB cannot read"):
        SqlRunner(book).frame(tmp_path / "broken.parquet")


def test_names_that_are_words_of_sql_are_fields_like_others() -> None:
    text = "input select: decimal(6,2);\ninput order: text;\noutput group: decimal(6,2);\noutput table: text;\n"
    book = one(text + "rule R no-loop { when select > 0 then group = select + select; table = order; }")
    made = SqlRunner(book).frame(polars.DataFrame({"select": [2], "order": ["a'b"], "from": [7]}))
    assert made.to_dicts() == [{"from": 7, "group": Decimal("4.00"), "table": "a'b", "fired": 1, "trouble": None}]


def test_columns_of_any_exact_width_are_read_and_of_another_kind_refused() -> None:
    book = one("input a: decimal(6,2);\noutput c: decimal;\nrule R no-loop { when a != 0 then c = a; }")
    wide = [Decimal(10) ** 24, Decimal("-12.50"), Decimal("1.234"), None, Decimal("9999.99")]
    for scale in (6, 2):
        numbers = [n if n is None or scale == 6 else n.quantize(Decimal("0.01")) for n in wide]
        made = SqlRunner(book).frame(polars.DataFrame({"a": numbers}, {"a": polars.Decimal(38, scale)}))
        third = None if scale == 6 else Decimal("1.23")
        assert made["c"].to_list() == [None, Decimal("-12.50"), third, None, Decimal("9999.99")]
    for kind in (polars.UInt64, polars.Int8):
        assert SqlRunner(book).frame(polars.DataFrame({"a": [7, 100]}, {"a": kind}))["c"].to_list() == [7, 100]
    assert SqlRunner(book).frame(polars.DataFrame({"a": [2**63]}, {"a": polars.UInt64}))["trouble"].count() == 1
    texts = polars.DataFrame({"a": ["12.5", "-0.10", "7.", "1e2", "12.345", "1.500", "", "x", "99999.9"]})
    assert SqlRunner(book).frame(texts)["c"].to_list() == [
        Decimal("12.5"), Decimal("-0.1"), Decimal(7), None, None, Decimal("1.5"), None, None, None
    ]  # fmt: skip
    for wrong in ({"a": [True]}, {"a": [date(2026, 1, 1)]}, {"a": [[1]]}):
        with pytest.raises(SqlRefused, match="The input a is a number; its column is not"):
            SqlRunner(book).frame(polars.DataFrame(wrong))
