"""People's frames: every kind of column is read as `decide` reads a row, and bad rows stay in their place."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import polars as pl
import pytest
from rules_world import PUBLISHED, PURCHASING, one
from test_differential import random_product

from restock.core.errors import InvalidInput, RestockError
from restock.engine.rules import Decision, Rulebook

NAMES = ("required_qty", "available_qty", "on_order_qty", "moq", "order_multiple", "purchase_factor", "unit_price")


def same_as_rows(book: Rulebook, frame: pl.DataFrame, module: str = "") -> pl.DataFrame:
    """Decide a frame and its rows one by one; each row must have the same outcome."""
    decided = book.decide_frame(frame, module=module)
    wanted = book.decide_many(frame.rows(named=True), engine="reference", module=module)
    for row, result in zip(decided.rows(named=True), wanted, strict=True):
        if isinstance(result, Decision):
            assert row == result.outputs | {"fired": list(result.fired), "error": None}
        else:
            assert row["error"] == RestockError.__str__(result)
            assert all(value is None for name, value in row.items() if name != "error")
    return decided


def products(count: int, seed: int = 3) -> list[dict[str, object]]:
    random = Random(seed)
    return [random_product(random) for _ in range(count)]


def frame_of(rows: list[dict[str, object]], kind: Any) -> pl.DataFrame:
    columns = {name: [Decimal(str(row[name])) for row in rows] for name in NAMES}
    made = [pl.Series(name, column, dtype=pl.Decimal(38, 6)) for name, column in columns.items()]
    active = pl.Series("is_active", [row["is_active"] for row in rows])
    return pl.DataFrame([*made, active]).with_columns(pl.col(NAMES).cast(kind))


KINDS = [pl.Decimal(38, 6), pl.Decimal(20, 4), pl.Decimal(12, 2), pl.Decimal(9, 0), pl.String]


@pytest.mark.parametrize("book", [PURCHASING, PUBLISHED], ids=["purchasing", "published"])
@pytest.mark.parametrize("kind", KINDS)
def test_decimals_and_decimal_texts_are_read_exactly(book: Rulebook, kind: Any) -> None:
    decided = same_as_rows(book, frame_of(products(400), kind))
    assert decided["error"].null_count() > 200


def test_undeclared_inputs_of_any_width_are_exact_or_refused_with_the_reason() -> None:
    numbers = ["0", "7", "0.01", "0.000001", "499999.99", "500001", "99999999999", "999999999999.999999", None]
    frame = pl.DataFrame({"required_qty": numbers}).join(pl.DataFrame({"unit_price": numbers}), how="cross")
    frame = frame.with_columns(available_qty=0, moq=pl.lit("5.5"), is_active=True, avg_daily_demand=2, lead_time_days=3)
    decided = PUBLISHED.decide_frame(frame)
    wanted = PUBLISHED.decide_many(frame.rows(named=True), engine="reference")
    wide = 0
    for row, result in zip(decided.rows(named=True), wanted, strict=True):
        if isinstance(result, Decision) and "wider than a column" in str(row["error"]):
            wide += 1
        elif isinstance(result, Decision):
            assert row == result.outputs | {"fired": list(result.fired), "error": None}
        else:
            assert row["error"] == RestockError.__str__(result)
    assert wide == 1


@pytest.mark.parametrize("kind", [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.Int128, pl.UInt8, pl.UInt32, pl.UInt64])
def test_integers_of_every_width_are_whole_numbers(kind: Any) -> None:
    book = one("input a: decimal(6,2) in -50..200;\nrule R no-loop { when a != 3 then b = a * 2; }")
    numbers = [-60, -50, -1, 0, 1, 3, 100, 127, 200, 201, 255, 2**31 - 1, 2**63 - 1, 2**64 - 1]
    series = pl.Series("a", [*numbers, None], dtype=pl.Int128).cast(kind, strict=False)
    same_as_rows(book, pl.DataFrame([series]))


def test_numbers_in_texts_are_read_as_in_a_row() -> None:
    book = one("input a: decimal(6,2) in -50..200;\nrule R no-loop { when a != 3 then b = a * 2; }")
    texts = [
        "1",
        "-1.50",
        "1.500",
        "1.505",
        "+1",
        "01",
        ".5",
        "5.",
        "1e2",
        "1E-2",
        " 1",
        "1_0",
        "",
        "x",
        "NaN",
        "-0",
        "٣",
    ]
    texts += ["200.00", "200.01", "-50.000", "1" * 30, "0." + "0" * 80, None, "1,5", "1.0x", "1\n"]  # type: ignore[list-item]
    same_as_rows(book, pl.DataFrame({"a": texts}))


def test_absent_facts_are_computed_or_take_their_default_or_are_missed() -> None:
    random = Random(5)
    columns: dict[str, list[object]] = {
        name: [random.choice([None, *map(Decimal, ("1", "2.5", "7", "0.123456", "-3"))]) for _ in range(600)]
        for name in ("avg_daily_demand", "lead_time_days", "safety_stock", *NAMES)
    }
    frame = pl.DataFrame({name: pl.Series(column, dtype=pl.Decimal(20, 6)) for name, column in columns.items()})
    frame = frame.with_columns(is_active=pl.Series([random.choice((True, False, None)) for _ in range(600)]))
    decided = same_as_rows(PURCHASING, frame)
    assert 0 < decided["error"].null_count() < 600
    without = frame.drop("required_qty", "order_multiple", "purchase_factor", "on_order_qty")
    assert 0 < same_as_rows(PURCHASING, without)["error"].null_count() < 600
    same_as_rows(PURCHASING, without.with_columns(required_qty=None))
    same_as_rows(PURCHASING, without.drop("avg_daily_demand").with_columns(required_qty=frame["required_qty"]))


def test_a_computed_input_past_int64_is_computed_row_by_row() -> None:
    book = one(
        "input x: decimal(18,0) in 0..100000000000000000;\ninput y: decimal(18,0) in 0..100000000000000000;\n"
        "input a: decimal(18,0) in 0..100000000000000000 default round(x * y, 0);\n"
        "rule R no-loop { when a > 0 then b = a + 1; }"
    )
    assert book.engines["columns"] == ""
    same_as_rows(book, pl.DataFrame({"x": [1, 10**17, 3], "y": [5, 10**17, 0]}))
    same_as_rows(book, pl.DataFrame({"x": [1, 10**17, 3], "y": [5, 10**17, 0], "a": [None, 4, 5]}))


def test_texts_come_as_strings_categories_or_enums() -> None:
    book = one(
        'enum Color { red, green }\ninput c: Color default "green";\ninput t: text;\n'
        'rule R no-loop { when c == "red" then o = t; k = c; }\nrule S salience -1 no-loop { when t == c then s = true; }'
    )
    colors, texts = ["red", "green", "blue", None, "red"], ["red", "green", "", "x", "y" * 1001]
    for kind in (pl.String, pl.Categorical, pl.Enum(["blue", "red", "green"])):
        frame = pl.DataFrame({"c": pl.Series(colors, dtype=kind), "t": texts})
        same_as_rows(book, frame)


def test_a_module_decides_frames_too() -> None:
    frame = pl.DataFrame(
        {
            "total_amount": pl.Series(["0", "10000", "10000.01", "50000", None], dtype=pl.Decimal(12, 2)),
            "order_qty": [1, 2, 3, 4, 5],
            "need_reorder": [True, True, True, False, True],
        }
    )
    assert same_as_rows(PURCHASING, frame, "ORDER")["error"].null_count() == 4


def test_bad_rows_stay_in_their_place_among_many_and_nothing_is_lost() -> None:
    rows = products(1000)
    frame = pl.concat([frame_of(rows, pl.String)] * 300).with_row_index("id")
    bad = [7, 70_000, 299_999]
    frame = frame.with_columns(
        moq=pl.when(pl.col("id").is_in(bad)).then(pl.lit("many")).otherwise("moq"),
        shortage=pl.lit("old"),
        note=pl.lit("n"),
    )
    decided = PURCHASING.decide_frame(frame.lazy(), keep=True).collect(engine="streaming")
    assert decided.filter(pl.col("error").is_not_null())["id"].to_list() == bad
    assert decided["id"].to_list() == list(range(300_000))
    assert decided["shortage"].dtype == pl.Decimal(18, 6)
    assert decided.columns[: len(NAMES) + 3] == ["id", *NAMES, "is_active", "note"]
    assert decided["moq"][7] == "many"


def test_a_frame_without_rows_gives_a_frame_without_rows() -> None:
    decided = PURCHASING.decide_frame(frame_of([], pl.Decimal(12, 2)))
    assert (decided.height, decided.columns[-2:]) == (0, ["fired", "error"])


def test_rules_that_read_nothing_decide_every_row() -> None:
    book = one('input a: bool default true;\nrule R no-loop { when true then b = 1; c = "x"; }')
    same_as_rows(book, pl.DataFrame({"other": [1, 2, 3]}))


def test_a_column_of_a_wrong_type_is_refused_whole() -> None:
    good = frame_of(products(3), pl.Decimal(12, 2))
    for name, kind, message in (
        ("moq", pl.Float64, "moq: A float has already lost digits."),
        ("moq", pl.Boolean, "moq: A column of Boolean holds no numbers."),
        ("is_active", pl.Int8, "is_active: A column of Int8 does not hold true and false."),
    ):
        with pytest.raises(InvalidInput, match=message):
            PURCHASING.decide_frame(good.with_columns(pl.lit(None).cast(kind).alias(name)))


def test_a_missing_column_is_named_with_the_one_that_was_meant() -> None:
    frame = frame_of(products(3), pl.Decimal(12, 2)).rename({"unit_price": "unit_prise"})
    with pytest.raises(InvalidInput, match=r"unit_price: No column gives this input\..*'unit_prise'"):
        PURCHASING.decide_frame(frame)


def test_an_output_with_the_name_of_a_result_column_is_refused() -> None:
    book = one("input a: bool;\nrule R no-loop { when a then error = 1; }")
    with pytest.raises(InvalidInput, match="Rename the output"):
        book.decide_frame(pl.DataFrame({"a": [True]}))
