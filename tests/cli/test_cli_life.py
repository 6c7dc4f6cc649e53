"""A rulebook's life from the command line, and stored decisions made again."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cli_world import Answer, Restock

from restock.decisions.library import SHIPPED

TEXT = (SHIPPED / "purchasing.grl").read_text("utf-8").replace("total_amount > 10000)", "total_amount > 3000)")
TEXT = TEXT.replace("total_amount <= 10000)", "total_amount <= 3000)")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The default rulebook with another threshold."""
    path = tmp_path / "mine.grl"
    path.write_text(TEXT, "utf-8")
    return path


def version_of(answer: Answer) -> str:
    found = answer("rules", "versions", "purchasing")
    return str(found[0]["version"])[:12]


def test_a_threshold_is_changed_and_changed_back(company: Restock, answer: Answer, mine: Path) -> None:
    assert "PROD-002  ordered" in company("flow", "PROD-002").stdout
    submitted = company(
        "rules", "submit", mine, "--name", "purchasing", "--author", "alice", "--notes", "from 3,000 on"
    )
    version = version_of(answer)
    assert submitted.stdout == f"purchasing {version} is a draft. Next: restock rules advance purchasing {version}\n"
    advanced = company("rules", "advance", "purchasing", version)
    assert advanced.exit_code == 0, advanced.output
    assert "kept decisions: 1 of 1 decisions change\n" in advanced.stdout
    assert "PROD-002: requires_approval false → true, approval_status auto_approved → pending" in advanced.stdout
    assert company("rules", "approve", "purchasing", version, "--by", "alice").exit_code == 6
    assert company("rules", "activate", "purchasing", version).exit_code == 5
    for command in ("approve", "activate"):
        assert company("rules", command, "purchasing", version, "--by", "bob").exit_code == 0
    facts = '{"required_qty": 245, "available_qty": 0, "unit_price": 15.5, "is_active": true}\n'
    decided = json.loads(company("decide", "--rulebook", "purchasing", given=facts).stdout)
    assert (decided["outputs"]["approval_status"], decided["version"][:12]) == ("pending", version)
    back = company("rules", "rollback", "purchasing", "--by", "bob")
    assert back.stdout == f"purchasing {version} is rolled back; the file of that name is in force again.\n"
    decided = json.loads(company("decide", "--rulebook", "purchasing", given=facts).stdout)
    assert decided["outputs"]["approval_status"] == "auto_approved"
    told = company("rules", "versions", "purchasing", version).stdout
    assert [line.split()[2:] for line in told.splitlines()[5:] if "bob" in line] == [
        ["approved", "bob"],
        ["activated", "bob"],
        ["rolled", "back", "bob"],
    ]


def test_a_name_that_nothing_has_is_told_from_one_that_a_file_has(restock: Restock, answer: Answer, mine: Path) -> None:
    assert "what decides is the file of that name" in restock("rules", "versions", "published").stderr
    unknown = restock("rules", "versions", "purchasin")
    assert (unknown.exit_code, unknown.stdout) == (4, "") and "Did you mean 'purchasing'?" in unknown.stderr
    version = answer("rules", "submit", mine, "--author", "alice")["version"]
    for command in ("advance", "approve", "activate"):
        assert restock("rules", command, "mine", version, "--by", "bob").exit_code == 0
    back = restock("rules", "rollback", "mine").stdout
    assert back == f"mine {version[:12]} is rolled back; nothing decides as mine now.\n"


def test_rules_in_json_go_into_force_as_the_text_that_they_become(restock: Restock, answer: Answer, mine: Path) -> None:
    path = mine.with_name("big.json")
    rules = [{"name": "Big", "when": "total > 1000", "then": [{"set": "big", "value": True}]}]
    path.write_text(json.dumps({"declarations": ["output big: bool;"], "rules": rules}), "utf-8")
    version = answer("rules", "submit", path, "--author", "alice")["version"]
    assert version == answer("rules", "show", path)["version"]
    for command in ("advance", "approve", "activate"):
        assert restock("rules", command, "big", version, "--by", "bob").exit_code == 0
    made = json.loads(restock("decide", "--rulebook", "big", given='{"total": 1001}').stdout)
    assert (made["outputs"], made["version"]) == ({"big": True}, version)
    assert restock("rules", "versions", "big", version, "--text").stdout.startswith("output big: bool;\n")
    path.write_text('{"rules": [{"name": "A", "when": "total >", "then": []}]}', "utf-8")
    assert "rules[0].when" in restock("rules", "submit", path).stderr


FACTS = """input limit: integer;
output total: decimal(9,2) in 0..99999;
rule Large no-loop { when $o: Order(amount > 5) && $o.amount > limit then $o.large = true; }
rule Total salience -1 no-loop { when $s: accumulate(Order($v: amount), sum($v)) && $s > 0 then total = $s; }
"""
FACT_CASES = """cases:
  - name: one of two is large
    facts: {limit: 10, Order: [{amount: 7}, {amount: 11}]}
    expect: {total: 18, Order: [{large: false}, {large: true}]}
"""


