"""Pass 4b for facts: the rules with names in full, and what their use tells about the types of facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from restock.engine.rules.errors import Place, RuleError, SourceText
from restock.engine.rules.fact_scopes import Gathered, Grouped, Matched, Scope, Scoped, ScopeReader
from restock.engine.rules.limits import MAX_ERRORS
from restock.engine.rules.syntax import (
    Append,
    Assignment,
    Binary,
    Call,
    Expression,
    Literal,
    MethodCall,
    Name,
    Rule,
    RulebookSyntax,
    Unary,
    children,
    rebuilt,
)
from restock.engine.rules.syntax_patterns import Null


@dataclass
class Setting:
    """An assignment or an appending with variable and field apart, and names in full."""

    variable: str
    field: str
    value: Expression
    appends: bool
    place: Place


@dataclass
class Draft:
    """One alternative of a rule with names in full; `types` has every fact variable, those inside groups too."""

    rule: Rule
    alternative: int
    conditions: list[Scoped]
    scope: Scope
    settings: dict[int, Setting]
    types: dict[str, str]

    def canonical(self, name: str) -> str:
        """Give a read name with the type in the place of the variable."""
        head, dot, rest = name.partition(".")
        return f"{self.types[head].partition('~')[0]}.{rest}" if dot and head in self.types else name

    def of_fact(self, name: str) -> bool:
        """Tell whether a read name is a field of a fact."""
        return name.partition(".")[0] in self.types


@dataclass
class Drafts:
    """All rules, and what their names tell: fields of facts with their first places, lists, what may be absent."""

    rules: list[Draft] = field(default_factory=list)
    types: dict[str, None] = field(default_factory=dict)
    streams: set[str] = field(default_factory=set)
    fact_fields: dict[str, Place] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)
    lists: set[str] = field(default_factory=set)
    optional: set[str] = field(default_factory=set)
    kinded: set[str] = field(default_factory=set)
    gathers: set[str] = field(default_factory=set)
    undecided: set[str] = field(default_factory=set)

    def pseudo_rules(self) -> list[Rule]:
        """Give scalar rules that use every field as the real ones do, with types in the place of variables."""
        found: list[Rule] = []
        true = Literal(True)
        for draft in self.rules:
            for test in tests_in(draft.conditions):
                found.append(Rule(draft.rule.name, self._canonical(draft, test), (), place=draft.rule.place))
            for one in draft.settings.values():
                target = draft.canonical(f"{one.variable}.{one.field}" if one.variable else one.field)
                action = Assignment(target, self._canonical(draft, one.value), one.place)
                found.append(Rule(draft.rule.name, true, (action,), place=draft.rule.place))
        return found

    def _canonical(self, draft: Draft, node: Expression) -> Expression:
        """Write types for variables; a list stands for one of its values, its length for a number."""
        match node:
            case Name():
                return replace(node, name=draft.canonical(node.name))
            case Binary(right=Null(), left=Name() as asked) if not draft.of_fact(asked.name):
                return Call("has", (asked,), node.place)
            case Binary(right=Null()):
                return Literal(True, node.place)
            case Call(function="has", arguments=(Name() as asked,)) if not draft.of_fact(asked.name):
                return node
            case Binary(operator="in", right=Name()):
                left, right = self._canonical(draft, node.left), self._canonical(draft, node.right)
                return Binary("==", left, right, node.place)
            case Call(function="has" | "#empty"):
                return Literal(True, node.place)
            case Call(function="#count"):
                return Call("length", (Literal(""),), node.place)
            case Call(function="#first" | "#last"):
                return self._canonical(draft, node.arguments[0])
            case _:
                return rebuilt(node, lambda part: self._canonical(draft, part))


def draft_rules(source: SourceText, syntax: RulebookSyntax, reader: ScopeReader, errors: list[RuleError]) -> Drafts:
    """Read the names of every rule; what is wrong is added to `errors`."""
    drafts = Drafts()
    for rule in syntax.rules:
        if len(errors) >= MAX_ERRORS:
            break
        try:
            for at, (conditions, scope) in enumerate(reader.alternatives(rule.condition, Scope())):
                draft = Draft(rule, at, conditions, scope, {}, variables_in(conditions) | scope.types)
                draft.settings = dict(_settings(source, draft, reader))
                drafts.rules.append(draft)
        except RuleError as error:
            errors.append(error)
    for draft in drafts.rules:
        _learn(draft, drafts)
    errors += [_unmatched(source, name, place) for draft in drafts.rules for name, place in _outside(draft, drafts)]
    for draft in drafts.rules:
        draft.conditions = [_with_lists(one, draft, drafts.lists) for one in draft.conditions]
    drafts.streams = {kind.partition("~")[0] for draft in drafts.rules for kind in draft.types.values() if "~" in kind}
    return drafts


def _outside(draft: Draft, drafts: Drafts) -> Iterator[tuple[str, Place]]:
    """Give the names that look like a field of a fact where no pattern of the rule found one."""
    read = [*tests_in(draft.conditions), *(one.value for one in draft.settings.values())]
    names = [(one.name, one.place) for node in read for one in _names(node)]
    names += [(one.field, one.place) for one in draft.settings.values() if not one.variable]
    for name, place in names:
        head, dot, _ = name.partition(".")
        if dot and head in drafts.types and head not in draft.types:
            yield name, place


def _names(node: Expression) -> Iterator[Name]:
    if isinstance(node, Name):
        yield node
    for child in children(node):
        yield from _names(child)


def _unmatched(source: SourceText, name: str, place: Place) -> RuleError:
    kind, _, path = name.partition(".")
    message = (
        f"'{name}' is a field of a fact, and no pattern of this rule finds one; begin with $o: {kind}() && $o.{path}."
    )
    return source.error(place, message)


def _settings(source: SourceText, draft: Draft, reader: ScopeReader) -> Iterator[tuple[int, Setting]]:
    for at, action in enumerate(draft.rule.actions):
        if isinstance(action, Assignment | Append):
            variable, path = reader.target(action.target, action.place, draft.scope)
            if not variable and isinstance(action, Append):
                message = "'+=' appends to a list of a fact: $o.tags += value; for a number write x = x + 1."
                raise source.error(action.place, message)
            value = reader.full(action.value, draft.scope)
            yield at, Setting(variable, path, value, isinstance(action, Append), action.place)
        elif isinstance(action, MethodCall) and action.method.startswith("set") and len(action.arguments) == 1:
            name = action.method[3].lower() + action.method[4:]
            variable, path = reader.target(f"{action.target}.{name}", action.place, draft.scope)
            yield at, Setting(variable, path, reader.full(action.arguments[0], draft.scope), False, action.place)


def _learn(draft: Draft, drafts: Drafts) -> None:
    """Note what one rule tells about facts."""
    for kind in draft.types.values():
        drafts.types[kind.partition("~")[0]] = None
    drafts.lists |= {draft.canonical(name) for name in draft.scope.lists}
    for one in draft.settings.values():
        target = draft.canonical(f"{one.variable}.{one.field}" if one.variable else one.field)
        if one.variable:
            drafts.fact_fields.setdefault(target, one.place)
            drafts.written.add(target)
        if one.appends:
            drafts.lists.add(target)
            drafts.kinded.add(target)
        _learn_names(one.value, draft, drafts)
    for test in tests_in(draft.conditions):
        _learn_names(test, draft, drafts)
    drafts.gathers |= {one.name for one in _flattened(draft.conditions) if isinstance(one, Gathered)}


def _learn_names(node: Expression, draft: Draft, drafts: Drafts) -> None:
    if isinstance(node, Name) and draft.of_fact(node.name):
        drafts.fact_fields.setdefault(draft.canonical(node.name), node.place)
    if isinstance(node, Binary) and node.operator == "in" and isinstance(node.right, Name):
        drafts.lists.add(draft.canonical(node.right.name))
        drafts.kinded.add(draft.canonical(node.right.name))
    asked = node.left if isinstance(node, Binary) and isinstance(node.right, Null) else None
    if isinstance(node, Call) and node.function == "has" and node.arguments:
        asked = node.arguments[0]
    if isinstance(node, Call) and node.function in ("#first", "#last") and isinstance(node.arguments[0], Name):
        drafts.kinded.add(draft.canonical(node.arguments[0].name))
    if isinstance(asked, Name) and draft.of_fact(asked.name):
        drafts.optional.add(draft.canonical(asked.name))
    for child in children(node):
        _learn_names(child, draft, drafts)


def _with_lists(node: Scoped, draft: Draft, lists: set[str]) -> Scoped:
    """Turn `list contains value` into `value in list` where the left side is a list."""
    match node:
        case Matched() | Gathered():
            return replace(node, tests=[_contains(test, draft, lists) for test in node.tests])
        case Grouped():
            return Grouped(node.negated, [[_with_lists(one, draft, lists) for one in part] for part in node.branches])
        case _:
            return _contains(node, draft, lists)


def _contains(node: Expression, draft: Draft, lists: set[str]) -> Expression:
    match node:
        case Binary(operator="contains", left=Name() as left) if draft.canonical(left.name) in lists:
            return Binary("in", node.right, left, node.place)
        case _:
            return rebuilt(node, lambda part: _contains(part, draft, lists))


def _flattened(conditions: list[Scoped]) -> Iterator[Scoped]:
    for one in conditions:
        yield one
        if isinstance(one, Grouped):
            for branch in one.branches:
                yield from _flattened(branch)


def tests_in(conditions: list[Scoped]) -> Iterator[Expression]:
    """Give every test of conditions, groups included; the value of a gather as minus itself, which makes it a number."""
    for one in _flattened(conditions):
        match one:
            case Matched():
                yield from one.tests
            case Gathered():
                yield from one.tests
                if one.function != "count":
                    yield Binary(">", one.value, Unary("-", one.value), one.place)
            case Grouped():
                pass
            case _:
                yield one


def variables_in(conditions: list[Scoped]) -> dict[str, str]:
    """Give the type of every fact variable, those of groups and gathers included."""
    return {one.variable: one.type for one in _flattened(conditions) if isinstance(one, Matched | Gathered)}
