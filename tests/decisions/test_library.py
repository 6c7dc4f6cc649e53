"""Rulebooks are found by name, swapped whole, and never half."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from restock.core.errors import InvalidInput, NotFound
from restock.decisions.library import SHIPPED, Library
from restock.engine.rules import FactRulebook, RuleError

TEXT = (SHIPPED / "purchasing.grl").read_text(encoding="utf-8")


def written(folder: Path, text: str, stamp: int) -> None:
    path = folder / "purchasing.grl"
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(stamp, stamp))


def test_an_own_rulebook_wins_over_the_shipped_one(tmp_path: Path) -> None:
    written(tmp_path, TEXT.replace("total_amount <= 10000", "total_amount <= 5000"), 1)
    assert Library(tmp_path).rulebook("purchasing").version != Library().rulebook("purchasing").version


def test_a_wrong_text_leaves_the_last_good_one_in_place_and_is_told(tmp_path: Path) -> None:
    written(tmp_path, TEXT, 1)
    library = Library(tmp_path)
    good = library.rulebook("purchasing").version
    written(tmp_path, TEXT.replace("shortage > 0", "shortge > 0", 1), 2)
    assert library.rulebook("purchasing").version == good
    assert "shortge" in str(library.problem("purchasing"))
    written(tmp_path, TEXT.replace("<= 10000", "<= 9000"), 3)
    assert library.rulebook("purchasing").version != good
    assert library.problem("purchasing") is None


def test_a_rulebook_without_rules_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "", 1)
    with pytest.raises(InvalidInput, match="has no rules"):
        Library(tmp_path).rulebook("purchasing")


@pytest.mark.parametrize("name", ["purchasin", "../purchasing", "", ".hidden", "a/b"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(NotFound):
        Library().rulebook(name)


def test_a_name_that_is_nearly_right_is_suggested() -> None:
    with pytest.raises(NotFound, match="Did you mean 'purchasing'"):
        Library().rulebook("purchasin")


JSON = """{"declarations": ["output big: bool;"],
"rules": [{"name": "A", "when": "n > 1", "then": [{"set": "big", "value": true}]}]}"""
FACTS = "rule A { when $o: Order(total > 1) then $o.big = true; }"


def test_rules_in_json_are_found_by_name(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(JSON, "utf-8")
    library = Library(tmp_path)
    assert library.names() == ["mine", "published", "purchasing"]
    assert library.origin("mine") == "mine.json"
    assert library.rulebook("mine").decide({"n": 2}).outputs == {"big": True}


def test_rules_over_facts_are_found_by_who_asks_for_them(tmp_path: Path) -> None:
    (tmp_path / "mine.grl").write_text(FACTS, "utf-8")
    library = Library(tmp_path)
    assert isinstance(library.loaded("mine"), FactRulebook)
    with pytest.raises(RuleError, match=r"takes rules over one set of fields\. Typed patterns"):
        library.rulebook("mine")
