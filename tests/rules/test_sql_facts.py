"""Rules over facts by SQL: one text on DuckDB, on the agenda and on the network, with the same decisions."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import duckdb
import pytest

from restock.core.errors import InvalidInput
from restock.engine.rules import FactRulebook
from restock.engine.rules.facts_by_sql import FactEngine
from restock.engine.rules.network import Network
from restock.engine.rules.sql import SqlRefused, fact_sql

SUPPLIERS = """
input Supplier.id: text;
input Supplier.minimum: decimal(9,2);
input Supplier.budget: decimal(9,2);
input Supplier.open: bool;
output Supplier.total: decimal(14,2);
output Supplier.mean: decimal(14,6);
output Supplier.blocked: bool;
output Supplier.reason: text;
output Supplier.topUp: bool;
output Supplier.stopped: bool;
input Line.supplier: text;
input Line.amount: decimal(9,2);
input Line.approved: bool;
input Note.author: text;

rule Total salience 30 no-loop {
    when $s: Supplier(open) && $t: accumulate(Line($v: amount, supplier == $s.id, approved), sum($v))
    then $s.total = $t;
}
rule Mean salience 30 no-loop {
    when $s: Supplier() && $t: accumulate(Line($v: amount, supplier == $s.id), avg($v)) then $s.mean = $t;
}
rule BelowMinimum salience 20 no-loop { when $s: Supplier(total > 0, total < minimum) then $s.topUp = true; }
rule OverBudget salience 10 no-loop {
    when $s: Supplier(total > budget) && exists(Line(supplier == $s.id, !approved)) && not(Note(author == $s.id))
    then $s.blocked = true; $s.reason = "budget";
}
rule BigLine no-loop {
    when $s: Supplier(!blocked) && $m: accumulate(Line($v: amount, $s.id == supplier), max($v)) && test($m > 90)
    then $s.stopped = true; $s.reason = "line";
}
"""
FEW = """
output Supplier.few: bool;
rule Few no-loop { when $s: Supplier() && !exists(Line(supplier == $s.id, amount > 10)) then $s.few = true; }
"""
OUTPUTS = ("total", "mean", "blocked", "reason", "topUp", "stopped")


def by_sql(book: FactRulebook, facts: dict[str, list[dict[str, object]]]) -> dict[object, dict[str, object]]:
    """Decide by DuckDB, and give outputs by the supplier's id."""
    connection = duckdb.connect(":memory:")
    connection.execute('CREATE TABLE "Supplier" (id TEXT, minimum DECIMAL(9,2), budget DECIMAL(9,2), open BOOLEAN)')
    connection.execute('CREATE TABLE "Line" (supplier TEXT, amount DECIMAL(9,2), approved BOOLEAN)')
    connection.execute('CREATE TABLE "Note" (author TEXT)')
    for kind, rows in facts.items():
        for row in rows:
            marks = ", ".join("?" * len(row))
            connection.execute(f'INSERT INTO "{kind}" VALUES ({marks})', list(row.values()))
    cursor = connection.execute(fact_sql(book).text)
    names = [one[0] for one in cursor.description or ()]
    return {row[0]: dict(zip(names, row, strict=True)) for row in cursor.fetchall()}


def supplier(name: str, minimum: int, budget: int, *, is_open: bool) -> dict[str, object]:
    return {"id": name, "minimum": Decimal(minimum), "budget": Decimal(budget), "open": is_open}


def test_one_text_decides_the_same_by_sql_on_the_agenda_and_on_the_network() -> None:
    random = Random(7)
    book = FactRulebook.parse(SUPPLIERS, "suppliers.grl")
    network = Network(book)
    assert network.reason == ""
    for _ in range(8):
        suppliers = [
            supplier(f"s{at}", random.randrange(200), random.randrange(300), is_open=random.random() < 0.8)
            for at in range(4)
        ]
        lines: list[dict[str, object]] = [
            {
                "supplier": f"s{random.randrange(5)}",
                "amount": Decimal(random.randrange(-2_000, 10_000)).scaleb(-2),
                "approved": random.random() < 0.6,
            }
            for _ in range(random.randrange(12))
        ]
        notes: list[dict[str, object]] = [{"author": f"s{random.randrange(9)}"} for _ in range(2)]
        facts = {"Supplier": suppliers, "Line": lines, "Note": notes}
        found = by_sql(book, facts)
        for one in book.decide(facts).facts["Supplier"]:
            assert {name: found[one["id"]][name] for name in OUTPUTS} == {name: one[name] for name in OUTPUTS}
            assert found[one["id"]]["trouble"] is None
        network = Network(book)
        handles = [network.insert("Supplier", one) for one in suppliers]
        for kind in ("Line", "Note"):
            for one in facts[kind]:
                network.insert(kind, one)
        network.fire_all()
        for handle in handles:
            fact = network.fact(handle)
            assert {name: found[fact["id"]][name] for name in OUTPUTS} == {name: fact[name] for name in OUTPUTS}


