"""Flow files: what is accepted, and how what is wrong is told. Nothing half-loads: a bad file gives no flow at all."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from itertools import pairwise

import pytest
from graph_world import PURCHASING, PURCHASING_OPERATIONS, flow_of, purchasing_flow
from hypothesis import given
from hypothesis import strategies as st

from restock.core.errors import InvalidInput
from restock.engine.graph import FlowError, load_flow
from restock.engine.graph.condition import ConditionError, parse_condition
from restock.engine.graph.model import Literal
from restock.engine.graph.source import parse


def refusal(text: str | bytes, name: str = "bad.yaml", **more: object) -> FlowError:
    with pytest.raises(FlowError) as caught:
        load_flow(text, name, operations=["fetch", "create", "a"], **more)  # type: ignore[arg-type]
    return caught.value


def test_the_purchasing_flow_reads_in_order():
    flow = purchasing_flow()
    assert (flow.name, flow.version, flow.required) == ("purchasing", "1", ("product_id",))
    assert flow.layers == (
        ("orders", "stock", "supplier", "units"),
        ("decide",),
        ("wanted",),
        ("create", "explain"),
    )
    assert flow.nodes["decide"].line == 11


def test_json_and_yaml_give_the_same_flow():
    tree = parse(PURCHASING, "purchasing.yaml").plain()
    text = json.dumps(tree, indent="\t", ensure_ascii=True)
    flow = load_flow(text, "purchasing.json", operations=PURCHASING_OPERATIONS)
    assert list(flow.nodes) == list(purchasing_flow().nodes)
    assert flow.nodes["stock"].inputs == purchasing_flow().nodes["stock"].inputs


WRONG = [
    ("", 1, 1, "empty"),
    ("# nothing\n", 1, 1, "only comments"),
    ("nodes: [1, 2\n", 2, 1, "not YAML"),
    ("nodes:\n  a: {operation: fetch\n  b: 1\n", 3, 4, "not YAML"),
    ("nodes:\n\ta: 1\n", 2, 1, "not YAML"),
    ("just a text", 1, 1, "must be a mapping"),
    ("[]", 1, 1, "must be a mapping"),
    ("flow: x\n", 1, 1, "needs 'nodes:'"),
    ("nodes: {}\n", 1, 8, "at least one node"),
    ("nodes:\n  a: {operation: fetch}\n  a: {operation: fetch}\n", 3, 3, "here twice; it is already on line 2"),
    ("nodes:\n  a: {operation: fetsch}\n", 2, 18, "no operation 'fetsch'. Did you mean 'fetch'?"),
    ("nodes:\n  a: {operation: fetch, timout: 2s}\n", 2, 25, "no field 'timout'. Did you mean 'timeout'?"),
    ("nods:\n  a: 1\n", 1, 1, "Did you mean 'nodes'?"),
    ("nodes:\n  a: {type: operatoin, operation: fetch}\n", 2, 13, "Did you mean 'operation'?"),
    ("nodes:\n  a: {description: what}\n", 2, 6, "does not say what it does"),
    ("nodes:\n  a: {operation: fetch, timeout: 2}\n", 2, 34, "duration with its unit, not 2"),
    ("nodes:\n  a: {operation: fetch, timeout: 99999s}\n", 2, 34, "at most 3600 s"),
    ("nodes:\n  a: {operation: fetch, retry: {attempts: 0}}\n", 2, 43, "whole number from 1 to 10"),
    ("nodes:\n  a: {operation: fetch, retry: {on: [Unavailible]}}\n", 2, 38, "Did you mean 'Unavailable'?"),
    ("nodes:\n  a: {operation: fetch, retry: {factor: 0.5}}\n", 2, 41, "from 1 to 10"),
    ("nodes:\n  a: {operation: fetch, breaker: {fails: 2}}\n", 2, 35, "Did you mean 'failures'?"),
    ("nodes:\n  a: {operation: fetch, cache: {}}\n", 2, 32, "needs 'ttl'"),
    ("nodes:\n  a: {operation: fetch, dependencies: [b]}\n", 2, 40, "no such node"),
    (
        "nodes:\n  stock: {operation: fetch}\n  b: {operation: fetch, inputs: {x: stok.y}}\n",
        3,
        37,
        "Did you mean 'stock'?",
    ),
    ("inputs: [sku]\nnodes:\n  a: {operation: fetch, inputs: {x: skuu}}\n", 3, 37, "Did you mean 'sku'?"),
    ("inputs: [sku]\nnodes:\n  a: {operation: fetch, inputs: {x: input.skuu}}\n", 3, 37, "Did you mean 'sku'?"),
    ("inputs: [sku, sku]\nnodes: {a: {operation: fetch}}\n", 1, 15, "here twice"),
    ("inputs: [a]\nnodes:\n  a: {operation: fetch}\n", 3, 3, "both an input and a node"),
    ("nodes:\n  input: {operation: fetch}\n", 2, 3, "cannot name a node"),
    ("nodes:\n  9a: {operation: fetch}\n", 2, 3, "cannot name a node"),
    ("nodes:\n  a: {operation: fetch, inputs: {x: 'two words'}}\n", 2, 37, "quotes of its own"),
    (
        "nodes:\n  b: {operation: fetch}\n  a: {operation: fetch, inputs: {x: b.sum(y)}}\n",
        3,
        37,
        "aggregate 'b.sum(y)'",
    ),
    ("nodes:\n  a: {operation: fetch}\noutput: {x: b.y}\n", 3, 13, "neither a node nor an input"),
    ("nodes:\n  a: {operation: fetch}\nedges: [{from: a, to: b}]\n", 3, 23, "no such node"),
    ("nodes:\n  a: {operation: fetch}\nedges: [{from: a}]\n", 3, 9, "'from' and 'to'"),
    ("nodes:\n  a: {condition: 'x >'}\n", 2, 22, "needs a value or a name where it has 'the end'"),
    ("nodes:\n  a: {condition: 1 > 0, true_branch: [b]}\n", 2, 39, "'true_branch' of 'a' names 'b'"),
    ("nodes:\n  a: {type: loop, body: b}\n  b: {operation: fetch}\n", 2, 3, "either 'over' or 'while'"),
    ("nodes:\n  a: {type: loop, body: b, while: 1 > 0}\n  b: {operation: fetch}\n", 2, 3, "max_iterations"),
    ("nodes:\n  a: {type: try, try: b}\n  b: {operation: fetch}\n", 2, 3, "'catch' or 'finally'"),
    ("nodes:\n  a: {operation: fetch, inputs: {x: _loop_item}}\n", 2, 37, "only inside loops"),
    ("nodes:\n  a: {operation: !!python/name:os.system x}\n", 2, 18, "tag"),
    ("nodes:\n  a: &x\n    operation: *x\n", 3, 16, "deeper"),
    (
        "nodes:\n  a: {operation: fetch, inputs: {x: r.y}}\n"
        "  t: {type: try, try: r, finally: {operation: a}}\n  r: {operation: fetch}\n",
        2,
        37,
        "'r' runs inside 't'. Refer to the result of 't'.",
    ),
    ("nodes:\n  a: {file: other.yaml}\n", 2, 13, "gives flows no files"),
]


@pytest.mark.parametrize(("text", "line", "column", "told"), WRONG)
def test_a_wrong_file_is_refused_with_place_and_reason(text: str, line: int, column: int, told: str):
    error = refusal(text)
    assert told in str(error)
    assert str(error).startswith(f"bad.yaml:{error.line}:{error.column}: ")
    if "not YAML" in told:  # the parser notices late
        assert abs(error.line - line) <= 1
    elif told != "deeper":
        assert (error.line, error.column) == (line, column)


def test_a_circle_is_refused_with_its_path():
    text = """
