"""Passes 4 to 6 for rules over facts: names, kinds and types of facts, to a `FactProgram`. Everything wrong is collected.

What is not said is inferred from use, as for scalar rules: a field's kind, that it is a list, that it may be absent. A type
of which the text declares a field (`input Order.amount: decimal(9,2);`) must declare all fields that rules use.
"""

from __future__ import annotations

from dataclasses import replace

from restock.engine.rules.absence import with_presence
from restock.engine.rules.beyond import never
from restock.engine.rules.declarations import Declared, read_declarations
from restock.engine.rules.errors import Problems, RuleError, SourceText
from restock.engine.rules.fact_names import Drafts, draft_rules
from restock.engine.rules.fact_rules import RuleTyper
from restock.engine.rules.fact_scopes import ScopeReader
from restock.engine.rules.infer import infer_kinds
from restock.engine.rules.ir import Field, Kind
from restock.engine.rules.ir_patterns import (
    FactField,
    FactProgram,
    FactRule,
    FactType,
    Window,
    WindowKind,
    action_reads_of,
    reads_of,
)
from restock.engine.rules.limits import MAX_ERRORS, UNDECLARED_DECIMALS, UNDECLARED_LIMIT
from restock.engine.rules.module_rules import check_modules
from restock.engine.rules.names import inferred_fields
from restock.engine.rules.query_rules import split_queries, with_queries
from restock.engine.rules.resolve import check_names, derive_defaults
from restock.engine.rules.syntax import RulebookSyntax
from restock.engine.rules.syntax_patterns import Stream
from restock.engine.rules.typed import ExpressionTyper

UNIT_MS = {"ms": 1, "s": 1000, "min": 60_000, "hour": 3_600_000}


def resolve_facts(source: SourceText, syntax: RulebookSyntax) -> FactProgram:
    """Give rules over facts their meaning. Raises Problems with every error found."""
    errors = never(source, syntax)
    declared = read_declarations(source, syntax, errors)
    check_names(source, syntax, errors)
    check_modules(source, syntax, errors)
    reader = ScopeReader(source)
    widened, variables = with_queries(source, syntax, errors)
    drafts = draft_rules(source, widened, reader, errors)
    if errors:
        raise Problems(errors[:MAX_ERRORS])
    known: dict[str, Kind] = {name: one.kind for name, one in declared.fields.items()}
    known |= dict.fromkeys(drafts.gathers, "number")
    pseudo = drafts.pseudo_rules()
    undecided: set[str] = set()
    kinds = infer_kinds(known, pseudo, [], undecided)
    drafts.undecided = {name for name in drafts.fact_fields if name in undecided or name not in kinds}
    kinds |= dict.fromkeys(drafts.undecided, "text")
    fields = _fields(source, syntax, declared, drafts, kinds, errors)
    kinds = {name: one.kind for name, one in fields.items()}
    drafts.optional |= {name for name, one in fields.items() if one.absent and name in drafts.fact_fields}
    fields = with_presence({name: _never_flat(name, one, drafts) for name, one in fields.items()})
    flat = ExpressionTyper(source, kinds, {name: one.values for name, one in fields.items()})
    fields = derive_defaults(source, declared, fields, flat, errors)
    rules = [rule for draft in drafts.rules for rule in RuleTyper(source, draft, drafts, fields, errors).rules()]
    if errors:
        raise Problems(errors[:MAX_ERRORS])
    rules.sort(key=lambda rule: -rule.salience)
    program = _program(syntax, tuple(rules), drafts, fields, reader.streams)
    return split_queries(syntax, program, variables)


def _fields(
    source: SourceText,
    syntax: RulebookSyntax,
    declared: Declared,
    drafts: Drafts,
    kinds: dict[str, Kind],
    errors: list[RuleError],
) -> dict[str, Field]:
    """Give all fields by full name, those of types included: they need no declaration unless their type has one."""
    declared_types = {name.partition(".")[0] for name in declared.fields if name.partition(".")[0] in drafts.types}
    for name, place in drafts.fact_fields.items():
        if name not in declared.fields and name.partition(".")[0] not in declared_types:
            role = "output" if name in drafts.written else "input"
            kind = kinds.get(name, "number")
            built = Field(name, "output" if role == "output" else "input", kind, place=place)
            if kind == "number":
                built = replace(built, decimals=UNDECLARED_DECIMALS, low=-UNDECLARED_LIMIT, high=UNDECLARED_LIMIT)
            declared.fields[name] = built
    for name in drafts.gathers:
        declared.fields[name] = Field(name, "output", "number")
    pseudo = RulebookSyntax(syntax.declarations, tuple(drafts.pseudo_rules()))
    return inferred_fields(source, pseudo, declared, kinds, errors)


def _never_flat(name: str, one: Field, drafts: Drafts) -> Field:
    """Leave what may be absent of facts to the facts, which know null; only flat inputs get a bool beside them."""
    return replace(one, absent=False) if name in drafts.fact_fields else one


def _program(
    syntax: RulebookSyntax,
    rules: tuple[FactRule, ...],
    drafts: Drafts,
    fields: dict[str, Field],
    streams: dict[str, Stream],
) -> FactProgram:
    windows = tuple(_window(kind, stream) for kind, stream in streams.items())
    typed: dict[str, list[FactField]] = {name: [] for name in drafts.types}
    for name, one in fields.items():
        kind, dot, path = name.partition(".")
        if dot and kind in typed:
            many = name in drafts.lists
            untyped = name in drafts.undecided or (many and name not in drafts.kinded)
            optional = name in drafts.optional and not many
            derived = name in drafts.written
            typed[kind].append(FactField(replace(one, name=path), many, optional, derived, untyped))
    types = [FactType(name, tuple(found)) for name, found in typed.items() if name not in drafts.streams]
    types += [FactType(window.type, tuple(typed.get(window.stream, []))) for window in windows]
    flat = {name: one for name, one in fields.items() if name not in drafts.fact_fields and name not in drafts.gathers}
    flat = {name: one for name, one in flat.items() if name.partition(".")[0] not in typed or "." not in name}
    read = {path for rule in rules for kind, path in reads_of(rule) | action_reads_of(rule) if not kind}
    inputs = [replace(one, helper=one.name not in read) for one in flat.values() if one.role == "input"]
    outputs = tuple(one for one in flat.values() if one.role == "output")
    return FactProgram(tuple(inputs), outputs, tuple(types), rules, windows, syntax.modules)


def _window(kind: str, stream: Stream) -> Window:
    window: WindowKind = "sliding"
    if stream.window in ("tumbling", "session"):
        window = "tumbling" if stream.window == "tumbling" else "session"
    return Window(kind, stream.stream, window, stream.amount * UNIT_MS.get(stream.unit, 1))
