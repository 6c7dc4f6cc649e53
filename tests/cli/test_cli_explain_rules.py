"""`restock rules explain`: a decision with its reasons as text, JSON and a picture, with what would flip it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from cli_world import Answer, Restock

FACTS = '{"required_qty": 100, "available_qty": 0, "unit_price": 102.124, "is_active": true}'


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    """A product whose total is 10,212.40."""
    path = tmp_path / "product.json"
    path.write_text(FACTS, "utf-8")
    return path


def test_the_text_says_what_fired_what_did_not_and_what_would_flip_it(restock: Restock, facts: Path) -> None:
    told = restock("rules", "explain", "purchasing", "--facts", facts).stdout
    assert "  approved automatically if the total falls by 212.40\n" in told
    assert "FlagHighValueOrders" in told and "total_amount <= 10000" in told
    assert "  approved automatically if unit_price is 100 instead of 102.124\n" in told


def test_the_document_keeps_its_shape(answer: Answer, facts: Path) -> None:
    told = answer("rules", "explain", "purchasing", "--facts", facts)
    assert list(told) == [
        "rulebook", "version", "module", "facts", "outputs", "fired", "not_fired", "flips", "changed_output", "changes",
    ]  # fmt: skip
    assert set(told["fired"][0]) == {"name", "salience", "description", "reads", "writes"}
    assert set(told["not_fired"][0]) == {"name", "salience", "description", "test", "values", "threshold"}
    assert set(told["flips"][0]) == {
        "subject", "computed", "before", "after", "difference", "direction", "outputs", "sentence",
    }  # fmt: skip
    assert told["flips"][0]["outputs"]["approval_status"] == {"before": "pending", "after": "auto_approved"}
    assert set(told["changes"][0]) == {"inputs", "outputs", "sentence"}
    assert told["changes"][0]["inputs"] == {"unit_price": {"before": 102.124, "after": 100}}
    assert told["changed_output"] == "approval_status"


def test_facts_come_from_standard_input_and_the_picture_is_mermaid(restock: Restock) -> None:
    drawn = restock("rules", "explain", "purchasing", "--facts", "-", "--format", "mermaid", given=FACTS).stdout
    assert drawn.startswith("flowchart TD\n") and "falls by 212.40" in drawn


def test_without_the_solver_nothing_is_said_of_it(
    restock: Restock, facts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "z3", None)
    told = restock("rules", "explain", "purchasing", "--facts", facts)
    assert (told.exit_code, told.stderr) == (0, "")
    assert "falls by 212.40" in told.stdout and "smallest changes" not in told.stdout
    document = json.loads(restock("rules", "explain", "purchasing", "--facts", facts, "--format", "json").stdout)
    assert document["changes"] is None


@pytest.mark.parametrize(
    ("given", "options", "words"),
    [
        ("[1]", (), "not a JSON object"),
        ("{", (), "not JSON"),
        ('{"required_qty": "a lot"}', (), "required_qty: 'a lot' is not a number"),
        (FACTS, ("--output", "aproval_status"), "Did you mean approval_status?"),
        (FACTS, ("--module", "LINES"), "has no module 'LINES'"),
    ],
)
def test_what_cannot_be_explained_says_why(restock: Restock, given: str, options: tuple[str, ...], words: str) -> None:
    result = restock("rules", "explain", "purchasing", "--facts", "-", *options, given=given)
    assert result.exit_code == 2
    assert words in result.stderr


SUPPLIERS = """
input limit: decimal(9,2) default 5;
rule Open salience 9 {
    when $s: Supplier() && $x: accumulate(Line($v: value, supplier == $s.id), sum($v)) then $s.open = $x;
}
rule Over "beyond its budget" { when $s: Supplier(open > budget, tags count > 1) then $s.advice = "wait"; }
rule Drop { when $l: Line() && $l.value < limit then retract($l); }
rule Late { when $s: Supplier(open > 100) && not(Line(supplier == $s.id)) then $s.late = true; }
rule Never { when $g: Ghost(name == "x") then $g.seen = true; }
"""
DOCUMENT = """{"Supplier": [{"id": "S1", "budget": 1000, "tags": ["a", "b"]}, {"id": "S2", "budget": 10, "tags": ["a"]}],
"Line": [{"supplier": "S1", "value": 250}, {"supplier": "S2", "value": "12.5"}, {"supplier": "S3", "value": 1}]}"""


@pytest.fixture
def suppliers(tmp_path: Path) -> Path:
    """A file of rules over facts."""
    path = tmp_path / "suppliers.grl"
    path.write_text(SUPPLIERS, "utf-8")
    return path


def test_rules_over_facts_are_explained_by_fact(restock: Restock, suppliers: Path) -> None:
    result = restock("rules", "explain", suppliers, "--facts", "-", "--format", "json", given=DOCUMENT)
    assert result.exit_code == 0, result.output
    why = json.loads(result.stdout)
    fired = [(one["name"], one["reads"], one["writes"]) for one in why["fired"]]
    assert fired == [
        ("Open", {"Supplier 1.id": "S1", "sum(Line.value)": 250}, {"Supplier 1.open": 250}),
        ("Open", {"Supplier 2.id": "S2", "sum(Line.value)": 12.5}, {"Supplier 2.open": 12.5}),
        ("Drop", {"Line 3.value": 1, "limit": 5}, {"Line 3": "retracted"}),
    ]
    silent = {one["name"]: (one["test"], one["values"]) for one in why["not_fired"]}
    assert silent == {
        "Over": ("Supplier: tags count > 1", {"Supplier 2.tags": '"a"'}),
        "Late": ("not(Line(supplier == $s.id))", {"Supplier 1.id": "S1"}),
        "Never": ('Ghost(name == "x")', {}),
    }
    assert why["outputs"]["Supplier 2.open"] == 12.5 and why["facts"]["limit"] == 5
    assert (why["flips"], why["changes"], why["changed_output"]) == ([], None, "")


def test_rules_over_facts_are_explained_by_name_as_text_and_as_a_picture(
    restock: Restock, suppliers: Path, home: Path
) -> None:
    (home / "rulebooks").mkdir(parents=True)
    suppliers.rename(home / "rulebooks" / "suppliers.grl")
    told = restock("rules", "explain", "suppliers", "--facts", "-", given=DOCUMENT).stdout
    assert "Supplier 1.open 250" in told and "Rules that did not fire" in told
    drawn = restock("rules", "explain", "suppliers", "--facts", "-", "--format", "mermaid", given=DOCUMENT).stdout
    assert drawn.startswith("flowchart TD\n") and "sum(Line.value)" not in drawn.splitlines()[1]
    module = restock("rules", "explain", "suppliers", "--facts", "-", "--module", "LINE", given=DOCUMENT)
    assert (module.exit_code, module.stdout) == (2, "") and "Leave --module out" in module.stderr


def test_rules_over_facts_are_shown(restock: Restock, answer: Answer, suppliers: Path) -> None:
    told = restock("rules", "show", suppliers).stdout
    assert "Ghost     seen bool, name text" in told and "beyond its budget" in told
    assert restock("rules", "show", suppliers, "--text").stdout.startswith("input limit: decimal(9,2) default 5;\n")
    shown = answer("rules", "show", suppliers)
    assert [one["name"] for one in shown["rules"]] == ["Open", "Over", "Drop", "Late", "Never"]
    assert shown["types"]["Ghost"] == {"name": "text", "seen": "bool"} and shown["engines"]["network"] == ""


@pytest.mark.parametrize("command", ["prove", "cases"])
def test_a_command_for_one_set_of_fields_names_itself_and_what_takes_facts(
    restock: Restock, suppliers: Path, command: str
) -> None:
    refused = restock("rules", command, suppliers)
    assert refused.exit_code == 2
    assert f"rules {command} takes rules over one set of fields. Typed patterns" in refused.stderr
    assert "explain, fmt, test and submit take it" in refused.stderr


def test_a_rule_that_groups_hold_back_says_so(restock: Restock, suppliers: Path) -> None:
    suppliers.write_text(
        'rule A agenda-group "late" { when $o: Order(total > 1) then $o.x = true; }'
        'rule B activation-group "one" { when $o: Order(total > 1) then $o.y = true; }'
        'rule C activation-group "one" { when $o: Order(total > 1) then $o.z = true; }',
        "utf-8",
    )
    told = restock("rules", "explain", suppliers, "--facts", "-", given='{"Order": [{"total": 2}]}').stdout
    assert 'agenda-group "late" has the focus' in told
    assert 'no other rule of activation-group "one" has fired' in told