nodes:
  start: {operation: fetch}
  one: {operation: fetch, inputs: {x: three.y}}
  two: {operation: fetch, dependencies: [one, start]}
  three: {operation: fetch}
edges: [{from: two, to: three}]
"""
    error = refusal(text)
    path = str(error).split("circle: ")[1].split(".")[0].split(" → ")
    assert path[0] == path[-1] and len(path) == 4
    assert set(path) == {"one", "two", "three"}
    follows = {("one", "two"), ("two", "three"), ("three", "one")}
    assert set(pairwise(path)) == follows
    assert "runs in a circle: a → a" in str(refusal("nodes: {a: {operation: fetch, dependencies: [a]}}"))


def test_nodes_that_run_each_other_are_refused():
    tidy = "finally: {operation: fetch}"
    text = f"nodes:\n  a: {{type: try, try: b, {tidy}}}\n  b: {{type: try, try: a, {tidy}}}\n"
    assert "run each other" in str(refusal(text))


def test_bytes_that_are_not_utf8_are_refused_with_their_place():
    error = refusal(b"nodes:\n  a: {operation: f\xe9tch}\n")
    assert (error.line, error.column) == (2, 19)
    assert "0xe9 is not UTF-8" in str(error)
    assert "UTF-8" in str(refusal("nodes: {}".encode("utf-16")))
    assert load_flow(b"\xef\xbb\xbfnodes: {a: {operation: a}}", "bom.yaml", operations=["a"]).name == "bom"


def test_broken_json_is_told_as_json():
    error = refusal('{"nodes": {\n  "a": {"operation": "fetch",}\n}}', "bad.json")
    assert "not JSON" in str(error) and error.line == 2
    assert "here twice" in str(refusal('{"nodes": {"a": {"operation": "a"}, "a": {"operation": "a"}}}', "bad.json"))


def test_bombs_are_refused_quickly():
    lines = ["x0: &x0 [1, 1]"] + [f"x{i}: &x{i} [*x{i - 1}, *x{i - 1}]" for i in range(1, 40)]
    assert "more than" in str(refusal("\n".join(lines)))
    assert "nests deeper" in str(refusal("[" * 20_000))
    assert "characters" in str(refusal("#" * (1 << 21)))


def test_too_many_nodes_are_refused():
    text = "nodes:\n" + "".join(f"  n{i}: {{operation: a}}\n" for i in range(501))
    assert "at most 500 nodes" in str(refusal(text))


def test_subgraphs_nest_only_so_deep():
    text = "nodes: {a: {operation: a}}"
    for _ in range(9):
        text = "nodes: {g: {graph: " + ("{" + text + "}") + "}}"
    assert "nest deeper" in str(refusal(text))


def test_an_unreadable_subgraph_file_is_refused_at_its_name():
    def read_file(name: str) -> str:
        raise FileNotFoundError(name)

    error = refusal("nodes:\n  a: {file: other.yaml}\n", read_file=read_file)
    assert (error.line, error.column) == (2, 13)


def test_a_mistake_in_a_subgraph_file_names_that_file():
    error = refusal("nodes:\n  a: {file: other.yaml}\n", read_file=lambda name: "nodes:\n  b: {operation: nope}\n")
    assert str(error).startswith("other.yaml:2:18: ")


def test_literals_are_exact_and_words_stay_words():
    text = """
