"""Rules across rows: groups decided by one query are what deciding lines, adding up and deciding again gives."""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from random import Random

import polars
import pytest
from rules_world import PURCHASING, one
from test_differential import random_product
from test_sql_runner import SCHEMA

from restock.core.errors import InvalidInput
from restock.engine.rules import Decision
from restock.engine.rules.sql import GroupRunner, Groups, Total

SUPPLIER = one("""
input ordered: decimal(15,2) in 0..10000000000000;
input lines: integer in 0..1000000;
input largest: decimal(15,2) in 0..1000000000000 default 0;
input average_total: decimal(15,3) in 0..1000000000000 default 0;
input open_orders: decimal(12,2) in 0..1000000000 default 0;
input budget: decimal(12,2) in 0..1000000000;
input minimum_value: decimal(9,2) in 0..1000000 default 0;
output left: decimal(15,2) default 0;
output decision: text default "none";
output top_up: decimal(9,2) default 0;
output concentrated: bool;

rule Left salience 30 no-loop { when lines > 0 then left = budget - open_orders - ordered; }
rule Order salience 20 no-loop { when lines > 0 && left >= 0 && ordered >= minimum_value then decision = "order"; }
rule TopUp salience 20 no-loop {
    when lines > 0 && left >= 0 && ordered < minimum_value then decision = "top up"; top_up = minimum_value - ordered;
}
rule Over salience 20 no-loop { when lines > 0 && left < 0 then decision = "over budget"; }
rule Concentrated salience 10 no-loop { when largest > 3 * average_total then concentrated = true; }
""")
SPEC = Groups(
    ("supplier_id",),
    (
        Total("ordered", "sum", "grand_total", only="should_create_po"),
        Total("lines", "count", only="should_create_po"),
        Total("largest", "max", "grand_total", only="should_create_po"),
        Total("average_total", "average", "grand_total", only="should_create_po"),
    ),
)


def catalogue() -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    random = Random(8)
    lines = []
    for number in range(600):
        facts = random_product(random)
        facts = {name: Decimal(str(x)) if name != "is_active" else x for name, x in facts.items()}
        if number == 77:
            facts["moq"] = Decimal(-1)
        lines.append({"product_id": f"P{number}", "supplier_id": number // 20} | facts)
    terms: list[dict[str, object]] = [
        {"supplier_id": at, "budget": Decimal(random.choice((1_000, 100_000, 10_000_000))),
         "open_orders": random.choice((None, Decimal(500))), "minimum_value": Decimal(random.choice((0, 999_999)))}
        for at in range(29)
    ]  # fmt: skip
    return lines, terms


def by_hand(lines: list[dict[str, object]], terms: list[dict[str, object]]) -> dict[object, Decision | None]:
    totals: dict[object, list[Decimal] | None] = defaultdict(list)
    for line, made in zip(lines, PURCHASING.decide_many(lines), strict=True):
        found = totals[line["supplier_id"]]
        if not isinstance(made, Decision):
            totals[line["supplier_id"]] = None
        elif made.outputs["should_create_po"] and found is not None:
            total = made.outputs["grand_total"]
            assert isinstance(total, Decimal)
            found.append(total)
    known = {one["supplier_id"]: one for one in terms}
    decided: dict[object, Decision | None] = {}
    for supplier, found in totals.items():
        if found is None or supplier not in known:
            decided[supplier] = None
            continue
        facts: dict[str, object] = {"ordered": sum(found, Decimal(0)), "lines": len(found), **known[supplier]}
        if found:
            average = (sum(found, Decimal(0)) / len(found)).quantize(Decimal("0.001"), ROUND_HALF_UP)
            facts |= {"largest": max(found), "average_total": average}
        decided[supplier] = SUPPLIER.decide(facts, engine="reference")
    return decided


def frames() -> tuple[polars.DataFrame, polars.DataFrame]:
    lines, terms = catalogue()
    money = polars.Decimal(12, 2)
    schema = {"supplier_id": polars.Int64, "budget": money, "open_orders": money, "minimum_value": money}
    return polars.DataFrame(lines, {"supplier_id": polars.Int64} | SCHEMA), polars.DataFrame(terms, schema)


def test_suppliers_are_decided_from_the_sums_of_their_lines(tmp_path: Path) -> None:
    lines, terms = frames()
    done = GroupRunner(PURCHASING, SUPPLIER, SPEC).run(lines, tmp_path / "out.parquet", terms=terms)
    expected = by_hand(*catalogue())
    rows = polars.read_parquet(tmp_path / "out.parquet").to_dicts()
    assert done.rows == len(rows) == len(expected) == 30
    kinds = set()
    for row in rows:
        made = expected[row["supplier_id"]]
        if made is None:
            assert row["trouble"] and row["decision"] is None
            continue
        assert row["trouble"] is None
        assert {name: row[name] for name in made.outputs} == made.outputs
        assert done.query.fired([row["fired"]]) == made.fired
        kinds.add(row["decision"])
    assert kinds == {"order", "top up", "over budget"}
    assert set(done.troubles) == {
        "A row that this one sums up could not be decided.",
        "budget is missing, or not a number from 0 to 1000000000 with at most 2 decimals.",
    }


def test_what_a_specification_names_must_be_there(tmp_path: Path) -> None:
    lines, _ = frames()
    for spec, message in (
        (Groups(("suplier_id",), ()), "no column of the lines 'suplier_id'. Did you mean supplier_id"),
        (Groups(("supplier_id",), (Total("orderd", "count"),)), "Did you mean ordered"),
        (Groups(("supplier_id",), (Total("ordered", "sum", "grand_totl"),)), "Did you mean grand_total"),
        (Groups(("supplier_id",), (Total("ordered", "sum", "po_status"),)), "taken of a number"),
    ):
        with pytest.raises(InvalidInput, match=message):
            GroupRunner(PURCHASING, SUPPLIER, spec).run(lines, tmp_path / "out.parquet")
