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
