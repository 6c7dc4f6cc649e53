"""`restock schemas`: the registry of a home in the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_world import Answer, Restock

RETURN = {"type": "record", "name": "Return", "fields": [{"name": "sku", "type": "string"}]}
REASON = {"name": "reason", "type": "string"}
TICKET = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return written(tmp_path / "return.avsc", RETURN)


def written(path: Path, schema: object) -> Path:
    path.write_text(json.dumps(schema))
    return path


def with_fields(*fields: dict[str, str]) -> dict[str, object]:
    return {**RETURN, "fields": [*RETURN["fields"], *fields]}  # type: ignore[misc]


def test_the_events_schemas_are_listed_and_shown(restock: Restock, answer: Answer) -> None:
    found = {one["subject"]: one for one in answer("schemas", "list")}
    assert set(found) == {"orders-value", "inventory-updates-value", "purchase-orders-value"}
    assert found["orders-value"]["mode"] == "FULL_TRANSITIVE"
    assert "FULL_TRANSITIVE" in restock("schemas", "list").stdout
    newest = answer("schemas", "show", "orders-value")
    assert (newest["subject"], newest["id"], newest["type"]) == ("orders-value", found["orders-value"]["id"], "AVRO")
    assert json.loads(newest["schema"])["type"] == "record"
    assert answer("schemas", "show", "--id", newest["id"]) == newest
    assert answer("schemas", "versions", "orders-value")[-1] == newest
    assert '"type": "record"' in restock("schemas", "show", "orders-value").stdout
    assert "record" in restock("schemas", "versions", "orders-value").stdout


def test_a_change_is_tried_and_registered(restock: Restock, answer: Answer, first: Path, tmp_path: Path) -> None:
    made = answer("schemas", "register", "returns-value", first)
    assert made == {"subject": "returns-value", "version": 1, "id": 1000}
    assert answer("schemas", "register", "returns-value", first) == made, "the same again is the same"
    breaking = written(tmp_path / "breaking.avsc", with_fields(REASON))
    result = restock("schemas", "check", "returns-value", breaking)
    assert result.exit_code == 5
    assert "reason: is not written and has no default" in result.stdout
    told = restock("schemas", "check", "returns-value", breaking, "--json")
    assert told.exit_code == 5
    assert json.loads(told.stdout)["compatible"] is False and json.loads(told.stdout)["mode"] == "BACKWARD_TRANSITIVE"
    refused = restock("schemas", "register", "returns-value", breaking)
    assert refused.exit_code == 5 and "may not follow" in refused.stderr
    fitting = written(tmp_path / "fitting.avsc", with_fields({**REASON, "default": ""}))
    checked = answer("schemas", "check", "returns-value", fitting, "--version", "1")
    assert (checked["compatible"], checked["problems"]) == (True, [])
    assert len(answer("schemas", "versions", "returns-value")) == 1, "a check registers nothing"
    assert restock("schemas", "register", "returns-value", fitting).stdout == (
        "returns-value version 2 has the number 1001.\n"
    )
    assert answer("schemas", "show", "returns-value", "--version", "1")["id"] == 1000


def test_a_json_schema_says_its_type(restock: Restock, answer: Answer, tmp_path: Path) -> None:
    file = written(tmp_path / "ticket.json", TICKET)
    assert answer("schemas", "register", "tickets-value", file, "--type", "json")["version"] == 1
    assert answer("schemas", "show", "tickets-value")["type"] == "JSON"
    assert restock("schemas", "check", "tickets-value", file).exit_code == 2, "it is no Avro"


def test_the_mode_is_shown_and_set(restock: Restock, answer: Answer, first: Path, tmp_path: Path) -> None:
    assert answer("schemas", "mode") == {"subject": "", "mode": "BACKWARD_TRANSITIVE"}
    assert answer("schemas", "register", "returns-value", first)["id"] == 1000
    assert answer("schemas", "mode", "returns-value", "none")["mode"] == "NONE"
    assert answer("schemas", "register", "returns-value", written(tmp_path / "b", with_fields(REASON)))["version"] == 2
    assert restock("schemas", "mode", "returns-value", "sideways").exit_code == 2
    assert restock("schemas", "mode", "nothing-value", "FULL").exit_code == 4


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["show", "nothing-value"], 4),
        (["show", "orders-value", "--version", "9"], 4),
        (["show", "--id", "999"], 4),
        (["show"], 2),
        (["show", "orders-value", "--id", "1"], 2),
        (["versions", "nothing-value"], 4),
        (["check", "orders-value", "missing.avsc"], 4),
        (["register", "x-value", "missing.avsc"], 4),
    ],
)
def test_what_is_wrong_is_said(restock: Restock, words: list[str], status: int) -> None:
    result = restock("schemas", *words)
    assert result.exit_code == status, result.output
    assert result.stderr
