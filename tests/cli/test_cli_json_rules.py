"""Rules in JSON from the command line: the commands that take a file take them too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_world import Restock

RULES = {
    "declarations": ["input total: decimal(9,2) in 0..1000000;", "output big: bool;"],
    "rules": [
        {
            "name": "Big",
            "when": {"all": [{"field": "total", "operator": ">=", "value": 1000}]},
            "then": [{"set": "big", "value": True}],
        }
    ],
}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A right file of rules in JSON."""
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(RULES), "utf-8")
    return path


def test_json_is_checked_decided_explained_and_printed_as_text(restock: Restock, rules: Path) -> None:
    assert restock("rules", "check", rules).stdout.startswith(f"{rules}: right. mine.json: 1 rules, 1 inputs")
    for engine in ("row", "columns", "sql", "reference", "network", "agenda"):
        made = restock("decide", "--rulebook", rules, "--engine", engine, given='{"total": 1000}')
        if engine == "agenda":
            assert "cannot run mine.json" in made.stderr
        else:
            assert json.loads(made.stdout)["outputs"] == {"big": True}
    told = restock("rules", "explain", rules, "--facts", "-", given='{"total": 999.5}').stdout
    assert "big becomes true if total rises by 0.50\n" in told
    text = restock("rules", "fmt", rules).stdout
    again = rules.with_name("again.grl")
    again.write_text(text, "utf-8")
    assert "decide the same for all inputs" in restock("rules", "diff", rules, again).stdout
    assert restock("rules", "plan", rules).exit_code == restock("rules", "show", rules).exit_code == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rulez": []}, "mine.json rulez: This key is not known here. Did you mean rules?"),
        (
            {"rules": [{"name": "A", "when": "totl > 1", "then": [{"set": "big", "value": True}]}]},
            "mine.json rules[0]:",
        ),
        ({"rules": [{"name": "A", "when": "total >", "then": []}]}, "Expected a value"),
    ],
)
def test_json_that_is_wrong_is_refused_with_its_place(
    restock: Restock, rules: Path, change: dict[str, object], words: str
) -> None:
    rules.write_text(json.dumps(RULES | change), "utf-8")
    for words_of_command in (("rules", "check"), ("decide", "--rulebook"), ("rules", "show")):
        result = restock(*words_of_command, rules, given="{}")
        assert result.exit_code == 2
        assert words in result.stderr


def test_a_key_that_stands_twice_is_refused(restock: Restock, rules: Path) -> None:
    rules.write_text(json.dumps(RULES)[:-1] + ', "rules": []}', "utf-8")
    result = restock("rules", "check", rules)
    assert result.exit_code == 2
    assert "mine.json: 'rules' stands twice in one object." in result.stderr
    result = restock("decide", "--rulebook", "published", given='{"moq": 1, "moq": 2}')
    assert json.loads(result.stdout)["error"]["field"] == "moq"


def test_json_is_not_rewritten_as_text(restock: Restock, rules: Path) -> None:
    before = rules.read_text("utf-8")
    result = restock("rules", "fmt", "--write", rules)
    assert result.exit_code == 2
    assert "no canonical form" in result.stderr
    assert rules.read_text("utf-8") == before
