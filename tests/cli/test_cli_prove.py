"""Proofs, cases and comparisons of rulebooks from the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cli_world import Answer, Restock

MINE = """input a: integer in 0..9;
output x: integer in 0..9;
invariant "x is small": x <= 5;
invariant "x is not negative": x >= 0;
rule Copy no-loop { when a > 2 then x = a; }
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A rulebook that breaks one of its two invariants."""
    path = tmp_path / "mine.grl"
    path.write_text(MINE, "utf-8")
    return path


def test_the_shipped_rulebooks_pass_the_gate(restock: Restock) -> None:
    for name in ("purchasing", "published"):
        result = restock("rules", "prove", name)
        assert (result.exit_code, "counterexample" in result.stdout) == (0, False)
    assert "known exception" in result.stdout


def test_a_counterexample_is_told_in_business_numbers_and_kept_as_a_case(restock: Restock, mine: Path) -> None:
    kept = mine.with_name("mine.cases.yaml")
    result = restock("rules", "prove", mine, "--keep", kept)
    assert result.exit_code == 1
    assert "x is small\n    mine.grl:3:1: it is false\n    with a 6\n    gives x 6\n" in result.stdout
    assert f"1 cases added to {kept}." in result.stderr
    tested = restock("rules", "test", mine)
    assert tested.exit_code == 1
    assert (
        'wrong  counterexample: x is small\n       the invariant "x is small" does not hold: it is false'
        in tested.stdout
    )
    mine.write_text(MINE.replace("x = a", "x = min(a, 5)"), "utf-8")
    assert restock("rules", "test", mine).exit_code == restock("rules", "prove", mine).exit_code == 0
    assert "has these cases already" in restock("rules", "prove", mine, "--keep", kept).stderr


def test_proofs_are_told_to_machines(restock: Restock, answer: Answer) -> None:
    found = answer("rules", "prove", "purchasing")
    assert found["ok"] is True
    assert {one["outcome"] for one in found["invariants"]} == {"proved"}
    assert answer("rules", "test", "purchasing")["coverage"]["rules"] == {"seen": 18, "all": 18}


def test_a_rulebook_without_cases_says_so(restock: Restock, mine: Path) -> None:
    result = restock("rules", "test", mine)
    assert (result.exit_code, "There are no cases beside" in result.stderr) == (2, True)


def test_without_the_solver_the_extra_is_named(restock: Restock, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from restock.engine.rules.proof import solver

    monkeypatch.setitem(sys.modules, "z3", None)
    monkeypatch.setattr(solver.z3, "__dict__", {})
    result = restock("rules", "prove", "purchasing")
    assert result.exit_code == 7
    assert "pip install 'restock[prove]'" in result.stderr


def test_a_warning_fails_only_a_strict_check(restock: Restock, mine: Path) -> None:
    mine.write_text(MINE + "rule Never salience 5 no-loop { when a > 9 then x = 1; }\n", "utf-8")
    result = restock("rules", "check", mine)
    assert (result.exit_code, "mine.grl: right." in result.stdout) == (0, True)
    warning = (
        "mine.grl:6:40: warning: Never: never fires: a > 9 is never true. Correct the condition, or take the rule out."
    )
    assert warning in result.stderr
    assert restock("rules", "check", mine, "--strict").exit_code == 1
    assert restock("rules", "check", "--strict").exit_code == 0


def test_notes_are_told_on_request_and_always_to_machines(restock: Restock, answer: Answer) -> None:
    assert "note" not in restock("rules", "check", "published").stderr
    assert "note: ValidateSupplierActive" in restock("rules", "check", "published", "--notes").stderr
    (found,) = answer("rules", "check", "published")
    assert {one["severity"] for one in found["findings"]} == {"note"}


def test_two_rulebooks_are_compared(restock: Restock, mine: Path) -> None:
    same = restock("rules", "diff", mine, mine)
    assert (same.exit_code, same.stdout) == (0, "mine.grl and mine.grl decide the same for all inputs.\n")
    other = mine.with_name("other.grl")
    other.write_text(MINE.replace("a > 2", "a > 3"), "utf-8")
    result = restock("rules", "diff", mine, other)
    assert result.exit_code == 1
    assert "mine.grl and other.grl differ, for example\nwith a 3\n" in result.stdout
    assert result.stderr == "note: 1 rules are written differently: Copy.\n"


def test_boundary_facts_are_lines_that_decide_takes(restock: Restock, mine: Path) -> None:
    result = restock("rules", "cases", mine)
    assert set(result.stdout.split()) == {'{"a":1}', '{"a":2}', '{"a":3}'}
    decided = restock("decide", "--rulebook", mine, given=result.stdout)
    assert (decided.exit_code, decided.stdout.count("\n")) == (0, 3)


@pytest.mark.slow
def test_boundary_facts_are_the_same_again() -> None:
    """However busy the machine is: nicer examples are bounded by steps of the solver."""
    command = [sys.executable, "-m", "restock", "rules", "cases", "purchasing"]
    quiet = subprocess.run(command, capture_output=True, check=True)
    busy = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(4)]
    assert {one.communicate()[0] for one in busy} == {quiet.stdout}


def test_a_deep_check_asks_the_solver(restock: Restock) -> None:
    result = restock("rules", "check", "published", "--deep", "--notes", "--strict")
    assert result.exit_code == 0
    assert "OrderMOQWhenShortageIsLess: is_active == true is always true" in result.stderr


def test_what_stays_unknown_fails_unless_it_is_waived_by_name(restock: Restock, mine: Path) -> None:
    text = "".join(f"input {name}: integer in 1..1000000;\n" for name in "abc")
    text += 'invariant "no cube": x != c * c * c;\nrule Sum no-loop { when a > 0 then x = a * a * a + b * b * b; }\n'
    mine.write_text(text, "utf-8")
    result = restock("rules", "prove", mine, "--seconds", 1)
    assert (result.exit_code, "no answer within 1 s" in result.stdout) == (1, True)
    assert restock("rules", "prove", mine, "--seconds", 1, "--waive", "no cube").exit_code == 0
    wrong = restock("rules", "prove", mine, "--seconds", 1, "--waive", "no cub")
    assert (wrong.exit_code, "Did you mean 'no cube'?" in wrong.stderr) == (2, True)


def test_a_module_is_proved_alone_with_any_value_from_the_others(restock: Restock, mine: Path) -> None:
    mine.write_text(
        """input price: decimal(9,2) in 0..1000;
        output total: decimal(12,2) in 0..100000 default 0;
        output sent: bool default false;
        invariant "the total is small": total <= 10000;
        invariant "what is sent costs something": !sent || total > 0;
        invariant "what is sent has a price": !sent || price > 0;
        ;; MODULE: LINE
        rule Total salience 9 no-loop { when price > 0 then total = price * 10; }
        ;; MODULE: ORDER
        rule Send no-loop { when total >= 0 && price >= 0 then sent = total > 0; }
        """,
        "utf-8",
    )
    line = restock("rules", "prove", mine, "--module", "LINE")
    assert (line.exit_code, line.stdout.count("proved ")) == (0, 1) and "the total is small" in line.stdout
    order = restock("rules", "prove", mine, "--module", "ORDER")
    assert order.exit_code == 1 and "the total is small" not in order.stdout
    assert "what is sent costs something" in order.stdout.splitlines()[0]
    assert "with price 0, total " in order.stdout, "another module may give a total without a price"
    assert restock("rules", "prove", mine).exit_code == 0
    wrong = restock("rules", "prove", mine, "--module", "ORDR")
    assert wrong.exit_code == 2 and "Did you mean ORDER?" in wrong.stderr
    kept = restock("rules", "prove", mine, "--module", "ORDER", "--keep", mine.with_suffix(".yaml"))
    assert kept.exit_code == 2 and "Leave --module or --keep out." in kept.stderr
