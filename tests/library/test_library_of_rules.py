"""`restock.rules` is useful alone: it loads nothing heavy, has every engine, and raises only what it says."""

from __future__ import annotations

import subprocess
import sys
import typing
from decimal import Decimal

import pytest

import restock.rules
from restock.rules import (
    ENGINES,
    FactRulebook,
    InvalidInput,
    Keyed,
    Network,
    RestockError,
    Rulebook,
    RuleError,
    check,
    load,
)

TEXT = """
input x: integer in 0..100;
output y: integer default 0;
output word: text default "";
rule Large salience 10 no-loop { when x > 50 then y = x - 50; word = "large"; }
"""
ALONE = """
import sys
before = set(sys.modules)
import restock.rules as rules
book = rules.Rulebook.parse({text!r}, "x.grl")
assert book.decide({{"x": 60}}).outputs["y"] == 10
assert book.flips({{"x": 60}})
loaded = {{name.partition(".")[0] for name in set(sys.modules) - before}} - sys.stdlib_module_names
contexts = {{".".join(name.split(".")[:3]) for name in sys.modules if name.startswith("restock.")}}
print(sorted(loaded), sorted(one for one in contexts if one.count(".") == 1 or one.startswith("restock.engine.")))
"""


def test_the_import_and_a_decision_load_no_library_and_no_other_part_of_restock() -> None:
    command = [sys.executable, "-I", "-c", ALONE.format(text=TEXT)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    loaded, parts = done.stdout.strip().split("] [")
    assert loaded == "['restock'"
    assert parts == "'restock.core', 'restock.engine', 'restock.engine.rules', 'restock.rules']"


def test_the_import_takes_a_fraction_of_a_second() -> None:
    code = "import time; a = time.process_time(); import restock.rules; print(time.process_time() - a)"
    done = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(3)]
    assert min(float(one.stdout) for one in done) < 1


def test_every_name_of_the_library_is_documented_and_there() -> None:
    for name in restock.rules.__all__:
        found = getattr(restock.rules, name)
        assert isinstance(found, tuple) or found is restock.rules.Value or found.__doc__, name
    assert typing.get_args(restock.rules.Value) == (Decimal, bool, str)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_decides_the_same_from_the_library(engine: str) -> None:
    book = load(TEXT, "x.grl")
    assert isinstance(book, Rulebook)
    made = book.decide({"x": 60}, engine=engine)
    assert (made.outputs, made.fired) == ({"y": 10, "word": "large"}, ("Large",))


def test_network_and_keyed_follow_changes_from_the_library() -> None:
    network = Network(FactRulebook.parse(TEXT, "x.grl"), {"x": 60})
    assert network.fire_all() == ("Large",)
    keyed = Keyed(Rulebook.parse(TEXT, "x.grl"))
    assert keyed.put("a", {"x": 1}) is not None
    assert len(keyed.apply("x", [("a", 2), ("a", 51)])) == 1


def test_what_is_wrong_is_one_of_two_errors() -> None:
    with pytest.raises(RuleError) as wrong:
        Rulebook.parse(TEXT.replace("x > 50", "z > 50"), "x.grl")
    assert (wrong.value.line, wrong.value.column) == (5, 39)
    with pytest.raises(InvalidInput, match="x: 'many' is not a number"):
        Rulebook.parse(TEXT, "x.grl").decide({"x": "many"})
    assert issubclass(RuleError, InvalidInput) and issubclass(InvalidInput, RestockError)
    assert [error.line for error in check(TEXT.replace("x > 50", "z > 50"), "x.grl")] == [5]
