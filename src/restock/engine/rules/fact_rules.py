"""Pass 5b for facts: one rule with kinds: conditions, actions and attributes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import cast

from restock.engine.rules.absence import guarded, presence, refuse_unasked, there
from restock.engine.rules.dates import FORMS, read_date
from restock.engine.rules.errors import Place, RuleError, SourceText, nearest
from restock.engine.rules.fact_names import Draft, Drafts, Setting, tests_in
from restock.engine.rules.fact_scopes import Gathered, Grouped, Matched, Scoped
from restock.engine.rules.fact_typer import FactTyper, always, needed
from restock.engine.rules.ir import Apply, Const, Expr, Field, Read, conjuncts
from restock.engine.rules.ir_patterns import (
    AppendTo,
    Check,
    Condition,
    FactAction,
    FactRule,
    Focus,
    Function,
    Gather,
    Group,
    Match,
    Remove,
    SetField,
)
from restock.engine.rules.syntax import MAIN, ActionCall, Expression, Literal, Name, children


class RuleTyper:
    """Types one alternative of a rule; what is wrong is added to `errors`."""

    def __init__(
        self, source: SourceText, draft: Draft, drafts: Drafts, fields: dict[str, Field], errors: list[RuleError]
    ) -> None:
        self._source = source
        self._draft = draft
        self._drafts = drafts
        self._errors = errors
        names = self._names()
        kinds = {name: fields[full].kind for name, full in names.items() if full in fields}
        allowed = {name: fields[full].values for name, full in names.items() if full in fields}
        flat = frozenset(name for name in names if presence(name) in fields)
        of_facts = frozenset(name for name, full in names.items() if full in drafts.fact_fields)
        self._typer = FactTyper(source, kinds, allowed, flat, of_facts)
        self._tests_held: list[Expr] = []
        self._asked: dict[str, Expr] = {name: there(name) for name in flat}
        self._asked |= {
            name: Apply("bool", "has", (Read("text", name),))
            for name, full in names.items()
            if name in of_facts and full in drafts.optional and full not in drafts.lists
        }
        self._flat = flat
        self._lists = {name for name, full in names.items() if full in drafts.lists}

    def _names(self) -> dict[str, str]:
        """Give every name that the rule uses with its full name."""
        draft = self._draft
        nodes: list[Expression] = [*tests_in(draft.conditions), *(one.value for one in draft.settings.values())]
        found: dict[str, str] = {}
        while nodes:
            node = nodes.pop()
            if isinstance(node, Name):
                found[node.name] = draft.canonical(node.name)
            nodes += children(node)
        for one in draft.settings.values():
            name = f"{one.variable}.{one.field}" if one.variable else one.field
            found[name] = draft.canonical(name)
        return found

    def rules(self) -> list[FactRule]:
        """Give the rule, or nothing when something in it is wrong."""
        before = len(self._errors)
        try:
            conditions = tuple(self._conditions(self._draft.conditions))
        except RuleError as error:
            self._errors.append(error)
            return []
        self._tests_held = [
            test
            for one in conditions
            if isinstance(one, Match | Check)
            for test in (one.tests if isinstance(one, Match) else (one.test,))
        ]
        actions: list[FactAction] = []
        for at in range(len(self._draft.rule.actions)):
            try:
                actions += self._action(at)
            except RuleError as error:
                self._errors.append(error)
        rule = self._rule(conditions, tuple(actions))
        return [rule] if len(self._errors) == before else []

    def _rule(self, conditions: tuple[Condition, ...], actions: tuple[FactAction, ...]) -> FactRule:
        rule = self._draft.rule
        found = {one.name: one for one in rule.attributes}
        texts = {name: one.value for name, one in found.items() if isinstance(one.value, str)}
        if "agenda-group" in texts and "ruleflow-group" in texts:
            self._report(found["ruleflow-group"].place, "A rule is in one group: agenda-group or ruleflow-group.")
        dates: dict[str, datetime] = {}
        for name in ("date-effective", "date-expires"):
            date = read_date(texts[name]) if name in texts else None
            if name in texts and date is None:
                self._report(found[name].place, f"'{texts[name]}' is no date; write {FORMS}.")
            elif date is not None:
                dates[name] = date
        return FactRule(
            rule.name,
            rule.salience,
            rule.no_loop,
            conditions,
            actions,
            dict(self._draft.scope.types),
            self._draft.alternative,
            rule.module,
            texts.get("agenda-group", texts.get("ruleflow-group", MAIN)),
            "lock-on-active" in found and found["lock-on-active"].value is True,
            "auto-focus" in found and found["auto-focus"].value is True,
            texts.get("activation-group", ""),
            dates.get("date-effective"),
            dates.get("date-expires"),
            rule.description,
            rule.place,
        )

    def _conditions(self, conditions: list[Scoped]) -> Iterator[Condition]:
        for one in conditions:
            match one:
                case Matched():
                    yield Match(one.variable, one.type, tuple(self._tests(one.tests)), one.place)
                case Gathered():
                    yield self._gather(one)
                case Grouped():
                    yield Group(one.negated, tuple(tuple(self._conditions(part)) for part in one.branches))
                case _:
                    for test in self._tests([one]):
                        yield Check(test)

    def _gather(self, one: Gathered) -> Gather:
        value: Expr = Const("number", Decimal(1))
        if one.function != "count":
            value = self._typer.typed(one.value, "number", f"'{one.function}' takes numbers")
        tests = (*needed(value, self._asked), *self._tests(one.tests))
        return Gather(one.name, one.type, one.variable, cast(Function, one.function), value, tests, one.place)

    def _tests(self, tests: list[Expression]) -> Iterator[Expr]:
        for written in tests:
            for test in conjuncts(guarded(self._typer.condition(written), self._asked)):
                if not always(test):
                    yield test

    def _action(self, at: int) -> Iterator[FactAction]:
        setting = self._draft.settings.get(at)
        if setting is not None:
            yield self._setting(setting)
            return
        action = self._draft.rule.actions[at]
        if not isinstance(action, ActionCall):
            return
        if action.name == "ActivateAgendaGroup":
            yield self._focus(action)
        elif action.name == "retract":
            yield self._remove(action)

    def _setting(self, one: Setting) -> FactAction:
        name = f"{one.variable}.{one.field}" if one.variable else one.field
        value = self._typer.assigned(name, one.value)
        refuse_unasked(self._source, self._draft.rule.name, value, self._flat, self._tests_held)
        if not one.variable:
            return SetField("", one.field, value, one.place)
        many = name in self._lists
        if one.appends:
            return AppendTo(one.variable, one.field, value, one.place)
        if many:
            raise self._source.error(one.place, f"'{name}' is a list; add to it: {name} += value.")
        return SetField(one.variable, one.field, value, one.place)

    def _focus(self, action: ActionCall) -> Focus:
        first = action.arguments[0] if len(action.arguments) == 1 else None
        if not isinstance(first, Literal) or not isinstance(first.value, str):
            raise self._source.error(action.place, 'ActivateAgendaGroup takes one text: ActivateAgendaGroup("next").')
        groups = {
            one.value
            for draft in self._drafts.rules
            for one in draft.rule.attributes
            if one.name in ("agenda-group", "ruleflow-group") and isinstance(one.value, str)
        } | {MAIN}
        if first.value not in groups:
            message = f"No rule is in the agenda group '{first.value}'."
            raise self._source.error(first.place, message, nearest(first.value, groups))
        return Focus(first.value)

    def _remove(self, action: ActionCall) -> Remove:
        first = action.arguments[0] if len(action.arguments) == 1 else None
        scope = self._draft.scope
        name = first.name if isinstance(first, Name) else ""
        variable = scope.implicit.get(name, name)
        if variable not in scope.types:
            known = [*scope.types, *scope.implicit]
            message = "'retract' takes a fact that a pattern of this rule found: retract($o)."
            raise self._source.error(action.place, message, nearest(name, known) if name else "")
        return Remove(variable, action.place)

    def _report(self, place: Place, message: str) -> None:
        self._errors.append(self._source.error(place, message))
