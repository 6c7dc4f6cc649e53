"""The nodes of the network. A token is a tuple: one entry for each pattern (a fact) and each accumulate (its value).

Facts enter alpha memories, which nodes share; joins keep the tokens from above by the key that they join on, alpha memories
their facts by the same key. A change is sent through with its sign: +1 it appears, -1 it goes. With L the tokens and R the
facts of a join, new(L x R) - old(L x R) = old L x change of R + change of L x new R: so memories of facts change first, then
nodes hear of the fact from the deepest to the first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any, Protocol

from restock.engine.rules.agenda import aggregate, average
from restock.engine.rules.arithmetic import EXACT
from restock.engine.rules.errors import Place
from restock.engine.rules.limits import MAX_HELD, MAX_PAIRS

Token = tuple[Any, ...]
Key = object


class Fact(dict[str, Any]):
    """The present values of a fact; equal only to itself, so that it can stand in tokens."""

    __slots__ = ("base", "given", "handle", "kind", "tokens", "writes")
    __hash__ = object.__hash__  # type: ignore[assignment]  # a fact is itself, though its fields are a dict
    __eq__ = object.__eq__
    __ne__ = object.__ne__

    def __init__(self, kind: str, handle: int, base: dict[str, Any], given: Any) -> None:
        super().__init__(base)
        self.kind = kind
        self.handle = handle
        self.base = base
        self.given = given
        self.writes: dict[str, dict[int, Writes]] = {}
        self.tokens: dict[int, dict[Token, None]] = {}


class Writes(dict[Token, Any]):
    """What the matches of one rule wrote to a field: its value is that of the last match in the order of facts.

    The last match is remembered, so that a thousand matches that set one field do not all look at one another.
    """

    __slots__ = ("_latest",)

    def __init__(self) -> None:
        super().__init__()
        self._latest: Token | None = None

    def put(self, token: Token, value: Any) -> None:
        """Note what a match writes."""
        if (self._latest is not None and _order(token) >= _order(self._latest)) or not self:
            self._latest = token
        self[token] = value

    def take(self, token: Token) -> None:
        """Forget what a match wrote."""
        del self[token]
        if token == self._latest:
            self._latest = None

    def last(self) -> Any:
        """Give what the last match wrote; there is one."""
        if self._latest is None:
            self._latest = max(self, key=_order)
        return self[self._latest]


def _order(token: Token) -> list[int]:
    return [one.handle for one in token if isinstance(one, Fact)]


class TooMuch(Exception):
    """The facts meet in more ways than a network follows; `place` is the pattern where they meet."""

    def __init__(self, place: Place, what: str) -> None:
        super().__init__(what)
        self.place = place


class Work:
    """What the joins of one network have done since the last `fire_all`, and hold; a bound for each."""

    __slots__ = ("held", "looked")

    def __init__(self) -> None:
        self.looked = self.held = 0

    def check(self, place: Place) -> None:
        """Stop where it is too much. Raises TooMuch."""
        if self.looked > MAX_PAIRS:
            raise TooMuch(place, f"look at more than {MAX_PAIRS:,} pairs of facts")
        if self.held > MAX_HELD:
            raise TooMuch(place, f"match in more than {MAX_HELD:,} ways")


class Alpha:
    """The facts of a type that pass tests of their own, and these facts by the keys that joins use."""

    def __init__(self, test: Callable[[Fact], object] | None) -> None:
        self.test = test
        self.facts: dict[Fact, None] = {}
        self.indexes: dict[str, tuple[Callable[[Fact], Key], dict[Key, dict[Fact, None]]]] = {}

    def index(self, signature: str, key: Callable[[Fact], Key]) -> dict[Key, dict[Fact, None]]:
        """Give the facts by a key; nodes with the same key share it."""
        if signature not in self.indexes:
            self.indexes[signature] = (key, {})
        return self.indexes[signature][1]

    def add(self, fact: Fact) -> None:
        """Take a fact that passes the tests."""
        self.facts[fact] = None
        for key, found in self.indexes.values():
            at = key(fact)
            bucket = found.get(at)
            if bucket is None:
                found[at] = {fact: None}
            else:
                bucket[fact] = None

    def remove(self, fact: Fact) -> None:
        """Forget a fact whose values are still those it had."""
        del self.facts[fact]
        for key, found in self.indexes.values():
            at = key(fact)
            bucket = found[at]
            del bucket[fact]
            if not bucket:
                del found[at]


class Receiver(Protocol):
    """What tokens are sent to."""

    def left(self, token: Token, sign: int) -> None:
        """Hear of a token."""


class Node:
    """A node that sends tokens on: to its children in order when they appear, in reverse when they go."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.children: list[Receiver] = []
        self.ways: dict[str, Node] = {}

    def emit(self, token: Token, sign: int) -> None:
        """Send a token to the children."""
        if sign > 0:
            for child in self.children:
                child.left(token, 1)
        else:
            for child in reversed(self.children):
                child.left(token, -1)

    def right(self, fact: Fact, sign: int) -> None:
        """Hear of a fact of the alpha memory."""


