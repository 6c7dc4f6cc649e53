"""`restock decide`: golden values, errors in their place, streams of any shape, numbers without exponents."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from cli_world import Restock

from restock.edge.cli.decide import MAX_LINE

GOLDEN = {
    "A1": ("15.5, 20, 20, 7, 15.99", "88.5", "88.5", "1415.115", "auto_approved", "1415.115", "1528.3242", 9),
    "A2": ("50, 5, 100, 5, 15.50", "245", "245", "3797.5", "auto_approved", "3797.5", "4101.3", 9),
    "A3": ("22, 7, 10, 5, 25", "103", "103", "2575", "auto_approved", "2575", "2781", 9),
    "C1": ("10, 100, 50, 7, 25", "-30", "0", "0", "", "0", "0", 2),
    "C3": ("200, 1, 50, 10, 120", "1999", "1999", "239880", "pending", "215892", "233163.36", 8),
    "C4": ("80, 10, 75, 7, 35", "550", "550", "19250", "pending", "19250", "20790", 8),
    "C5": ("30, 0, 60, 5, 22.5", "150", "150", "3375", "auto_approved", "3375", "3645", 9),
}
"""demand, available, moq, lead time, price; then shortage, quantity, total, approval, final, grand total, rules fired."""

FACTS = {"avg_daily_demand": 15.5, "lead_time_days": 7, "available_qty": 20, "moq": 20, "unit_price": 15.99}
FACTS |= {"order_multiple": 20, "is_active": True}
LINE = json.dumps(FACTS)


def facts(numbers: str, *, texts: bool = False) -> str:
    demand, available, moq, lead, price = (part.strip() for part in numbers.split(","))
    names = {"avg_daily_demand": demand, "available_qty": available, "moq": moq, "lead_time_days": lead}
    names["unit_price"] = price
    quote = '"' if texts else ""
    return "{" + ", ".join(f'"{name}": {quote}{text}{quote}' for name, text in names.items()) + ', "is_active": true}'


@pytest.mark.parametrize("engine", ["row", "columns", "sql", "reference", "network"])
@pytest.mark.parametrize("texts", [False, True])
def test_golden_values(restock: Restock, engine: str, texts: bool) -> None:
    lines = "\n".join(facts(case[0], texts=texts) for case in GOLDEN.values())
    result = restock("decide", "--rulebook", "published", "--engine", engine, given=lines)
    assert result.exit_code == 0
    for text, case in zip(result.stdout.splitlines(), GOLDEN.values(), strict=True):
        made = json.loads(text, parse_float=str, parse_int=str)
        out = made["outputs"]
        names = ("shortage", "order_qty", "total_amount", "approval_status", "final_amount", "grand_total")
        assert tuple(out[name] for name in names) == case[1:7]
        assert len(made["fired"]) == case[7]
        assert (made["rulebook"], made["engine"]) == ("published", engine)


def test_engines_write_the_same_outputs(restock: Restock) -> None:
    lines = "\n".join(facts(case[0]) for case in GOLDEN.values())
    row, *rest = (
        [
            json.loads(text, parse_float=str)
            for text in restock(
                "decide", "--rulebook", "purchasing", "--engine", engine, given=lines
            ).stdout.splitlines()
        ]
        for engine in ("row", "columns", "sql", "reference", "network")
    )
    for one, *others in zip(row, *rest, strict=True):
        for other in others:
            assert {**one, "engine": ""} == {**other, "engine": ""}
            assert list(one["outputs"]) == list(other["outputs"])


@pytest.mark.parametrize("fact", ["purchase_factor", "order_multiple"])
@pytest.mark.parametrize("engine", ["row", "columns", "sql", "reference", "network"])
def test_a_number_just_outside_its_range_is_refused_by_every_engine(restock: Restock, engine: str, fact: str) -> None:
    given = json.dumps(FACTS | {fact: 0})
    result = restock("decide", "--rulebook", "purchasing", "--engine", engine, given=given)
    assert json.loads(result.stdout)["error"]["field"] == fact


def test_a_bad_line_gives_an_error_in_its_place(restock: Restock) -> None:
    bad = ["{broken", "[1]", "{}", '{"avg_daily_demand": "x"}', LINE.replace("15.5", "NaN"), '"text"', "nul"]
    result = restock("decide", "--rulebook", "purchasing", given="\n".join([LINE, *bad, LINE]))
    made = [json.loads(text) for text in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert [one["line"] for one in made if "error" in one] == [2, 3, 4, 5, 6, 7, 8]
    assert (made[0]["outputs"]["order_qty"], made[-1]["outputs"]["order_qty"]) == (100, 100)
    assert "7 of 9 lines refused" in result.stderr


def test_bytes_that_are_not_text_are_an_error_of_their_line(restock: Restock) -> None:
    result = restock("decide", "--rulebook", "purchasing", given=b'{"is_active": "\xff"}\n' + LINE.encode())
    assert result.exit_code == 1
    assert "error" in json.loads(result.stdout.splitlines()[0])
    assert json.loads(result.stdout.splitlines()[1])["outputs"]["order_qty"] == 100


@pytest.mark.parametrize("form", ["{}\n", "\ufeff{}", "{}\r\n", "\n\n{}\n\n"])
def test_line_ends_and_empty_lines_do_not_matter(restock: Restock, form: str) -> None:
    result = restock("decide", "--rulebook", "purchasing", given=form.replace("{}", LINE).encode())
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 1)


def test_no_facts_are_no_error(restock: Restock, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    result = restock("decide", "--rulebook", "purchasing", "--facts", tmp_path / "empty.jsonl")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no facts" in result.stderr


def test_defaults_derivation_and_modules(restock: Restock) -> None:
    made = json.loads(restock("decide", "--rulebook", "purchasing", given=LINE).stdout)
    assert made["facts"]["required_qty"] == 108.5
    assert (made["facts"]["on_order_qty"], made["facts"]["order_multiple"]) == (0, 20)
    given = '{"required_qty": 30, "available_qty": 20, "moq": 5, "unit_price": 1, "is_active": true}'
    assert json.loads(restock("decide", "--rulebook", "purchasing", given=given).stdout)["facts"]["order_multiple"] == 1
    order = '{"total_amount": 90000, "order_qty": 10, "need_reorder": true}'
    made = json.loads(restock("decide", "--rulebook", "purchasing", "--module", "ORDER", given=order).stdout)
    assert made["outputs"]["approval_status"] == "pending"


def test_tiny_numbers_have_no_exponent(restock: Restock, tmp_path: Path) -> None:
    book = tmp_path / "tiny.grl"
    book.write_text(
        "input a: decimal(12,4) in 0..1;\ninput b: decimal(12,5) in 0..1;\noutput c: decimal(20,9) default 0;\n"
        'rule Tiny "multiply" salience 1 no-loop { when (a > 0) then c = a * b; }\n'
    )
    result = restock("decide", "--rulebook", book, given='{"a": 0.0001, "b": 0.00001}')
    assert '"c":0.000000001' in result.stdout


def test_a_huge_line_is_refused_without_being_kept(tmp_path: Path) -> None:
    facts = tmp_path / "huge.jsonl"
    with facts.open("wb") as file:
        for _ in range(100):
            file.write(b"x" * (1 << 20))
        file.write(b"\n" + LINE.encode() + b"\n")
    limited = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20));"
        f"sys.argv = ['restock', 'decide', '--rulebook', 'purchasing', '--facts', {str(facts)!r}];"
        "runpy.run_module('restock', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", limited], check=False, capture_output=True, text=True, timeout=50)
    first, second = (json.loads(text) for text in done.stdout.splitlines())
    assert done.returncode == 1, done.stderr
    assert first["line"] == 1
    assert str(MAX_LINE) in first["error"]["detail"]
    assert second["outputs"]["order_qty"] == 100


def test_a_waiting_program_gets_each_answer_at_once() -> None:
    command = [sys.executable, "-m", "restock", "decide", "--rulebook", "purchasing"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        for _ in range(3):
            program.stdin.write(LINE + "\n")
            program.stdin.flush()
            assert Decimal(json.loads(program.stdout.readline())["outputs"]["order_qty"]) == 100
        program.stdin.close()
    assert program.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--rulebook", "publishd"], 4, "published"),
        (["--rulebook", "./none.grl"], 4, "none.grl"),
        (["--rulebook", "/"], 2, "directory"),
        (["--rulebook", "purchasing", "--facts", "/none.jsonl"], 4, "/none.jsonl"),
        (["--rulebook", "purchasing", "--facts", "/"], 2, "folder"),
        (["--rulebook", "purchasing", "--module", "LIEN"], 2, "LINE"),
        (["--rulebook", "purchasing", "--engine", "fast"], 2, "row"),
    ],
)
def test_wrong_arguments(restock: Restock, arguments: list[str], status: int, words: str) -> None:
    result = restock("decide", *arguments, given=LINE)
    shown = result.stderr + result.stdout
    assert words.lower() in shown.lower()
    assert "Traceback" not in shown
    assert result.exit_code == status


BUDGET = """
input Supplier.id: text;
input Supplier.budget: decimal(9,2);
output Supplier.over: bool;
input Line.supplier: text;
input Line.value: decimal(9,2);
rule Over { when $s: Supplier() && $sum: accumulate(Line($v: value, supplier == $s.id), sum($v)) && $sum > $s.budget
    then $s.over = true; }
