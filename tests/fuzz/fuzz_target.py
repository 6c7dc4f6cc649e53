"""Fuzzing the rule language: whatever the bytes, a text loads and decides, or is refused by a rule error with a place.

    python -m tests.fuzz.rules --seconds 300

Needs atheris, which follows the coverage of the engine; it is not part of `make install`, because its wheel of 35 MB serves
this alone: `make install-ci`. What is found is printed with the input, and becomes a case of a test. The same function
takes the bytes that hypothesis draws (`test_fuzz_rules.py`), so it is tried on every run of the tests.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).parents[2]

ABSENT = "atheris is not installed: make install-ci, then run this again."

SLOWEST_SECONDS: Final = 10
"""Longest time for one input of some thousand bytes; more is a hang."""

LONGEST: Final = 4096
"""Most bytes of one input: every construct fits many times, and thousands are tried in a second."""

WORDS: Final = """
rule R A "name" salience no-loop lock-on-active agenda-group activation-group date-effective date-expires when then
{ } ( ) [ ] ; , . : && || ! == != <= >= < > = += + - * / % x y z flag word total $o $v $s Order Line Order( $o: total:
true false null 0 1 2 10 -1 0.5 1e400 999999999999999999 "a" 'b' "2026-01-01" "a.*" contains startsWith endsWith matches
in not_contains exists( forall( not test( accumulate( sum( count( average( min( max( round( ceil( floor( abs( length(
lower( trim( half_up half_even up down count first last empty not_empty $? retract( Log( input output enum assume
invariant decimal(9,2) integer bool text optional default in 0..10 -5..5 defmodule M export: import: all none (rules *)
query goal: strategy: depth-first max-depth: on-success: on-failure: NOT OR WHERE from stream( over window( 5 minutes
sliding tumbling ;;MODULE:M // /* */ has( now today ActivateAgendaGroup( eval( __import__
"""
PIECES: Final = (*WORDS.split(), "é", "名", "\0", "\ufeff", "\n")
"""Words of the language, and some that only look like them."""

FACTS: Final[tuple[Mapping[str, object], ...]] = (
    {},
    {"x": 1, "y": "2.5", "z": 0, "flag": True, "word": "a", "total": Decimal("10.01")},
    {"x": -1, "y": 10**9, "z": "0.000001", "flag": False, "word": "", "total": 0, "Order": [{"total": 3}, {"x": 1}]},
)


RULES_IN_JSON: Final = """{"declarations": ["input x: integer in 0..9;"], "rules": [{"name": "A", "salience": 1,
"when": {"any": ["x > 1", {"field": "word", "operator": "in", "value": ["a", "b"]}]},
"then": [{"set": "y", "expression": "x * 2"}]}]}"""

OVER_FACTS: Final = """input Line.supplier: text; input Line.value: decimal(9,2); input limit: integer in 0..9 default 5;
output Line.wait: bool; output sum: decimal(14,2);
rule Sum salience 30 { when $s: Supplier() && $sum: accumulate(Line($v: value, supplier == $s.id), sum($v))
    then sum = $sum; }
rule Wait agenda-group "late" { when $l: Line(value > 500 || supplier in ["a", 'b']) && !exists(Rush(of == $l.supplier))
    then $l.wait = true; }
rule All lock-on-active { when forall(Line(value >= 0)) && test(limit % 2 == 1) && word matches "a.*"
    then Log("all", limit); }
query "q" { goal: sum > 5 AND limit == 5 strategy: breadth-first max-depth: 4 on-success: { found = true; } }
"""


def try_bytes(data: bytes) -> None:
    """Try one input: the first byte says whether the rest is a text, words of the language, or rules in JSON."""
    kind, rest = data[:1] or b"\0", data[1:]
    if kind[0] % 4 == 0:
        try_text(rest.decode("utf-8", "replace"), "fuzz.json" if kind[0] % 8 == 4 else "fuzz.grl")
    elif kind[0] % 4 == 1:
        try_text(rest.decode("latin-1"), "fuzz.grl")
    else:
        words = (PIECES[byte] if byte < len(PIECES) else chr(byte) for byte in rest)
        try_text(("" if kind[0] % 4 == 2 else " ").join(f"{word} " for word in words), "fuzz.grl")


def try_text(text: str, name: str) -> None:
    """Load a text; it must be refused with a place, or print as itself and decide or refuse facts, alike in two engines."""
    from restock.core.errors import InvalidInput
    from restock.engine.rules import Rulebook, RuleError, check, load

    start = time.monotonic()
    try:
        errors: list[InvalidInput] = list(check(text, name))
    except InvalidInput as error:
        assert name.endswith(".json"), f"only JSON has another shape: {error!r}"
        errors = [error]
    for error in errors:
        assert str(error)
        assert not isinstance(error, RuleError) or (error.line >= 1 and error.column >= 1), repr(error)
    try:
        book = load(text, name)
    except InvalidInput as error:
        assert errors, f"check found nothing, and load raised {error}"
        return
    assert not errors, f"it loads, and check said {errors[0]}"
    if isinstance(book, Rulebook):
        assert Rulebook.parse(book.print(), name).version == book.version, "printed, it is another program"
        for facts in FACTS:
            reference = _made(lambda given: book.decide(given, engine="reference"), facts)
            assert _made(book.decide, facts) == reference, facts
            _made(book.flips, facts)
    else:
        for facts in FACTS:
            _made(book.decide, facts)
    assert time.monotonic() - start < SLOWEST_SECONDS, "this took too long"


def _made(work: Callable[[Mapping[str, object]], object], facts: Mapping[str, object]) -> object:
    from restock.core.errors import RestockError

    try:
        return work(facts)
    except RestockError as error:
        return str(error)


def seeds() -> list[bytes]:
    """Give texts to start from: the beginnings of the shipped rulebooks, rules over facts, a query, and rules in JSON."""
    found = [b"\x04" + RULES_IN_JSON.encode(), b"\x08" + OVER_FACTS.encode()]
    for path in sorted((ROOT / "src/restock/decisions/rulebooks").glob("*.grl")):
        text = path.read_bytes()[: LONGEST - 1]
        found.append(b"\x08" + text[: text.rindex(b"\n}\n") + 3])
    return found


def main() -> None:
    """Fuzz for so many seconds; the exit status is not 0 when something was found."""
    parser = argparse.ArgumentParser(description="Fuzz the rule language.")
    parser.add_argument("--seconds", type=int, default=60)
    seconds = parser.parse_args().seconds
    if importlib.util.find_spec("atheris") is None:
        sys.stdout.write(f"Skipped: {ABSENT}\n")
        return
    import atheris  # type: ignore[import-not-found,unused-ignore] # not in every environment, as said above

    with atheris.instrument_imports(include=["restock.engine.rules"]):
        import restock.engine.rules  # noqa: F401 - instrumented as it is loaded
    folder = Path(tempfile.mkdtemp(prefix="restock-fuzz-"))
    for at, seed in enumerate(seeds()):
        (folder / f"seed{at}").write_bytes(seed)
    options = [
        f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-timeout={SLOWEST_SECONDS}", "-rss_limit_mb=2048",
        f"-artifact_prefix={folder}/", "-print_final_stats=1", "-verbosity=0", str(folder),
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options], _told)
    atheris.Fuzz()


def _told(data: bytes) -> Any:  # Any: what the fuzzer ignores
    try:
        try_bytes(data)
    except BaseException:
        sys.stderr.write(f"\nFound by {data!r}\n")
        raise


if __name__ == "__main__":
    main()