class Entry(Node):
    """The first pattern of a rule: each fact is a token."""

    def right(self, fact: Fact, sign: int) -> None:
        """Send the fact on."""
        self.emit((fact,), sign)


class Keyed(Node):
    """A node with tokens by key on the left and facts by key on the right."""

    def __init__(
        self,
        depth: int,
        facts: dict[Key, dict[Fact, None]],
        left_key: Callable[[Token], Key],
        right_key: Callable[[Fact], Key],
        test: Callable[[Token, Fact], object] | None,
        work: Work,
        place: Place,
    ) -> None:
        super().__init__(depth)
        self.work = work
        self.place = place
        self.facts = facts
        self.left_key = left_key
        self.right_key = right_key
        self.test = test
        self.tokens: dict[Key, dict[Token, None]] = {}

    def keep(self, key: Key, token: Token, sign: int) -> None:
        """Keep or forget a token from above."""
        bucket = self.tokens.get(key)
        if sign > 0:
            if bucket is None:
                self.tokens[key] = {token: None}
            else:
                bucket[token] = None
        elif bucket is not None:
            del bucket[token]
            if not bucket:
                del self.tokens[key]


class Join(Keyed):
    """One more pattern: every token with every fact that has the same key and passes the remaining test."""

    def left(self, token: Token, sign: int) -> None:
        """Join a token with the facts that are there."""
        key = self.left_key(token)
        self.keep(key, token, sign)
        facts = self.facts.get(key)
        if facts:
            test, work = self.test, self.work
            work.looked += len(facts)
            for fact in facts:
                if test is None or test(token, fact):
                    work.held += sign
                    self.emit((*token, fact), sign)
            work.check(self.place)

    def right(self, fact: Fact, sign: int) -> None:
        """Join a fact with the tokens that are there."""
        tokens = self.tokens.get(self.right_key(fact))
        if tokens:
            test, work = self.test, self.work
            work.looked += len(tokens)
            for token in tokens:
                if test is None or test(token, fact):
                    work.held += sign
                    self.emit((*token, fact), sign)
            work.check(self.place)


class Filter(Node):
    """A test of what is bound."""

    def __init__(self, depth: int, test: Callable[[Token], object]) -> None:
        super().__init__(depth)
        self.test = test

    def left(self, token: Token, sign: int) -> None:
        """Send the token on when it passes."""
        if self.test(token):
            self.emit(token, sign)