def test_rules_over_facts_go_the_whole_way_and_back(restock: Restock, tmp_path: Path) -> None:
    for text in (FACTS, FACTS.replace("amount > 5", "amount > 20")):
        (tmp_path / "budget.grl").write_text(text, "utf-8")
        right = text == FACTS
        cases = FACT_CASES if right else FACT_CASES.replace("large: true", "large: false")
        (tmp_path / "budget.cases.yaml").write_text(cases, "utf-8")
        made = restock("rules", "submit", tmp_path / "budget.grl", "--author", "alice")
        assert made.exit_code == 0, made.output
        version = made.stdout.split()[1]
        advanced = restock("rules", "advance", "budget", version)
        assert advanced.exit_code == 0, advanced.output
        assert restock("rules", "approve", "budget", version, "--by", "alice").exit_code == 6
        for command in ("approve", "activate"):
            assert restock("rules", command, "budget", version, "--by", "bob").exit_code == 0
        line = '{"limit": 10, "Order": [{"amount": 11}]}'
        decided = json.loads(restock("decide", "--rulebook", "budget", given=line).stdout)
        assert (decided["version"][:12], decided["facts"]["Order"][0]["large"]) == (version, right)
        told = restock("rules", "explain", "budget", "--facts", "-", given=line)
        assert ("Order 1.large" in told.stdout) is True
        assert restock("rules", "test", "budget").exit_code == 0
    assert "  cases: 1 of 1 decisions change\n    one of two is large: Order 2.large true → false" in advanced.stdout
    assert "is in force again" in restock("rules", "rollback", "budget", "--by", "bob").stdout
    assert json.loads(restock("decide", "--rulebook", "budget", given=line).stdout)["facts"]["Order"][0]["large"]


def test_rules_over_facts_do_not_take_the_place_of_those_that_flows_ask(restock: Restock, mine: Path) -> None:
    mine.write_text(FACTS, "utf-8")
    version = restock("rules", "submit", mine, "--name", "purchasing").stdout.split()[1]
    shut = restock("rules", "advance", "purchasing", version)
    assert shut.exit_code == 1
    assert "shut  checked   These are rules over facts; in force are rules over one set of fields" in shut.stdout


def test_a_promise_of_rules_over_facts_keeps_the_gate_shut(restock: Restock, mine: Path) -> None:
    mine.write_text(f'{FACTS}invariant "never much": total < 100;\n', "utf-8")
    assert "mine.grl:5:1: warning: The invariant is not proved" in restock("rules", "check", mine).output
    version = restock("rules", "submit", mine).stdout.split()[1]
    shut = restock("rules", "advance", "mine", version)
    assert shut.exit_code == 1
    assert "shut  proved    mine.grl:5:1" in shut.stdout


def test_a_wrong_text_among_the_files_hides_none_of_the_others(answer: Answer, home: Path) -> None:
    (home / "rulebooks").mkdir(parents=True)
    (home / "rulebooks" / "wrong.grl").write_text("rule A {", "utf-8")
    listed = {one["name"]: one for one in answer("decisions", "rulebooks")}
    assert set(listed) == {"published", "purchasing", "wrong"}
    assert "wrong.grl:1:9" in listed["wrong"]["problem"] and not listed["purchasing"]["problem"]


def test_a_gate_that_stays_shut_is_exit_status_1_and_says_why(company: Restock, answer: Answer, mine: Path) -> None:
    mine.write_text(TEXT.replace("total_amount <= 3000)", "total_amount <= 30000)"), "utf-8")
    company("rules", "submit", mine, "--name", "purchasing")
    version = version_of(answer)
    result = company("rules", "advance", "purchasing", version)
    assert result.exit_code == 1
    assert "shut  proved    counterexample: no order above 10,000 is approved automatically" in result.stdout
    assert "purchasing stays checked: correct it and submit it again.\n" in result.stdout
    withdrawn = company("rules", "withdraw", "purchasing", version, "--why", "a slip")
    assert withdrawn.stdout == f"purchasing {version} is withdrawn.\n"


def test_the_cases_beside_a_file_go_with_it_and_are_those_of_the_version_in_force(
    company: Restock, answer: Answer, mine: Path
) -> None:
    case = "cases:\n  - name: mine\n    facts: {required_qty: 1, available_qty: 0, unit_price: 1, is_active: true}\n"
    mine.with_name("mine.cases.yaml").write_text(case, "utf-8")
    company("rules", "submit", mine, "--name", "purchasing", "--author", "alice", "--effective", "2020-01-01")
    version = version_of(answer)
    assert company("rules", "advance", "purchasing", version).exit_code == 0
    approved = company("rules", "approve", "purchasing", version, "--by", "bob")
    assert approved.stdout == f"purchasing {version} is active. To take it back: restock rules rollback purchasing\n"
    assert company("rules", "test", "purchasing").stdout.startswith("right  mine\n")


