"""Keyed decisions: one set of fields per key, decided again by the compiled row function whenever one of them changes.

For rules that one pass decides this is all that an incremental engine can gain: which key is dirty matters, not which rule.
The decision of a key is always that of its present facts, because the function starts from the defaults each time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import partial
from typing import Any, NamedTuple, cast

from restock.core.errors import InvalidInput, NotFound, RestockError
from restock.engine.rules.arithmetic import EXACT
from restock.engine.rules.decision import Decision
from restock.engine.rules.facts import scaled
from restock.engine.rules.ir import Field, fields_read
from restock.engine.rules.row import RowValue
from restock.engine.rules.rulebook import Rulebook

Row = tuple[RowValue, ...]

Changes = Callable[[Iterable[tuple[Hashable, object]]], list["Change"]]


Entry = list[Any]
"""The arguments of a key as a list, None while they are not complete, and its result: one look-up in the loop."""


class Change(NamedTuple):
    """A decision that is no longer what it was, as the row function gives it; None before the first one.

    `after` is an error where the facts are incomplete or a rule has no value.
    """

    key: Hashable
    before: Row | RestockError | None
    after: Row | RestockError


class Keyed:
    """Decisions by key for a rulebook that the row engine runs. Raises InvalidInput with the reason when it does not."""

    def __init__(self, book: Rulebook, *, module: str = "") -> None:
        self._book = book
        self._module = module
        self._row = book.row(module=module)
        self._facts: dict[Hashable, dict[str, object]] = {}
        self._entries: dict[Hashable, Entry] = {}
        self._positions = {one.name: at for at, one in enumerate(self._row.inputs)}
        self._derived_from = set(fields_read(*(one.derived for one in book.inputs if one.derived is not None)))
        self._compiled: dict[str, Changes] = {}
        self._applied: dict[int, Field] = {}

    def __len__(self) -> int:
        return len(self._facts)

    def put(self, key: Hashable, facts: Mapping[str, object]) -> Change | None:
        """Merge facts into those of a key and decide again; what changed, or None."""
        known = self._present(key)
        known.update(facts)
        self._facts[key] = known
        try:
            used = self._book.facts(known, module=self._module)
            row = [scaled(one, used[one.name]) for one in self._row.inputs]
        except InvalidInput as error:
            return self._settle(key, None, error)
        try:
            return self._settle(key, row, self._row.function(*row))
        except (ZeroDivisionError, OverflowError):
            return self._settle(key, row, self._error(known))

    def _present(self, key: Hashable) -> dict[str, object]:
        """Give the facts of a key, with those that `apply` has put straight into its row."""
        known = dict(self._facts.get(key, ()))
        row = self._entries[key][0] if key in self._entries else None
        if row is not None:
            for at, one in self._applied.items():
                known[one.name] = EXACT.scaleb(Decimal(row[at]), -one.decimals)
        return known

    def drop(self, key: Hashable) -> None:
        """Forget a key."""
        self._facts.pop(key, None)
        self._entries.pop(key, None)

    def apply(self, field: str, events: Iterable[tuple[Hashable, object]]) -> list[Change]:
        """Give keys a new value of one field, in order, and decide each again; every decision that changed."""
        found = self._compiled.get(field)
        if found is None:
            self._compiled[field] = found = self._compile(field)
        return found(events)

    def result(self, key: Hashable) -> Row | RestockError:
        """Give a decision as the row function gives it: outputs as scaled integers, and the mask of fired rules."""
        if key not in self._entries:
            raise NotFound(f"There is no key {key!r}.", remedy="Put its facts first.")
        return cast("Row | RestockError", self._entries[key][1])

    def decision(self, key: Hashable) -> Decision:
        """Give a decision for people. Raises the error that stands in its place."""
        found = self.result(key)
        if isinstance(found, RestockError):
            raise found
        return self._book.decide(self._present(key), module=self._module)

    def _settle(self, key: Hashable, row: list[RowValue] | None, after: Row | RestockError) -> Change | None:
        before = self._entries[key][1] if key in self._entries else None
        self._entries[key] = [row, after]
        return None if before == after else Change(key, before, after)

    def _error(self, facts: Mapping[str, object]) -> RestockError:
        """Let the reference engine say which rule has no value."""
        try:
            self._book.decide(facts, engine="reference", module=self._module)
        except RestockError as error:
            return error
        raise AssertionError("the reference has no value either")

    def _one(self, field: str, key: Hashable, value: object) -> Change | None:
        return self.put(key, {field: value})

    def _compile(self, field: str) -> Changes:
        """Make the loop for one field: whole numbers in range go straight to the function, the rest through `put`."""
        at = self._positions.get(field)
        if at is None or field in self._derived_from:
            return self._slow(field)
        one = self._row.inputs[at]
        if one.kind != "number" or one.derived is not None or one.absent:
            return self._slow(field)
        self._applied[at] = one
        space: dict[str, Any] = {
            "entries": self._entries,
            "function": self._row.function,
            "nothing": (None, None),
            "careful": self._one,
            "change_of": partial(tuple.__new__, Change),
        }
        exec(compile(_LOOP.format(**_numbers(one), at=at, field=repr(field)), "<keyed>", "exec"), space)  # noqa: S102 - names by repr
        return cast(Changes, space["apply"])

    def _slow(self, field: str) -> Changes:
        def apply(events: Iterable[tuple[Hashable, object]]) -> list[Change]:
            found = [self._one(field, key, value) for key, value in events]
            return [change for change in found if change is not None]

        return apply


def _numbers(one: Field) -> dict[str, int]:
    assert one.low is not None and one.high is not None, "every input number has a range"
    low = int(one.low.to_integral_value(rounding=ROUND_CEILING, context=EXACT))
    high = int(one.high.to_integral_value(rounding=ROUND_FLOOR, context=EXACT))
    return {"low": low, "high": high, "power": 10**one.decimals}


_LOOP = """
def apply(events):
    found = []
    append = found.append
    get = entries.get
    for key, value in events:
        entry = get(key, nothing)
        row, before = entry
        if row is None or type(value) is not int or not {low} <= value <= {high}:
            change = careful({field}, key, value)
            if change is not None:
                append(change)
            continue
        row[{at}] = value * {power}
        try:
            after = function(*row)
        except (ZeroDivisionError, OverflowError):
            change = careful({field}, key, value)
            if change is not None:
                append(change)
            continue
        if before != after:
            entry[1] = after
            append(change_of((key, before, after)))
    return found
"""
