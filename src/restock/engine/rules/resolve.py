"""Passes 3 to 6 in order: syntax to a typed program. Everything wrong in the text is collected, one error a rule at least.

A text that declares inputs must declare all of them; one that declares none has them inferred from use: what is read
and never written is an input, one that may be absent where a rule asks for it, what is written is an output that starts
at 0, false or "".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from restock.engine.rules.absence import guarded, refuse_unasked, there, with_presence
from restock.engine.rules.beyond import never, scalar_refusals
from restock.engine.rules.declarations import Declared, read_declarations
from restock.engine.rules.errors import Problems, RuleError, SourceText
from restock.engine.rules.infer import infer_kinds
from restock.engine.rules.ir import Claim, Expr, Field, Program, RuleIR, Write, conjuncts, fields_read
from restock.engine.rules.limits import MAX_ERRORS
from restock.engine.rules.module_rules import check_modules
from restock.engine.rules.names import inferred_fields
from restock.engine.rules.printer import print_expression
from restock.engine.rules.ranges import Ranges, measure
from restock.engine.rules.syntax import Assignment, Binary, Expression, Rule, RulebookSyntax
from restock.engine.rules.typed import ExpressionTyper


@dataclass(frozen=True)
class Resolved:
    """A typed program, and why int64 cannot hold its numbers (empty: it can)."""

    program: Program
    int64: str


def resolve(source: SourceText, syntax: RulebookSyntax) -> Resolved:
    """Give the program its names, kinds, decimals and ranges. Raises Problems with every error found."""
    errors = [*never(source, syntax), *scalar_refusals(source, syntax)]
    if errors:
        raise Problems(errors[:MAX_ERRORS])
    declared = read_declarations(source, syntax, errors)
    check_names(source, syntax, errors)
    check_modules(source, syntax, errors)
    known = {name: one.kind for name, one in declared.fields.items()}
    kinds = infer_kinds(known, syntax.rules, [])
    fields = inferred_fields(source, syntax, declared, kinds, errors)
    fields = with_presence(fields)
    kinds = {name: one.kind for name, one in fields.items()}
    absent = {one.presence_of for one in fields.values() if one.presence_of}
    typer = ExpressionTyper(source, kinds, {name: one.values for name, one in fields.items()}, absent)
    fields = derive_defaults(source, declared, fields, typer, errors)
    rules = _typed_rules(source, syntax, fields, typer, errors)
    assumed = _claims(declared, "assume", typer, asked_of(fields), errors)
    invariants = _claims(declared, "invariant", typer, asked_of(fields), errors)
    if errors:
        raise Problems(errors[:MAX_ERRORS])
    return _measured(source, fields, rules, assumed, invariants)


def _measured(
    source: SourceText,
    fields: dict[str, Field],
    rules: list[RuleIR],
    assumed: tuple[Claim, ...],
    invariants: tuple[Claim, ...],
) -> Resolved:
    ordered = tuple(sorted(rules, key=lambda rule: -rule.salience))
    try:
        ranges = measure(source, _with_helpers(fields, ordered), ordered)
        filled = ranges.fields.values()
        inputs = tuple(one for one in filled if one.role == "input")
        program = Program(inputs, tuple(one for one in filled if one.role == "output"), ordered, assumed, invariants)
        _refuse_overflow(source, program, ranges)
    except RuleError as error:
        raise Problems([error]) from None
    return Resolved(program, ranges.int64())


def _with_helpers(fields: dict[str, Field], rules: tuple[RuleIR, ...]) -> dict[str, Field]:
    """Mark the inputs that only serve to compute others."""
    read = fields_read(*(node for rule in rules for node in (rule.condition, *(w.value for w in rule.writes))))
    served = fields_read(*(one.derived for one in fields.values() if one.derived is not None and one.name in read))
    return {name: replace(one, helper=name in served and name not in read) for name, one in fields.items()}


def _refuse_overflow(source: SourceText, program: Program, ranges: Ranges) -> None:
    """Refuse numbers past int64 when the text declares every input that rules read; else the author did not ask."""
    read = fields_read(*(node for rule in program.rules for node in (rule.condition, *(w.value for w in rule.writes))))
    numbers = [one for one in program.inputs if one.name in read and one.kind == "number"]
    if numbers and all(one.declared for one in numbers) and ranges.widest.scaled is not None and ranges.int64():
        message = ranges.int64().partition(": ")[2]
        raise source.error(ranges.widest.place, message[0].upper() + message[1:])


def check_names(source: SourceText, syntax: RulebookSyntax, errors: list[RuleError]) -> None:
    """Refuse two rules of one name."""
    seen: dict[str, int] = {}
    for rule in syntax.rules:
        if rule.name in seen:
            message = f"There is already a rule '{rule.name}' at line {seen[rule.name]}."
            errors.append(source.error(rule.place, message))
        seen.setdefault(rule.name, rule.place.line)


def derive_defaults(
    source: SourceText,
    declared: Declared,
    fields: dict[str, Field],
    typer: ExpressionTyper,
    errors: list[RuleError],
) -> dict[str, Field]:
    """Type the defaults that compute one input from others."""
    result = dict(fields)
    for name, expression in declared.derived.items():
        if name not in fields:
            continue
        try:
            derived = typer.assigned(name, expression)
            for other in fields_read(derived):
                read = fields[other]
                if read.role != "input" or other in declared.derived or read.absent or read.presence_of:
                    message = f"A default may read plain inputs; '{other}' is not one."
                    raise source.error(expression.place, message)
            result[name] = replace(fields[name], derived=derived)
        except RuleError as error:
            errors.append(error)
    return result


def _typed_rules(
    source: SourceText,
    syntax: RulebookSyntax,
    fields: dict[str, Field],
    typer: ExpressionTyper,
    errors: list[RuleError],
) -> list[RuleIR]:
    found: list[RuleIR] = []
    asked = asked_of(fields)
    for rule in syntax.rules:
        if len(errors) >= MAX_ERRORS:
            break
        try:
            condition, tests = _condition(rule, typer, asked)
        except RuleError as error:
            errors.append(error)
            continue
        writes: list[Write] = []
        for action in rule.actions:
            if isinstance(action, Assignment) and action.target in fields:
                try:
                    value = typer.assigned(action.target, action.value)
                    refuse_unasked(source, rule.name, value, asked, (condition,))
                    writes.append(Write(action.target, value, action.place))
                except RuleError as error:
                    errors.append(error)
        assert len(tests) == len(conjuncts(condition)), "texts and conjuncts belong together"
        found.append(_rule(rule, RuleIR("", 0, False, "", condition, tuple(writes), "", tests)))
    return found


def asked_of(fields: dict[str, Field]) -> dict[str, Expr]:
    """Give for each input that may be absent what asks whether it is there."""
    return {one.presence_of: there(one.presence_of) for one in fields.values() if one.presence_of}


def _condition(rule: Rule, typer: ExpressionTyper, asked: dict[str, Expr]) -> tuple[Expr, tuple[str, ...]]:
    """Give a rule's condition, and the text of each of its parts; a part asked before another is told as what it asks."""
    condition = guarded(typer.condition(rule.condition), asked)
    tests: list[str] = []
    for part in _written_conjuncts(rule.condition):
        text = print_expression(part)
        *before, _ = conjuncts(guarded(typer.condition(part), asked)) if asked else [condition]
        tests += [*(fields_read(one)[0] for one in before), text]
    return condition, tuple(tests)


def _rule(rule: Rule, typed: RuleIR) -> RuleIR:
    return RuleIR(
        rule.name,
        rule.salience,
        rule.no_loop,
        rule.module,
        typed.condition,
        typed.writes,
        rule.description,
        typed.tests,
        rule.place,
    )


def _written_conjuncts(condition: Expression) -> tuple[Expression, ...]:
    if isinstance(condition, Binary) and condition.operator == "&&":
        return (*_written_conjuncts(condition.left), *_written_conjuncts(condition.right))
    return (condition,)


def _claims(
    declared: Declared, word: str, typer: ExpressionTyper, asked: dict[str, Expr], errors: list[RuleError]
) -> tuple[Claim, ...]:
    found: list[Claim] = []
    for claim in declared.claims:
        if claim.word == word:
            try:
                found.append(Claim(claim.text, guarded(typer.condition(claim.condition), asked), claim.place))
            except RuleError as error:
                errors.append(error)
    return tuple(found)