nodes:
  a: {operation: a, inputs: {price: 15.10, count: 3, on: "'yes'", off: "'no'", none: null, list: [1, x], flag: true}}
"""
    inputs = dict(flow_of(text).nodes["a"].inputs)
    assert inputs == {
        "price": Literal(Decimal("15.10")),
        "count": Literal(3),
        "on": Literal("yes"),
        "off": Literal("no"),
        "none": Literal(None),
        "list": Literal([1, "x"]),
        "flag": Literal(True),
    }


@given(st.text(max_size=200))
def test_any_text_loads_or_is_refused_with_a_place(text: str):
    try:
        load_flow(text, "any.yaml", operations=["a"])
    except FlowError as error:
        assert error.line >= 1 and error.column >= 1


@given(st.binary(max_size=100))
def test_any_bytes_load_or_are_refused(data: bytes):
    with pytest.raises(FlowError):
        load_flow(data, "any.json", operations=["a"])


@given(st.data())
def test_a_flow_with_one_piece_cut_out_loads_or_is_refused(data: st.DataObject):
    start = data.draw(st.integers(0, len(PURCHASING) - 1))
    end = data.draw(st.integers(start, min(len(PURCHASING), start + 30)))
    try:
        load_flow(PURCHASING[:start] + PURCHASING[end:], "cut.yaml", operations=PURCHASING_OPERATIONS)
    except FlowError as error:
        assert error.file == "cut.yaml"


CONTEXT = {"x": 5, "price": Decimal("15.50"), "name": "ann", "ok": True, "none": None, "n": {"m": {"k": 3}, "s": "b"}}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("x == 5", True),
        ("x == 5.0", True),
        ("x != 5", False),
        ("price >= 15.5 and price <= 15.5", True),
        ("x > 5 or x < 6", True),
        ("not x > 5", True),
        ("!(x > 5) && ok", True),
        ("!!ok", True),
        ("x > 9 || name == 'ann'", True),
        ('name == "bob"', False),
        ("n.m.k == 3", True),
        ("n.s < 'c'", True),
        ("ok == true", True),
        ("ok == 1", False),
        ("none == null", True),
        ("missing == null", True),
        ("missing.field == null", True),
        ("none", False),
        ("x == '5'", False),
        ("false or true and false", False),
        ("(true or true) and false", False),
        ("x == -5", False),
    ],
)
def test_conditions(text: str, answer: bool):
    assert parse_condition(text).test(CONTEXT) is answer


@pytest.mark.parametrize("text", ["x > name", "ok > 1", "none < 3", "n.nothing > 1", "name >= 1"])
def test_what_cannot_be_compared_is_an_error_not_a_guess(text: str):
    with pytest.raises(InvalidInput):
        parse_condition(text).test(CONTEXT)


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("", 0),
        ("x >", 3),
        ("x > > 1", 4),
        ("(x > 1", 6),
        ("x = 1", 2),
        ("x > 1)", 5),
        ("1 < x < 3", 6),
        ("x; y", 1),
        ("'open", 0),
    ],
)
def test_a_wrong_condition_points_at_the_character(text: str, offset: int):
    with pytest.raises(ConditionError) as caught:
        parse_condition(text)
    assert caught.value.offset == offset


@given(st.text(alphabet="xy.()!<>=&|and or'\"19 ", max_size=60))
def test_any_condition_is_read_or_refused(text: str):
    try:
        condition = parse_condition(text)
    except ConditionError as error:
        assert 0 <= error.offset <= len(text)
        return
    with suppress(InvalidInput):
        assert condition.test({"x": 1}) in (True, False)


def test_deep_parentheses_are_refused():
    with pytest.raises(ConditionError, match="levels"):
        parse_condition("(" * 500 + "x" + ")" * 500)


def test_an_error_shows_the_line_with_a_caret():
    error = refusal("nodes:\n  a: {operation: fetsch}\n")
    assert error.shown().splitlines()[1:] == ["  a: {operation: fetsch}", "                 ^"]
