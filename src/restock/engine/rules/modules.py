"""The program of one module: only its rules, with what other modules decide as inputs.

An order of several lines is decided once more on the sum of its lines: the ORDER rules then take total_amount from the
facts, although in a single decision a LINE rule writes it.
"""

from __future__ import annotations

from dataclasses import replace

from restock.engine.rules.errors import SourceText
from restock.engine.rules.ir import Field, Program, fields_read
from restock.engine.rules.limits import UNDECLARED_LIMIT
from restock.engine.rules.ranges import measure


def module_program(source: SourceText, program: Program, module: str) -> Program:
    """Cut the module out. A field that it reads and others write becomes an input; its own outputs keep their defaults.

    A field that both it and others write is only an output: each module then decides it from its own rules.
    """
    rules = tuple(rule for rule in program.rules if rule.module == module)
    own = {target for rule in rules for target in rule.targets}
    elsewhere = {target for rule in program.rules if rule.module != module for target in rule.targets}
    read = fields_read(*(node for rule in rules for node in (rule.condition, *(w.value for w in rule.writes))))
    outputs = [one for one in program.outputs if one.name in own]
    taken = [_as_input(one) for one in program.outputs if one.name in read and one.name in elsewhere - own]
    taken += [_as_input(one) for one in program.outputs if one.name in read and one.name not in elsewhere | own]
    fields = {one.name: one for one in (*program.inputs, *taken)}
    fields |= {one.name: _unmeasured(one) for one in outputs}
    measured = measure(source, fields, rules).fields.values()
    inputs = tuple(one for one in measured if one.role == "input")
    return Program(inputs, tuple(one for one in measured if one.role == "output"), rules)


def _as_input(one: Field) -> Field:
    if one.kind != "number":
        return replace(one, role="input", default=None, checked=False)
    low, high = one.low, one.high
    if not one.declared or low is None or high is None:
        low, high = -UNDECLARED_LIMIT, UNDECLARED_LIMIT
    return replace(one, role="input", default=None, checked=False, low=low, high=high)


def _unmeasured(one: Field) -> Field:
    return one if one.declared else replace(one, decimals=0, low=None, high=None)
