"""The row engine: one generated Python function over scaled integers, one straight pass, for proved rule sets.

An input or output number n with d decimals is the integer n x 10^d. Decimals of every expression are known when the
code is made, so the code holds only integer operations; Python integers never wrap. The function takes the inputs by
position and returns the outputs and, last, a bit mask of the rules that fired (bit i: rule i in firing order).

It raises ZeroDivisionError or OverflowError where the reference engine raises RuleError; `rulebook` then asks the
reference for the sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from restock.engine.rules.arithmetic import divide, join_texts, remainder
from restock.engine.rules.errors import SourceText
from restock.engine.rules.guards import Held, Run, runs
from restock.engine.rules.ir import Const, Field, Program, RuleIR, Value, Write
from restock.engine.rules.row_expressions import RowExpressions, literal, scaled_constant

RowValue = int | bool | str
RowFunction = Callable[..., tuple[RowValue, ...]]


@dataclass(frozen=True)
class RowProgram:
    """The compiled function with what its positions mean; `code` is the generated Python text."""

    function: RowFunction
    code: str
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    rules: tuple[str, ...]

    def fired(self, mask: int) -> tuple[str, ...]:
        """Give the names in a mask of fired rules, in firing order."""
        return tuple(name for position, name in enumerate(self.rules) if mask >> position & 1)


def compile_row(source: SourceText, program: Program, inputs: tuple[Field, ...]) -> RowProgram:
    """Generate and compile the function for a program that one pass decides; `inputs` are its parameters in order."""
    writer = _Writer(source, program, inputs)
    code = writer.text()
    namespace: dict[str, object] = {"divide": divide, "remainder": remainder, "join_texts": join_texts}
    namespace |= writer.tables
    exec(compile(code, f"<row of {source.name}>", "exec"), namespace)  # noqa: S102 - generated from the IR, names numbered
    function = cast(RowFunction, namespace["row"])
    return RowProgram(function, code, inputs, program.outputs, tuple(rule.name for rule in program.rules))


def start_value(field: Field) -> Value:
    """Give what an output holds before any rule fires."""
    assert field.default is not None, "every output has a default"
    return field.default


class _Writer:
    def __init__(self, source: SourceText, program: Program, inputs: tuple[Field, ...]) -> None:
        self._program = program
        self._inputs = inputs
        names = {one.name: f"i{at}" for at, one in enumerate(inputs)}
        names |= {one.name: f"o{at}" for at, one in enumerate(program.outputs)}
        self._names: Final = names
        self._fields = program.fields()
        self._expressions = RowExpressions(source, self._fields, names)
        self.tables: dict[str, dict[Held, int]] = {}

    def text(self) -> str:
        """Write the whole function."""
        lines = [f"def row({', '.join(self._names[one.name] for one in self._inputs)}):"]
        for one in self._program.outputs:
            lines.append(f"    {self._names[one.name]} = {scaled_constant(start_value(one), one.decimals)}")
        lines.append("    fired = 0")
        for part in runs(self._program.rules, {one.name: one for one in self._inputs}):
            lines += self._run(part) if isinstance(part, Run) else self._rule(part[1], part[0])
        results = [self._names[one.name] for one in self._program.outputs]
        lines.append(f"    return ({', '.join([*results, 'fired'])},)")
        return "\n".join(lines) + "\n"

    def _run(self, run: Run) -> list[str]:
        """Look the value up once, then choose by halves."""
        name = f"cases{len(self.tables)}"
        self.tables[name] = {value: at for at, value in enumerate(run.cases)}
        cases = [
            [line for position, rule in case for line in self._rule(rule, position)] for case in run.cases.values()
        ]
        lines = [f"    at = {name}.get({self._names[run.field]})", "    if at is not None:"]
        return lines + [f"    {line}" for line in _halves(cases, 0)]

    def _rule(self, rule: RuleIR, position: int) -> list[str]:
        lines = [f"    if {self._expressions.condition(rule.condition)}:"]
        for write in rule.writes:
            lines += [f"        {line}" for line in self._write(write)]
        return [*lines, f"        fired += {literal(1 << position)}"]

    def _write(self, write: Write) -> list[str]:
        field, name = self._fields[write.target], self._names[write.target]
        lines = [f"{name} = {self._expressions.assigned(field, write.value)}"]
        if field.low is not None and field.high is not None and self._expressions.may_leave(field, write.value):
            low, high = (scaled_constant(bound, field.decimals) for bound in (field.low, field.high))
            lines += [f"if not {low} <= {name} <= {high}:", "    raise OverflowError"]
        if field.values and not isinstance(write.value, Const):
            lines += [f"if {name} not in {field.values!r}:", "    raise OverflowError"]
        return lines


def _halves(cases: list[list[str]], first: int) -> list[str]:
    """Write a choice among cases by their number, which begins at `first`."""
    if len(cases) == 1:
        return cases[0]
    half = len(cases) // 2
    lower, upper = _halves(cases[:half], first), _halves(cases[half:], first + half)
    indented = [f"    {line}" for line in lower], [f"    {line}" for line in upper]
    return [f"    if at < {first + half}:", *indented[0], "    else:", *indented[1]]
