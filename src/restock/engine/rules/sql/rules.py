"""One straight pass over the rules as columns: a flag for each rule, and one CASE for all writes of a field.

Writes of a field wait until a rule reads it. Then they become one column: the last rule whose flag is true wins, which is
what writing in order means. A row that cannot be decided (no value, a value outside the declared range) gets a number in
the trouble column, and harmless values, so that no later column can overflow.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from restock.engine.rules.arithmetic import EXACT
from restock.engine.rules.ir import Const, Expr, Field, Program, RuleIR, Value, Write
from restock.engine.rules.sql.expressions import Expressions, literal
from restock.engine.rules.sql.layers import Layers
from restock.engine.rules.sql.terms import Integers, Term, whole
from restock.engine.rules.sql.texts import quoted


class Trouble(NamedTuple):
    """Why a row is not decided: the condition under which, and the sentence for people."""

    when: Term
    sentence: str


class Pending(NamedTuple):
    """A write that waits for its CASE."""

    flag: Term
    value: Term


class RulePass:
    """Walks the rules in firing order. `fields` must hold the columns of the inputs."""

    def __init__(
        self,
        program: Program,
        inputs: dict[str, Term],
        layers: Layers,
        integers: Integers,
        expressions: Expressions,
    ) -> None:
        self._program = program
        self._layers = layers
        self._integers = integers
        self._expressions = expressions
        self._fields = program.fields()
        codes = coded_fields(program)
        self._present = inputs | {one.name: _start(one, codes.get(one.name, ())) for one in program.outputs}
        self._pending: dict[str, list[Pending]] = {}
        self.flags: list[Term] = []
        self.troubles: list[Trouble] = []

    def run(self) -> dict[str, Term]:
        """Give the columns of the outputs."""
        for rule in self._program.rules:
            self._rule(rule)
        return {one.name: self._read(one.name) for one in self._program.outputs}

    def _rule(self, rule: RuleIR) -> None:
        condition = self._expressions.value(rule.condition, self._read)
        flag = condition if condition.constant is not None else self._layers.define(f"fires_{rule.name}", condition)
        if flag.undefined:
            self._trouble(f"{flag.code} IS NULL", (), f"Rule {rule.name}: {NO_VALUE}.", flag)
        self.flags.append(flag)
        if flag.constant is False:
            return
        for write in rule.writes:
            self._write(rule, flag, write)

    def _write(self, rule: RuleIR, flag: Term, write: Write) -> None:
        field = self._fields[write.target]
        value = self._held(field, self._expressions.value(write.value, self._read))
        if value.undefined or self._allowed(field, write.value, value):
            flag, value = self._guarded(rule, flag, field, write.value, value)
        self._pending.setdefault(write.target, []).append(Pending(flag, value))

    def _guarded(self, rule: RuleIR, flag: Term, field: Field, node: Expr, value: Term) -> Pending:
        """Give the value with the flag that it is allowed; a rule that fires without that flag is a trouble.

        The column is NULL where the rule does not fire: engines then compute it for the other rows only.
        """
        code = f"CASE WHEN {flag.code} THEN {value.code} END"
        if field.kind == "number" and value.constant is not None:
            code = f"CAST({code} AS BIGINT)"
        made = replace(self._integers.made(code, (flag, value), value.low, value.high), decimals=value.decimals)
        new = self._layers.define(f"new_{field.name}", made)
        if value.undefined:
            sentence = f"Rule {rule.name} cannot set {field.name}: {NO_VALUE}."
            self._trouble(f"{flag.code} AND {new.code} IS NULL", (flag,), sentence, new)
        allowed = self._allowed(field, node, new)
        test = self._integers.made(f"({allowed})" if allowed else f"({new.code} IS NOT NULL)", (new,), 0, 0)
        test = self._layers.define("fine", test)
        if allowed:
            sentence = f"Rule {rule.name} cannot set {field.name}: the value is outside what is declared."
            self._trouble(f"{test.code} IS FALSE", (), sentence, test)
        return Pending(replace(test, undefined=True), self._within(field, replace(new, undefined=False)))

    def _held(self, field: Field, value: Term) -> Term:
        """Give a value as the field holds it: with its decimals, or as its code."""
        if field.kind == "number":
            return self._integers.at(value, field.decimals)
        codes = self._present[field.name].codes
        if codes:
            assert isinstance(value.constant, str), "a coded field is only given texts of the program"
            return replace(whole(codes.index(value.constant)), codes=codes)
        return self._expressions.decoded(value) if field.kind == "text" else value

    def _allowed(self, field: Field, node: Expr, value: Term) -> str:
        """Write the test of the declared range or enum; empty when the value cannot leave it."""
        if field.values and not isinstance(node, Const):
            return f"{value.code} IN ({', '.join(quoted(one) for one in field.values)})"
        if not field.checked or field.low is None or field.high is None:
            return ""
        low, high = (int(EXACT.scaleb(bound, field.decimals)) for bound in (field.low, field.high))
        return "" if low <= value.low and value.high <= high else f"{value.code} BETWEEN {low} AND {high}"

    def _within(self, field: Field, value: Term) -> Term:
        if not field.checked or field.low is None or field.high is None:
            return value
        low, high = (int(EXACT.scaleb(bound, field.decimals)) for bound in (field.low, field.high))
        start = literal(_default(field), field.decimals).low
        return replace(value, low=min(max(low, value.low), start), high=max(min(high, value.high), start))

    def _read(self, name: str) -> Term:
        """Give the present column of a field; writes that wait for it become one CASE."""
        waiting = self._pending.pop(name, [])
        if not waiting:
            return self._present[name]
        before = self._present[name]
        while waiting and waiting[0].value.code == before.code:
            del waiting[0]  # it would write what is there
        if not waiting:
            return before
        terms = [before, *(one.value for one in waiting)]
        if self._fields[name].kind == "bool" and all(_fixed(one) for one in waiting):
            self._present[name] = self._switched(name, before, waiting)
            return self._present[name]
        cases = " ".join(f"WHEN {one.flag.code} THEN {one.value.code}" for one in reversed(waiting))
        code = f"CASE {cases} ELSE {before.code} END"
        field = self._fields[name]
        if field.kind == "number" and all(one.constant is not None for one in terms):
            code = f"CAST({code} AS BIGINT)"
        parts = (*terms, *(one.flag for one in waiting))
        low, high = min(one.low for one in terms), max(one.high for one in terms)
        made = self._integers.made(code, parts, low, high, field.decimals)
        made = replace(made, undefined=False, codes=before.codes)
        if made.wide:
            made = self._integers.slim(made)
        self._present[name] = self._layers.define(name, made)
        return self._present[name]

    def _switched(self, name: str, before: Term, waiting: list[Pending]) -> Term:
        """Write a bool that is only switched on and off, without CASE."""
        code = before.code
        for one in waiting:
            if one.value.constant is True:
                code = one.flag.code if code == "FALSE" else f"({code} OR {one.flag.code})"
            elif code != "FALSE":
                code = f"({code} AND NOT {one.flag.code})"
        return self._layers.column(name, self._integers.made(code, (before, *(one.flag for one in waiting)), 0, 0))

    def _trouble(self, code: str, parts: tuple[Term, ...], sentence: str, last: Term) -> None:
        test = self._integers.made(code, (*parts, replace(last, undefined=False)), 0, 0)
        self.troubles.append(Trouble(test, sentence))


def _fixed(one: Pending) -> bool:
    return isinstance(one.value.constant, bool) and not one.flag.undefined


NO_VALUE = "division by zero, a text longer than the limit, or letters beyond ASCII that SQL cannot change"
"""What a NULL can mean; the reference engine says which."""


def coded_fields(program: Program) -> dict[str, tuple[str, ...]]:
    """Give the text outputs that only ever hold texts of the program, with these texts: they are held as numbers.

    Numbers are compared and copied a good deal quicker than texts.
    """
    found: dict[str, tuple[str, ...] | None] = {}
    for one in program.outputs:
        if one.kind == "text" and isinstance(one.default, str):
            found[one.name] = (one.default,)
    for rule in program.rules:
        for write in rule.writes:
            codes = found.get(write.target)
            if codes is None:
                continue
            text = write.value.value if isinstance(write.value, Const) else None
            if not isinstance(text, str):
                found[write.target] = None
            elif text not in codes:
                found[write.target] = (*codes, text)
    return {name: codes for name, codes in found.items() if codes is not None}


def _start(one: Field, codes: tuple[str, ...]) -> Term:
    """Give what an output holds before any rule fires."""
    if codes:
        return replace(whole(0), codes=codes)
    value = _default(one)
    return literal(value, one.decimals) if one.kind == "number" else literal(value)


def _default(one: Field) -> Value:
    assert one.default is not None, "every output has a default"
    return one.default
