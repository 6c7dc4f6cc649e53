"""Pass 3: what a text asks for beyond one set of fields, with the reason, so that the scalar engines refuse it by name.

A text with none of this is scalar: row, columns, SQL and the proofs run it. Everything else runs on the agenda and on
the network, except what `NEVER` lists: no engine runs that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from restock.engine.rules.errors import Place, RuleError, SourceText, nearest
from restock.engine.rules.infer import AVERAGES, ROUNDING
from restock.engine.rules.syntax import (
    Action,
    ActionCall,
    Append,
    Assignment,
    Binary,
    Call,
    Element,
    Expression,
    Items,
    Log,
    MethodCall,
    Name,
    Rule,
    RulebookSyntax,
    children,
)
from restock.engine.rules.syntax_patterns import (
    Accumulate,
    Bind,
    Multifield,
    Null,
    Pattern,
    Quantified,
    Stream,
    Where,
)

RUNS_ELSEWHERE: Final = "that runs on the agenda and the network (FactRulebook)"

ATTRIBUTE_REASONS: Final = {
    "lock-on-active": "one pass has no agenda groups",
    "agenda-group": "one pass has no agenda groups; order rules by salience",
    "activation-group": "one pass has no activation groups; make the conditions exclude one another",
    "date-effective": "one pass knows no date",
    "date-expires": "one pass knows no date",
    "auto-focus": "one pass has no agenda groups",
    "ruleflow-group": "one pass has no agenda groups; order rules by salience",
}
"""Why a straight pass cannot have the attribute."""

NEVER_CALLED: Final = {
    "now": "A rule has no clock; give the date as an input.",
    "random": "A rule has no randomness: the same facts give the same decision.",
    "format": "A rule does not format; whoever shows a value does.",
    "print": "A rule decides and prints nothing; an explanation tells what fired.",
    "log": "Log stands among the actions; a condition says nothing.",
    "split": "A rule does not take texts apart; give the parts as a list of a fact.",
    "join": "'+' joins two texts: a + b.",
    "avg": "'avg' divides, so it stands only directly inside round, floor or ceil: round(avg(a, b), 2).",
    "average": "'average' divides, so it stands only directly inside round, floor or ceil: round(avg(a, b), 2).",
}
"""Functions of the published language that no engine runs, and why."""

NEVER_DONE: Final = {
    "ScheduleRule": "A rule cannot schedule another; the flow decides when to evaluate.",
    "CompleteWorkflow": "A rule only decides; the flow acts.",
    "SetWorkflowData": "A rule only decides; set an output field instead.",
}
"""Actions of the published language that no engine runs, and why."""

ACTIONS: Final = ("retract", "ActivateAgendaGroup", "Log")
"""Actions that are calls and run, on the engine that can."""

LOGGING: Final = ("LogMessage", "Request", "Print", "Debug")
"""Actions of a query's answer that say something and change nothing."""

Finding = tuple[Place, str, str]
"""A place, what is there and why it is refused, and the nearest right name."""


def never(source: SourceText, syntax: RulebookSyntax) -> list[RuleError]:
    """Give an error for everything that no engine runs."""
    found: list[Finding] = []
    for rule in syntax.rules:
        found += _never_in(rule.condition)
        for action in rule.actions:
            found += _never_done(action)
    for query in syntax.queries:
        for action in (action for _, actions in query.answers for action in actions):
            if not isinstance(action, ActionCall) or action.name not in LOGGING:
                found += _never_done(action)
    return [source.error(place, message, suggestion) for place, message, suggestion in found]


def scalar_refusals(source: SourceText, syntax: RulebookSyntax) -> list[RuleError]:
    """Give an error for each thing that the scalar engines cannot run; empty when the text is scalar."""
    found = [finding for rule in syntax.rules for finding in _beyond_scalar(rule)]
    return [source.error(place, message, suggestion) for place, message, suggestion in found]


def first_beyond(source: SourceText, syntax: RulebookSyntax) -> RuleError | None:
    """Give the first thing of a text that only rules over facts have, a query included; None when it is scalar."""
    for error in scalar_refusals(source, syntax):
        return error
    for query in syntax.queries:
        return source.error(query.place, f"Queries ('{query.name}') are answered backwards; {RUNS_ELSEWHERE}.")
    return None


def needs_facts(rule: Rule) -> bool:
    """Tell whether a rule looks over facts or lists, so that it is no scalar rule whatever its attributes."""
    return any(True for _ in _facts_in(rule))