def test_every_decision_of_the_demo_is_made_again_bit_for_bit(restock: Restock, home: Path) -> None:
    assert restock("demo", "--no-timings").exit_code == 0
    result = restock("--home", home / "demo", "replay", "--all", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["decisions"] > 10
    assert (found["same"], found["different"]) == (True, [])


def test_a_decision_that_was_tampered_with_says_exactly_what_differs(
    company: Restock, answer: Answer, home: Path
) -> None:
    company("flow", "PROD-001", "PROD-002")
    with closing(sqlite3.connect(home / "stores" / "decisions.db")) as store:
        (key,) = store.execute("SELECT decision_id FROM decision WHERE subject = 'PROD-001'").fetchone()
        store.execute(
            "UPDATE decision SET outputs = replace(outputs, '1599', '1598'), fired = '[]' WHERE decision_id = ?", [key]
        )
        store.commit()
    result = company("replay", key)
    assert result.exit_code == 1
    assert 'output total_amount: stored {"total_amount":1598}, now {"total_amount":1599}' in result.stdout
    assert "fired: stored none, now CalculateShortage" in result.stdout
    assert result.stdout.endswith("0 of 1 decision are the same, bit for bit.\n")
    every = company("replay", "--all", "--json")
    assert (every.exit_code, json.loads(every.stdout)["decisions"]) == (1, 2)
    assert answer("replay", "--since", "2999-01-01")["decisions"] == 0


@pytest.mark.parametrize(
    ("arguments", "status", "what"),
    [
        (["replay"], 2, "Name one decision, or a range of them."),
        (["replay", "x", "--all"], 2, "Name one decision, or a range of them."),
        (["replay", "x"], 4, "There is no decision x."),
        (["replay", "--since", "soon"], 2, "since: 'soon' is no date."),
        (["rules", "rollback", "purchasing"], 5, "No version of purchasing was activated"),
        (["rules", "advance", "purchasing", "abcdef"], 4, "No version of purchasing was submitted."),
        (["rules", "submit", "nowhere.grl"], 4, "There is no file nowhere.grl."),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(
    restock: Restock, arguments: list[str], status: int, what: str
) -> None:
    result = restock(*arguments)
    assert (result.exit_code, result.stderr.count("\n")) == (status, 1)
    assert what in result.stderr


def test_a_store_without_versions_or_from_before_there_were_any_leaves_the_files_in_force(
    company: Restock, home: Path
) -> None:
    facts = '{"required_qty": 1, "available_qty": 0, "unit_price": 1, "is_active": true}\n'
    before = company("decide", "--rulebook", "purchasing", given=facts)
    with closing(sqlite3.connect(home / "stores" / "decisions.db")) as store:
        store.execute("DROP TABLE rulebook_life")
        store.execute("DROP TABLE rulebook_move")
        store.execute("UPDATE decisions_schema_version SET version_num = '0001'")
        store.commit()
    assert company("decide", "--rulebook", "purchasing", given=facts).stdout == before.stdout
    assert company("rules", "versions", "purchasing").exit_code == 0, "the store is brought up to date"
    assert company("flow", "PROD-001").exit_code == 0


def test_a_store_that_cannot_be_read_is_told_because_nobody_knows_what_is_in_force(
    company: Restock, home: Path
) -> None:
    (home / "stores" / "decisions.db").write_bytes(b"no database" * 1000)
    result = company("decide", "--rulebook", "purchasing", given="{}\n")
    assert (result.exit_code, "decisions.db" in result.stderr) == (9, True)


def test_a_version_that_came_due_is_in_force_for_commands_that_open_nothing(
    company: Restock, answer: Answer, mine: Path, home: Path
) -> None:
    company("rules", "submit", mine, "--name", "purchasing", "--author", "alice", "--effective", "2999-01-01")
    version = version_of(answer)
    company("rules", "advance", "purchasing", version)
    told = company("rules", "approve", "purchasing", version, "--by", "bob").stdout
    assert told == f"purchasing {version} is approved; it comes into force by itself at 2999-01-01 00:00:00.\n"
    assert answer("rules", "show", "purchasing")["version"][:12] != version
    with closing(sqlite3.connect(home / "stores" / "decisions.db")) as store:
        store.execute("UPDATE rulebook_life SET effective = '2020-01-01T00:00:00.000000Z'")
        store.commit()
    assert answer("rules", "show", "purchasing")["version"][:12] == version
    company("flow", "PROD-001")
    assert answer("rules", "versions", "purchasing")[0]["state"] == "active"
