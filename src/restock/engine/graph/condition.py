"""The condition language of conditionals and loops: a small parser with positions, no `eval`.

::

    either     := both (("or" | "||") both)*
    both       := denial (("and" | "&&") denial)*
    denial     := ("not" | "!") denial | comparison
    comparison := operand (("==" | "!=" | "<=" | ">=" | "<" | ">") operand)?
    operand    := "(" either ")" | number | 'text' | "text" | true | false | null | dotted.path

Numbers are exact decimals. Unequal kinds are never equal, and ordering them is an error, not a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from restock.core.errors import InvalidInput
from restock.engine.graph.model import Condition, Literal, Reference
from restock.engine.graph.reference import getter

MAX_CONDITION = 2000
"""Characters of a condition: longer ones are business rules and belong into a rulebook."""

MAX_NESTING = 50
"""Parentheses and denials inside each other; bounds the recursion of the parser."""

_TOKEN = re.compile(
    r"\s*(?:(?P<op>&&|\|\||==|!=|<=|>=|<|>|!|\(|\))|(?P<num>-?\d+(?:\.\d+)?)|(?P<str>'[^']*'|\"[^\"]*\")"
    r"|(?P<path>[A-Za-z_][\w-]*(?:\.[\w-]+)*)|(?P<bad>\S))"
)
_SIGNS: dict[str, Callable[[int], bool]] = {
    "<": lambda sign: sign < 0,
    "<=": lambda sign: sign <= 0,
    ">": lambda sign: sign > 0,
    ">=": lambda sign: sign >= 0,
}
_WORDS: dict[str, object] = {"true": True, "false": False, "null": None}
_SAME = {"and": "&&", "or": "||", "not": "!"}

Test = Callable[[Mapping[str, object]], object]


class ConditionError(InvalidInput):
    """The condition cannot be read; `offset` counts characters from 0."""

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(what)
        self.offset = offset


def _tokens(text: str) -> list[tuple[str, str, int]]:
    found: list[tuple[str, str, int]] = []
    position = 0
    while match := _TOKEN.match(text, position):
        kind = match.lastgroup or ""
        word, start = match.group(kind), match.start(kind)
        if kind == "bad":
            raise ConditionError(f"'{word}' has no meaning in a condition.", start)
        found.append(("op", _SAME[word], start) if word in _SAME else (kind, word, start))
        position = match.end()
    found.append(("end", "the end", len(text.rstrip())))
    return found


def _equal(left: object, right: object) -> bool:
    return (isinstance(left, bool) == isinstance(right, bool)) and left == right


def _ordered(symbol: str, left: object, right: object) -> bool:
    if not isinstance(left, bool) and not isinstance(right, bool):
        if isinstance(left, int | float | Decimal) and isinstance(right, int | float | Decimal):
            return _SIGNS[symbol]((left > right) - (left < right))
        if isinstance(left, str) and isinstance(right, str):
            return _SIGNS[symbol]((left > right) - (left < right))
    raise InvalidInput(f"{left!r} {symbol} {right!r} cannot be compared: one is not a number, or they differ in kind.")


def _compared(symbol: str, left: Test, right: Test) -> Test:
    if symbol == "==":
        return lambda context: _equal(left(context), right(context))
    if symbol == "!=":
        return lambda context: not _equal(left(context), right(context))
    return lambda context: _ordered(symbol, left(context), right(context))


def _any_of(tests: list[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda context: any(test(context) for test in tests)


def _all_of(tests: list[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda context: all(test(context) for test in tests)


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0
        self.names: list[Reference] = []

    def _take(self, *symbols: str) -> str:
        kind, word, _ = self._tokens[self._at]
        if kind == "op" and word in symbols:
            self._at += 1
            return word
        return ""

    def _wrong(self, wanted: str) -> ConditionError:
        _, word, start = self._tokens[self._at]
        return ConditionError(f"The condition needs {wanted} where it has {word!r}.", start)

    def whole(self) -> Test:
        test = self._either()
        if self._tokens[self._at][0] != "end":
            raise self._wrong("'and', 'or' or its end")
        return test

    def _either(self) -> Test:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise self._wrong(f"fewer than {MAX_NESTING} levels")
        tests = [self._both()]
        while self._take("||"):
            tests.append(self._both())
        self._depth -= 1
        return _any_of(tests)

    def _both(self) -> Test:
        tests = [self._denial()]
        while self._take("&&"):
            tests.append(self._denial())
        return _all_of(tests)

    def _denial(self) -> Test:
        denials = 0
        while self._take("!"):
            denials += 1
        test = self._comparison()
        if denials == 0:
            return test
        return (lambda context: not test(context)) if denials % 2 else (lambda context: bool(test(context)))

    def _comparison(self) -> Test:
        left = self._operand()
        symbol = self._take("==", "!=", "<=", ">=", "<", ">")
        return _compared(symbol, left, self._operand()) if symbol else left

    def _operand(self) -> Test:
        if self._take("("):
            test = self._either()
            if not self._take(")"):
                raise self._wrong("')'")
            return test
        kind, word, _ = self._tokens[self._at]
        if kind not in ("num", "str", "path"):
            raise self._wrong("a value or a name")
        self._at += 1
        if kind == "num":
            return getter(Literal(Decimal(word)))
        if kind == "str":
            return getter(Literal(word[1:-1]))
        if word in _WORDS:
            return getter(Literal(_WORDS[word]))
        name = Reference(tuple(word.split(".")))
        self.names.append(name)
        return getter(name)


def parse_condition(text: str) -> Condition:
    """Read a condition. Raises ConditionError with the offset of the first character that is wrong."""
    if len(text) > MAX_CONDITION:
        raise ConditionError(f"The condition has {len(text)} characters, {MAX_CONDITION} are allowed.", MAX_CONDITION)
    parser = _Parser(text)
    test = parser.whole()
    return Condition(text, tuple(dict.fromkeys(parser.names)), lambda context: bool(test(context)))