"""


@pytest.mark.parametrize("engine", ["agenda", "network", "sql"])
def test_rules_over_facts_take_documents(restock: Restock, tmp_path: Path, engine: str) -> None:
    (tmp_path / "budget.grl").write_text(BUDGET)
    lines = [{"supplier": "S1", "value": "600.25"}, {"supplier": "S1", "value": 399.75}]
    given = [{"Supplier": [{"id": "S1", "budget": budget}], "Line": lines} for budget in (1000, 999.99, "x")]
    made = restock(
        "decide",
        "--rulebook",
        str(tmp_path / "budget.grl"),
        "--engine",
        engine,
        given="\n".join(map(json.dumps, given)),
    )
    found = [json.loads(text) for text in made.stdout.splitlines()]
    assert [one["facts"]["Supplier"][0]["over"] for one in found[:2]] == [False, True]
    assert found[1]["fired"] == ["Over"] and found[1]["engine"] == engine
    assert "error" in found[2] and made.exit_code == 1


def test_rules_over_facts_are_refused_where_they_cannot_run(restock: Restock, tmp_path: Path) -> None:
    book = tmp_path / "budget.grl"
    book.write_text(BUDGET)
    result = restock("decide", "--rulebook", str(book), "--engine", "row", given="{}")
    assert result.exit_code == 2 and "Typed patterns ('Supplier(...)') look over many facts" in result.stderr
    result = restock("rules", "plan", str(book))
    assert "one decision: agenda" in result.stdout and "by increments" in result.stdout


RELATIONS = """input parent.elder: text;
input parent.child: text;
query "grand" { goal: parent(?a, ?b) WHERE parent(?b, ?c) max-solutions: 9 }"""


def test_a_query_is_answered_line_for_line(restock: Restock, tmp_path: Path) -> None:
    book = tmp_path / "family.grl"
    book.write_text(RELATIONS)
    assert restock("rules", "check", book).exit_code == 0
    lines = [{"parent": [{"elder": "a", "child": "b"}, {"elder": "b", "child": "c"}]}, {"parent": []}, {"parent": [1]}]
    made = restock("decide", "--rulebook", book, "--query", "grand", given="\n".join(map(json.dumps, lines)))
    yes, no, wrong = map(json.loads, made.stdout.splitlines())
    assert (yes["proved"], yes["solutions"], yes["engine"]) == (True, [{"?a": "a", "?b": "b", "?c": "c"}], "backward")
    assert (no["proved"], no["solutions"]) == (False, []) and "error" in wrong
    for words, said in (
        (["--query", "gran"], "Did you mean grand?"),
        (["--query", "grand", "--engine", "network"], "Leave --engine and --module out."),
    ):
        refused = restock("decide", "--rulebook", book, *words, given="{}")
        assert refused.exit_code == 2 and said in refused.stderr
    scalar = restock("decide", "--rulebook", "purchasing", "--query", "grand", given="{}")
    assert scalar.exit_code == 2 and "has no query 'grand'" in scalar.stderr


def test_a_type_of_facts_that_was_probably_meant_otherwise_is_told(restock: Restock, tmp_path: Path) -> None:
    book = tmp_path / "budget.grl"
    book.write_text(BUDGET)
    told = restock("decide", "--rulebook", book, given='{"Suplier": []}')
    assert "'Suplier' is not read by budget.grl; did you mean 'Supplier'?" in told.stderr
    numbered = restock("decide", "--rulebook", book, given='{"Supplier1": {"id": "S1", "budget": 1}}')
    assert (numbered.exit_code, numbered.stderr) == (0, "")


def test_a_fact_that_was_probably_meant_otherwise_is_told_once(restock: Restock) -> None:
    line = json.dumps(FACTS | {"on_order_qtyy": 5, "colour": "red"})
    result = restock("decide", "--rulebook", "purchasing", given=f"{line}\n{line}\n")
    assert result.stderr.count("did you mean 'on_order_qty'?") == 1
    assert "colour" not in result.stderr and result.exit_code == 0
