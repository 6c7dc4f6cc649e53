"""`restock decide --out`, `--engine columns` and `restock rules plan`: whole files, the same lines, the chosen engine."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from cli_world import Restock

CSV = """\
product_id;avg_daily_demand;lead_time_days;available_qty;moq;unit_price;is_active;order_multiple
A;15.5;7;20;20;15.99;true;20
B;50;5;5;100;15.50;TRUE;
C;x;5;5;100;15.50;true;
D;50;;5;100;15.50;true;1
E;1e1;7;5;100;15.5000;maybe;1
F;1e1;7;5;100;15.5000;false;1
"""


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_file_of_facts_becomes_a_file_of_decisions_row_for_row(restock: Restock, tmp_path: Path, form: str) -> None:
    facts, out = tmp_path / f"facts.{form}", tmp_path / "decided.parquet"
    (tmp_path / "facts.csv").write_text(CSV)
    if form == "parquet":
        pl.read_csv(tmp_path / "facts.csv", separator=";", infer_schema=False).write_parquet(facts)
    result = restock("decide", "--rulebook", "purchasing", "--facts", facts, "--out", out)
    assert result.exit_code == 1
    assert "3 of 6 rows were refused" in result.stderr
    decided = pl.read_parquet(out)
    assert decided["product_id"].to_list() == list("ABCDEF")
    assert decided["order_qty"].to_list() == [100, 245, None, None, None, 0]
    assert decided["grand_total"].to_list()[:2] == [Decimal("1726.92"), Decimal("4101.30")]
    assert decided["fired"].to_list()[5] == [
        "CalculateShortage",
        "BlockInactiveSupplier",
        "ValidateSupplierActive",
        "NoReorderNeeded",
    ]
    errors = decided["error"].to_list()
    assert errors[2] == "avg_daily_demand: 'x' is not a number. Write it like 12 or 12.5."
    assert errors[4] == "is_active: 'maybe' is not true or false. Give true or false."
    assert [path.name for path in tmp_path.glob("*.partial")] == []


def test_a_right_file_ends_well(restock: Restock, tmp_path: Path) -> None:
    (tmp_path / "facts.csv").write_text("\n".join(CSV.splitlines()[:3]))
    result = restock(
        "decide", "--rulebook", "purchasing", "--facts", tmp_path / "facts.csv", "--out", tmp_path / "d.parquet"
    )
    assert (result.exit_code, result.stdout) == (0, "")
    assert "2 rows decided" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--facts", "f.csv"), "--out decisions.parquet"),
        (("--out", "d.parquet"), "Decisions of JSON lines go to standard output"),
        (("--facts", "f.csv", "--out", "d.csv"), "d.csv is not a Parquet file"),
        (("--facts", "b.parquet", "--out", "b.parquet"), "b.parquet is the file of the facts"),
        (("--facts", "f.csv", "--out", "d.parquet", "--engine", "network"), "takes documents, not rows"),
        (("--facts", "g.csv", "--out", "d.parquet"), "g.csv cannot be read"),
        (("--facts", "e.csv", "--out", "d.parquet"), "The file is empty"),
        (("--facts", "b.parquet", "--out", "d.parquet"), "b.parquet: The file cannot be read"),
        (("--facts", "m.csv", "--out", "d.parquet"), "available_qty: No column gives this input"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(
    restock: Restock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("f.csv").write_text(CSV)
    Path("e.csv").touch()
    Path("b.parquet").write_text("not Parquet")
    Path("m.csv").write_text("a,b\n1,2\n")
    result = restock("decide", "--rulebook", "purchasing", *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not Path("d.parquet").exists()


def test_every_engine_writes_the_same_lines_but_for_its_name(restock: Restock) -> None:
    names = ("avg_daily_demand", "lead_time_days", "available_qty", "moq", "unit_price")
    cases = [
        ("15.5", 7, 20, 20, "15.99"),
        (50, 5, 5, 100, "15.50"),
        (200, 10, 1, 50, 120),
        ("x", 1, 1, 1, 1),
        (1, 1, 0, 0, 0),
    ]
    lines = [json.dumps({**dict(zip(names, case, strict=True)), "is_active": True}) for case in cases]
    given = "\n".join([*lines, "{broken", "[1]", lines[0]])
    texts = {}
    for engine in ("reference", "row", "columns"):
        result = restock("decide", "--rulebook", "purchasing", "--engine", engine, given=given)
        assert result.exit_code == 1
        texts[engine] = result.stdout.replace(f'"engine":"{engine}"', "")
    assert texts["reference"] == texts["row"] == texts["columns"]


def test_the_planner_says_which_engines_run_and_which_is_chosen(restock: Restock, tmp_path: Path) -> None:
    text = restock("rules", "plan", "purchasing").stdout
    assert "one decision: row\n" in text
    assert "a catalogue:  columns\n" in text
    (tmp_path / "loop.grl").write_text("rule Count { when x < 5 then x = x + 1; }\n")
    made = json.loads(restock("rules", "plan", tmp_path / "loop.grl", "--json").stdout)
    assert (made["one"], made["catalogue"]) == ("reference", "reference")
    assert made["engines"]["columns"]["runs"] is False
    assert made["engines"]["columns"]["reason"].startswith("Count (line 1) writes x")


def test_rules_that_columns_cannot_run_are_refused_with_the_reason_and_decided_by_another_engine(
    restock: Restock, tmp_path: Path
) -> None:
    (tmp_path / "loop.grl").write_text("rule Count { when x < y then x = x + 1; }\n")
    (tmp_path / "f.csv").write_text("y,note\n1,a\n7,b\n-1,c\noops,d\n")
    files = ("--facts", tmp_path / "f.csv", "--out", tmp_path / "d.parquet")
    result = restock("decide", "--rulebook", tmp_path / "loop.grl", *files)
    assert (result.exit_code, "1 of 4 rows were refused" in result.stderr) == (1, True)
    made = pl.read_parquet(tmp_path / "d.parquet")
    assert (made["note"].to_list(), made["x"].to_list()) == (list("abcd"), [1, 7, 0, None])
    assert made["fired"].list.len().to_list() == [1, 7, 0, None]
    for words in ((*files, "--engine", "columns"), ("--engine", "columns")):
        result = restock("decide", "--rulebook", tmp_path / "loop.grl", *words, given="{}")
        assert result.exit_code == 2
        assert "columns engine cannot run loop.grl: Count (line 1) writes x" in result.stderr


def test_a_folder_that_is_not_there_is_named(restock: Restock, tmp_path: Path) -> None:
    (tmp_path / "facts.csv").write_text(CSV)
    out = tmp_path / "none" / "decided.parquet"
    result = restock("decide", "--rulebook", "purchasing", "--facts", tmp_path / "facts.csv", "--out", out)
    assert result.exit_code == 2
    assert f"there is no folder {out.parent}. Make it first." in result.stderr


def test_every_engine_decides_a_file_as_columns_do(restock: Restock, tmp_path: Path) -> None:
    (tmp_path / "facts.csv").write_text(CSV)
    made: dict[str, list[tuple[object, ...]]] = {}
    for engine in ("columns", "row", "reference", "sql"):
        out = tmp_path / f"{engine}.parquet"
        words = ("--facts", tmp_path / "facts.csv", "--out", out, "--engine", engine)
        assert restock("decide", "--rulebook", "purchasing", *words).exit_code == 1
        frame = pl.read_parquet(out)
        kinds = {name: pl.String for name, kind in frame.schema.items() if isinstance(kind, pl.Enum)}
        made[engine] = [tuple(map(str, row)) for row in frame.cast(kinds).rows()]  # type: ignore[arg-type]
        assert len(made[engine]) == 6
    assert made["columns"] == made["row"] == made["reference"] == made["sql"]
