"""Pass 2a: tokens to expressions, by recursive descent with one method for each level of binding.

From loose to tight: `||`, `&&`, `!`, comparisons (which do not chain), `+ -`, `* / %`, sign, parts. Conditions and
arithmetic share one grammar; which of them makes sense where is a question of types, answered by `resolve`.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final, TypeVar

from restock.engine.rules.errors import Place, RuleError, SourceText
from restock.engine.rules.lexer import Token
from restock.engine.rules.limits import MAX_NESTING, MAX_TREE_DEPTH
from restock.engine.rules.syntax import Binary, Call, Expression, Items, Literal, Name, Unary, children

T = TypeVar("T")

WORD_OPERATORS: Final = {
    "eq": "==",
    "ne": "!=",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "contains": "contains",
    "startsWith": "startsWith",
    "starts_with": "startsWith",
    "endsWith": "endsWith",
    "ends_with": "endsWith",
    "not_contains": "not_contains",
    "matches": "matches",
    "in": "in",
}
"""Operators written as words, and the form in which the tree keeps them."""

TEXT_OPERATORS: Final = frozenset({"contains", "startsWith", "endsWith"})
"""Operators that may also be called: contains(a, b)."""

COMPARISONS: Final = frozenset({"==", "!=", ">", ">=", "<", "<="})

RESERVED: Final = frozenset({"when", "then", "rule", "true", "false", "null", *WORD_OPERATORS})
"""Words that cannot name a field."""


class ExpressionParser:
    """A position in a list of tokens and the expression grammar over it. `parser.Parser` adds rules and declarations."""

    def __init__(self, source: SourceText, tokens: list[Token]) -> None:
        self._source = source
        self._tokens = tokens
        self._at = 0
        self._nesting = 0
        self.in_query = False

    @property
    def here(self) -> Token:
        """The token to be read next."""
        return self._tokens[self._at]

    def ahead(self, text: str, distance: int = 1) -> bool:
        """Tell whether a later token is this symbol."""
        at = self._at + distance
        return at < len(self._tokens) and self._tokens[at].text == text and self._tokens[at].kind == "symbol"

    def advance(self) -> Token:
        """Take the next token; the end of the text is never passed."""
        token = self.here
        if token.kind != "end":
            self._at += 1
        return token

    def is_symbol(self, *symbols: str) -> bool:
        """Tell whether the next token is one of these symbols."""
        return self.here.kind == "symbol" and self.here.text in symbols

    def is_word(self, *words: str) -> bool:
        """Tell whether the next token is one of these words."""
        return self.here.kind == "name" and self.here.text in words

    def accept(self, symbol: str) -> bool:
        """Take the symbol if it is next."""
        found = self.is_symbol(symbol)
        if found:
            self.advance()
        return found

    def expect(self, symbol: str, purpose: str) -> Token:
        """Take the symbol, or refuse what stands in its place."""
        if not self.is_symbol(symbol):
            raise self.error(f"Expected '{symbol}' {purpose}, found {self.here.shown()}.")
        return self.advance()

    def error(self, message: str, place: Place | None = None, suggestion: str = "") -> RuleError:
        """Make an error at a place, by default at the next token."""
        return self._source.error(place or self.here.place, message, suggestion)

    def expression(self) -> Expression:
        """Read one whole expression and check its depth."""
        start = self.here.place
        result = self.where(self._or())
        level: list[Expression] = [result]
        depth = 0
        while level:
            depth += 1
            if depth > MAX_TREE_DEPTH:
                raise self.error(f"This expression is deeper than {MAX_TREE_DEPTH} levels; split it.", start)
            level = [child for node in level for child in children(node)]
        return result

    def element(self, token: Token) -> Expression | None:
        """Read what looks over facts, where one begins; `PatternParser` knows them."""
        raise NotImplementedError

    def behind(self, left: Expression) -> Expression:
        """Read a word of lists behind a value."""
        raise NotImplementedError

    def where(self, goal: Expression) -> Expression:
        """Read the conditions of a goal."""
        raise NotImplementedError

    def _or(self) -> Expression:
        return self._chain(self._and, "||", word="OR")

    def _and(self) -> Expression:
        return self._chain(self._not, "&&", word="AND")

    def _not(self) -> Expression:
        if not self.is_symbol("!") and not (self.in_query and self.is_word("NOT")):
            return self._comparison()
        place = self.advance().place
        return self._nested(lambda: Unary("!", self._not(), place), place)

    def _comparison(self) -> Expression:
        left = self.behind(self._sum())
        operator = self._comparison_operator()
        if operator is None:
            return left
        place = self.advance().place
        right = self._items() if operator == "in" and self.is_symbol("[") else self._sum()
        if self._comparison_operator() is not None:
            raise self.error("Comparisons do not chain; join them with &&.")
        if operator == "not_contains":
            return Unary("!", Binary("contains", left, right, place), place)
        return Binary(operator, left, right, place)

    def _comparison_operator(self) -> str | None:
        token = self.here
        if token.kind == "symbol":
            if token.text == "=":
                raise self.error("'=' assigns; compare with '=='.", suggestion="==")
            return token.text if token.text in COMPARISONS else None
        return WORD_OPERATORS.get(token.text) if token.kind == "name" else None

    def _items(self) -> Expression:
        place = self.expect("[", "with the values behind 'in'").place
        items = self._arguments("]")
        if not items:
            raise self.error("The list behind 'in' is empty.", place)
        return Items(items, place)

    def _sum(self) -> Expression:
        return self._chain(self._product, "+", "-")

    def _product(self) -> Expression:
        return self._chain(self._sign, "*", "/", "%")

    def _chain(self, part: Callable[[], Expression], *symbols: str, word: str = "") -> Expression:
        result = part()
        while self.is_symbol(*symbols) or (self.in_query and word and self.is_word(word)):
            token = self.advance()
            result = Binary(symbols[0] if token.kind == "name" else token.text, result, part(), token.place)
        return result

    def _sign(self) -> Expression:
        if self.is_symbol("-"):
            place = self.advance().place
            return self._nested(lambda: Unary("-", self._sign(), place), place)
        if self.is_symbol("!"):
            raise self.error("'!' negates a condition; put the condition in parentheses.")
        return self._part()

    def _part(self) -> Expression:
        token = self.here
        if self.is_symbol("("):
            self.advance()
            inner = self.where(self._nested(self._or, token.place))
            self.expect(")", "to close the parenthesis")
            return inner
        if token.kind == "number":
            self.advance()
            return Literal(Decimal(token.text), token.place)
        if token.kind == "text":
            self.advance()
            return Literal(token.text, token.place)
        if token.kind == "name":
            return self._word(token)
        if self.is_symbol("["):
            raise self.error("A list may stand only behind 'in'.")
        raise self.error(f"Expected a value, found {token.shown()}.")

    def _word(self, token: Token) -> Expression:
        word = token.text
        if word in ("true", "false"):
            self.advance()
            return Literal(word == "true", token.place)
        element = self.element(token)
        if element is not None:
            return element
        if word in RESERVED and not (word in TEXT_OPERATORS and self.ahead("(")):
            raise self.error(f"Expected a value, found '{word}'.")
        if self.ahead("("):
            return self._call(token)
        name = self.path()
        if self.is_symbol("("):
            raise self.error(f"Methods ('{name}(...)') are not called from a rule.", token.place)
        return Name(name, token.place)

    def path(self) -> str:
        """Read a field's name, with dots between its parts."""
        parts = [self.advance().text]
        while self.is_symbol("."):
            self.advance()
            if self.here.kind != "name":
                raise self.error(f"Expected a name behind '.', found {self.here.shown()}.")
            parts.append(self.advance().text)
        return ".".join(parts)

    def _call(self, token: Token) -> Expression:
        self.advance()
        self.advance()
        if token.text == "test":
            inner = self._nested(self._or, token.place)
            self.expect(")", "to close 'test'")
            return inner
        return Call(token.text, self._nested(lambda: self._arguments(")"), token.place), token.place)

    def _arguments(self, closing: str) -> tuple[Expression, ...]:
        """Read what stands between commas, up to and with the closing symbol."""
        found: list[Expression] = []
        if self.accept(closing):
            return ()
        while True:
            found.append(self._or())
            if self.accept(closing):
                return tuple(found)
            self.expect(",", f"or '{closing}' behind this value")

    def arguments(self) -> tuple[Expression, ...]:
        """Read arguments up to and with the closing parenthesis."""
        return self._nested(lambda: self._arguments(")"), self.here.place)

    def _nested(self, read: Callable[[], T], place: Place) -> T:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise self.error(f"This is nested deeper than {MAX_NESTING} levels; split it.", place)
        result = read()
        self._nesting -= 1
        return result

    def reset(self) -> None:
        """Forget the nesting of an expression that was given up with an error."""
        self._nesting = 0
        self.in_query = False