def test_documents_are_decided_by_sql_as_on_the_agenda() -> None:
    random = Random(11)
    book = FactRulebook.parse(SUPPLIERS + FEW, "suppliers.grl")
    engine = FactEngine(book)
    for _ in range(12):
        facts = {
            "Supplier": [
                supplier(f"s{at % 4}", random.randrange(200), random.randrange(300), is_open=random.random() < 0.8)
                for at in range(random.randrange(6))
            ],
            "Line": [
                {
                    "supplier": f"s{random.randrange(5)}",
                    "amount": f"{random.randrange(-20, 100)}.50",
                    "approved": at % 3 > 0,
                }
                for at in range(random.randrange(12))
            ],
            "Note": {"author": "s1", "text": "kept"},
        }
        assert engine.decide(facts) == book.decide(facts)


def test_what_the_query_cannot_hold_is_decided_all_the_same() -> None:
    book = FactRulebook.parse(SUPPLIERS + FEW, "suppliers.grl")
    engine, started = FactEngine(book), supplier("a", 1, 1, is_open=True) | {"topUp": True}
    half = {"Supplier": [supplier("\ud800", 1, 1, is_open=False)]}
    for facts in ({"Supplier": [started]}, half, {}):
        assert engine.decide(facts) == book.decide(facts)
    for wrong in ({"Supplier": [{"id": "a"}]}, {"Line": 3}):
        with pytest.raises(InvalidInput):
            engine.decide(wrong)


def test_a_line_in_trouble_puts_only_its_supplier_in_trouble() -> None:
    book = FactRulebook.parse(SUPPLIERS, "suppliers.grl")
    suppliers = [supplier("a", 1, 1, is_open=True), supplier("b", 1, 1, is_open=True)]
    lines: list[dict[str, object]] = [{"supplier": "a", "amount": None, "approved": True}]
    found = by_sql(book, {"Supplier": suppliers, "Line": lines})
    assert found["a"]["total"] is None and "could not be decided" in str(found["a"]["trouble"])
    assert (found["b"]["total"], found["b"]["trouble"]) == (0, None)
    nameless = by_sql(book, {"Supplier": [supplier("a", 1, 1, is_open=True) | {"id": None}]})
    assert nameless[None]["total"] is None and nameless[None]["trouble"] is not None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rule R { when $a: A(x > 1) && $b: B(y > 1) then $a.z = 1; }", "about 2 types"),
        ("rule R { when $a: A() && exists(B(y == $a.x)) then $a.z = 1; }", "the kind of A.x is unknown; declare"),
        ("rule R { when $a: A(has(x), x > 1) then $a.z = 1; }", "A.x is a list or may be absent"),
        (
            "rule R no-loop { when $a: A(x > 1) && exists(A(x == $a.x, z > 2)) then $a.z = 1; }",
            "it adds up z of A, which its rules set",
        ),
        ('rule R agenda-group "g" { when $a: A(x > 1) then $a.z = 1; }', "R .line 1. belongs to a group"),
        ('rule R activation-group "g" { when $a: A(x > 1) then $a.z = 1; }', "R .line 1. belongs to a group"),
        ("rule R lock-on-active { when $a: A(x > 1) then $a.z = 1; }", "R .line 1. belongs to a group"),
        ('rule R date-effective "2030-01-01" { when $a: A(x > 1) then $a.z = 1; }', "R .line 1. has dates"),
        ("rule R { when $a: A(x > 1, X > 1) then $a.z = 1; }", "another name differs from [xX] only in case"),
    ],
)
def test_what_has_no_such_query_says_why(text: str, reason: str) -> None:
    book = FactRulebook.parse(text, "a.grl")
    with pytest.raises(SqlRefused, match=reason):
        fact_sql(book)
