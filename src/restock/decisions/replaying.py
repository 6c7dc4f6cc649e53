"""Stored decisions made again: the version that decided must give what is stored on the inputs it had, bit for bit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

from restock.core.errors import RestockError
from restock.decisions.impact import decided
from restock.decisions.model import Replayed
from restock.decisions.port import StoredDecision
from restock.decisions.store import fired_text, values_text
from restock.engine.rules import Decision, Rulebook

Books = Callable[[StoredDecision], Awaitable[Rulebook]]
"""Gives the rulebook as it was when it decided. Raises NotFound, or RuleError when its text is not understood any more."""


async def replayed(books: Books, decisions: Sequence[StoredDecision]) -> list[Replayed]:
    """Make decisions again, those of one version together; give them in order, each with what differs."""
    groups: dict[tuple[str, str], list[StoredDecision]] = defaultdict(list)
    for one in decisions:
        groups[one.version, one.module].append(one)
    found: dict[str, list[str]] = {}
    for (version, module), group in groups.items():
        try:
            book = await books(group[0])
        except RestockError as error:
            found.update((one.decision_id, [f"its version cannot be read: {error}"]) for one in group)
            continue
        changed = [] if book.version == version else [f"the text of version {version} is now version {book.version}"]
        for one, again in zip(group, decided(book, module, [one.facts for one in group]), strict=True):
            found[one.decision_id] = [*changed, *_differences(one, again)]
    return [Replayed(one.decision_id, one.rulebook, one.version, found[one.decision_id]) for one in decisions]


def _differences(stored: StoredDecision, again: Decision | RestockError) -> Iterator[str]:
    if isinstance(again, RestockError):
        yield f"it is refused now: {again}"
        return
    yield from _otherwise("output", stored.outputs, again.outputs)
    yield from _otherwise("fact", stored.facts, {**stored.facts, **again.facts})
    if fired_text(tuple(stored.fired)) != fired_text(again.fired):
        yield f"fired: stored {', '.join(stored.fired) or 'none'}, now {', '.join(again.fired) or 'none'}"


def _otherwise(what: str, stored: Mapping[str, object], again: Mapping[str, object]) -> Iterator[str]:
    """Compare as stored text, byte for byte: 1 and 1.0 are equal numbers and not the same text."""
    if values_text(stored) == values_text(again):
        return
    named = False
    for name in {**stored, **again}:
        was, now = (values_text({name: one[name]}) if name in one else "absent" for one in (stored, again))
        if was != now:
            named = True
            yield f"{what} {name}: stored {was}, now {now}"
    if not named:
        yield f"the {what}s stand in another order"
