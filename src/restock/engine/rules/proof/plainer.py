"""Makes a counterexample readable: the same failure with the plainest numbers, found by trying on the compiled program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

from restock.core.quantity import plain
from restock.engine.rules.ir import Field, Value
from restock.engine.rules.replay import zero

MAX_TRIES = 400
"""Most tries for one counterexample: a few milliseconds, enough for a dozen inputs."""

SMALL = 20
"""Up to here a number is also lowered one by one: 6 of at most 5 says more than 9 does."""

Fails = Callable[[dict[str, Value]], bool]


def plainest(fields: tuple[Field, ...], facts: dict[str, Value], fails: Fails) -> dict[str, Value]:
    """Replace values one by one by plainer ones as long as the failure stays."""
    found = {one.name: facts[one.name] for one in fields}
    tries, moved = 0, True
    while moved and tries < MAX_TRIES:
        moved = False
        for one in fields:
            for candidate in _plainer(one, found[one.name]):
                tries += 1
                if fails(found | {one.name: candidate}):
                    found[one.name], moved = candidate, True
                    break
    return found


def _plainer(one: Field, value: Value) -> Iterator[Value]:
    """Give plainer values that the field allows, the plainest first."""
    if not isinstance(value, Decimal):
        plain_value = one.default if one.default is not None else True if one.kind == "bool" else zero(one)
        if value != plain_value:
            yield plain_value
        return
    wanted = [Decimal(number) for number in (0, 1, 10, 100, 1000, 10000)]
    if isinstance(one.default, Decimal):
        wanted.insert(0, one.default)
    wanted += [round(value, places) for places in range(1 - value.adjusted() - 1, one.decimals)] if value else []
    wanted += [-value, *([value - 1] if 1 < value <= SMALL else [])]
    low, high = one.low, one.high
    for number in map(plain, wanted):
        if (low is None or number >= low) and (high is None or number <= high) and _weight(number) < _weight(value):
            yield number


def _weight(value: Decimal) -> tuple[bool, int, Decimal]:
    """Tell how hard a number is to read: a sign, digits that are not zeros at the end, size."""
    number = value.normalize()
    exponent = number.as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return value < 0, len(number.as_tuple().digits) + 2 * decimals, abs(value)