def _beyond_scalar(rule: Rule) -> Iterator[Finding]:
    for attribute in rule.attributes:
        if attribute.value is not False:
            reason = f"'{attribute.name}' is not supported here: {ATTRIBUTE_REASONS[attribute.name]}; {RUNS_ELSEWHERE}."
            yield attribute.place, reason, ""
    for action in rule.actions:
        if isinstance(action, ActionCall) and action.name == "ActivateAgendaGroup":
            yield action.place, f"One pass has no agenda groups; {RUNS_ELSEWHERE}.", ""
    yield from _facts_in(rule)


def _facts_in(rule: Rule) -> Iterator[Finding]:
    yield from _facts(rule.condition)
    for action in rule.actions:
        match action:
            case Assignment():
                yield from _facts(action.value)
                yield from _object(action.target, action.place)
            case Append():
                yield action.place, f"'+=' appends to a list: {RUNS_ELSEWHERE}; for numbers write x = x + 1.", ""
            case MethodCall():
                yield action.place, _method(action.target, action.method), ""
            case ActionCall(name="retract"):
                yield action.place, f"'retract' removes a fact; {RUNS_ELSEWHERE}.", ""


def _facts(node: Expression) -> Iterator[Finding]:
    """Give what is beyond scalar in an expression, outermost first and nothing inside it again."""
    if isinstance(node, Binary) and node.operator in ("==", "!=") and isinstance(node.right, Null):
        yield from _facts(node.left)
        return
    if isinstance(node, Element):
        yield node.place, f"{_named(node)}; {RUNS_ELSEWHERE}.", ""
        return
    if isinstance(node, Name):
        yield from _object(node.name, node.place)
    if isinstance(node, Binary) and node.operator == "in" and not isinstance(node.right, Items):
        yield (
            node.right.place,
            f"Only a list in brackets stands behind 'in' here; with a list field {RUNS_ELSEWHERE}.",
            "",
        )
    for child in children(node):
        yield from _facts(child)


def _object(name: str, place: Place) -> Iterator[Finding]:
    if name[:1] in "$?":
        yield place, f"Objects ('{name}') are facts; {RUNS_ELSEWHERE}; use the field's name here.", ""


def _named(node: Element) -> str:
    match node:
        case Null():
            return "null stands only behind == or !=, and asks whether a value is there"
        case Pattern():
            return f"Typed patterns ('{node.type}(...)') look over many facts"
        case Quantified() if node.word == "not":
            return "'not(...)' looks over many facts ('!' negates a condition)"
        case Quantified():
            return f"'{node.word}' looks over many facts; a decision has one set of fields"
        case Accumulate():
            return "'accumulate' looks over many facts; give the sum as an input"
        case Multifield():
            return f"Lists of values ('{node.variable if node.word == 'all' else node.word}') belong to facts"
        case Stream():
            return "Streams ('from stream') are many facts in time"
        case Bind():
            return f"'{node.variable}: {node.path}' names a field inside a typed pattern"
        case Where():
            return "WHERE belongs to the goal of a query"
        case _:
            raise AssertionError("every element is known")


def _method(target: str, method: str) -> str:
    return f"Methods ('{target}.{method}(...)') are not called from a rule; set a field: {target}.name = value."


def _never_in(node: Expression) -> Iterator[Finding]:
    if isinstance(node, Call) and node.function in NEVER_CALLED:
        yield node.place, NEVER_CALLED[node.function], ""
    if isinstance(node, Multifield) and node.word == "collect":
        yield node.place, "'collect' is not supported: use accumulate, or the list itself.", ""
    inner = node.arguments[0] if isinstance(node, Call) and node.function in ROUNDING and node.arguments else None
    if isinstance(node, Call) and isinstance(inner, Call) and inner.function in AVERAGES:
        node = replace(node, arguments=(*inner.arguments, *node.arguments[1:]))
    for child in children(node):
        yield from _never_in(child)


def _never_done(action: Action) -> Iterator[Finding]:
    match action:
        case Assignment() | Append():
            yield from _never_in(action.value)
        case MethodCall():
            if not action.method.startswith("set") or len(action.method) == 3 or len(action.arguments) != 1:
                yield action.place, _method(action.target, action.method), ""
        case ActionCall():
            if action.name in NEVER_DONE:
                yield action.place, NEVER_DONE[action.name], ""
            elif action.name not in ACTIONS:
                message = f"There is no action '{action.name}'; rules decide and never act."
                yield action.place, message, nearest(action.name, ACTIONS)
        case Log():
            pass