class Counter(Node):
    """exists, not and forall: counts the matches inside for each token, and lets it through when there are some, or none.

    It stands behind the nodes of its inside among the children of the node above, so that it hears last of a new token.
    """

    def __init__(self, depth: int, negated: bool, width: int) -> None:
        super().__init__(depth)
        self.negated = negated
        self.width = width
        self.counts: dict[Token, int] = {}
        self.here: dict[Token, None] = {}

    def left(self, token: Token, sign: int) -> None:
        """Hear of a token from above."""
        if sign > 0:
            self.here[token] = None
        else:
            del self.here[token]
        if (self.counts.get(token, 0) > 0) != self.negated:
            self.emit(token, sign)

    def inside(self, inner: Token, sign: int) -> None:
        """Hear of a match inside: its first entries are the token."""
        token = inner[: self.width]
        before = self.counts.get(token, 0)
        after = before + sign
        if after:
            self.counts[token] = after
        else:
            del self.counts[token]
        if token in self.here and (before == 0 or after == 0):
            self.emit(token, 1 if (after > 0) != self.negated else -1)


class Inside:
    """The end of a branch inside exists, not or forall."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def left(self, token: Token, sign: int) -> None:
        """Tell the counter."""
        self._counter.inside(token, sign)


class Sums:
    """A maintained aggregate of one key: sums and counts go up and down, and values are kept for least and greatest."""

    __slots__ = ("count", "total", "values")

    def __init__(self) -> None:
        self.count = 0
        self.total = Decimal(0)
        self.values: dict[Decimal, int] = {}

    def change(self, value: Decimal, sign: int, *, keeps: bool) -> None:
        """Take a value in or out."""
        self.count += sign
        self.total = EXACT.add(self.total, value) if sign > 0 else EXACT.subtract(self.total, value)
        if keeps:
            left = self.values.get(value, 0) + sign
            if left:
                self.values[value] = left
            else:
                del self.values[value]

    def result(self, function: str) -> Decimal | None:
        """Give the aggregate; None for avg, min and max of nothing."""
        if function == "sum":
            return self.total
        if function == "count":
            return Decimal(self.count)
        if not self.count:
            return None
        if function == "avg":
            return average(self.total, self.count)
        return min(self.values) if function == "min" else max(self.values)


class Gathering(Keyed):
    """accumulate: each token with the aggregate of the facts of its key, maintained unless a test remains."""

    def __init__(
        self,
        depth: int,
        facts: dict[Key, dict[Fact, None]],
        left_key: Callable[[Token], Key],
        right_key: Callable[[Fact], Key],
        test: Callable[[Token, Fact], object] | None,
        work: Work,
        place: Place,
        function: str,
        value: Callable[[Fact], Any],
    ) -> None:
        super().__init__(depth, facts, left_key, right_key, test, work, place)
        self.function = function
        self.value = value
        self.sums: dict[Key, Sums] = {}
        self.results: dict[Token, Decimal | None] = {}

    def left(self, token: Token, sign: int) -> None:
        """Send a token on with the present aggregate."""
        key = self.left_key(token)
        self.keep(key, token, sign)
        if sign > 0:
            self.results[token] = result = self._result(key, token)
        else:
            result = self.results.pop(token)
        if result is not None:
            self.emit((*token, result), sign)

    def right(self, fact: Fact, sign: int) -> None:
        """Change the aggregate, and tell of every token that has it."""
        key = self.right_key(fact)
        if self.test is None:
            sums = self.sums.get(key)
            if sums is None:
                self.sums[key] = sums = Sums()
            sums.change(self.value(fact), sign, keeps=self.function in ("min", "max"))
            if not sums.count:
                del self.sums[key]
        tokens = self.tokens.get(key, ())
        self.work.looked += len(tokens)
        for token in tokens:
            if self.test is None or self.test(token, fact):
                self._tell(token, self._result(key, token))

    def _tell(self, token: Token, result: Decimal | None) -> None:
        before = self.results[token]
        if before == result:
            return
        self.results[token] = result
        if before is not None:
            self.emit((*token, before), -1)
        if result is not None:
            self.emit((*token, result), 1)

    def _result(self, key: Key, token: Token) -> Decimal | None:
        if self.test is None:
            return self.sums[key].result(self.function) if key in self.sums else aggregate(self.function, [])
        members: Collection[Fact] = self.facts.get(key, ())
        self.work.looked += len(members)
        self.work.check(self.place)
        return aggregate(self.function, [self.value(fact) for fact in members if self.test(token, fact)])
