"""Pass 2b: tokens to patterns, quantifiers, accumulate, lists and streams: what looks over facts inside a condition."""

from __future__ import annotations

from typing import Final

from restock.engine.rules.errors import nearest
from restock.engine.rules.lexer import Token
from restock.engine.rules.parser_expressions import RESERVED, ExpressionParser
from restock.engine.rules.syntax import Binary, Expression, Name
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

QUANTIFIERS: Final = ("exists", "forall", "not")

AGGREGATES: Final = {"sum": "sum", "count": "count", "avg": "avg", "average": "avg", "min": "min", "max": "max"}
"""Functions of accumulate, and the spelling that the tree keeps."""

LIST_WORDS: Final = ("count", "first", "last", "empty", "not_empty", "collect")
"""Words behind a list."""

UNITS: Final = {
    "ms": "ms",
    "millisecond": "ms",
    "s": "s",
    "sec": "s",
    "second": "s",
    "min": "min",
    "minute": "min",
    "hour": "hour",
    "h": "hour",
}
"""Units of a window, with their plurals, and the spelling that the tree keeps."""

WINDOWS: Final = ("sliding", "tumbling", "session")


class PatternParser(ExpressionParser):
    """Adds elements to expressions. Inside a query `AND`, `OR`, `NOT` and `WHERE` are words of the language."""

    def element(self, token: Token) -> Expression | None:
        """Read an element that begins with this name, if one does."""
        word = token.text
        if word == "null":
            self.advance()
            return Null(token.place)
        if word in RESERVED:
            return None
        if self.ahead(":"):
            return self._named(token)
        if not self.ahead("("):
            return None
        if word in QUANTIFIERS:
            self.advance()
            self.advance()
            inner = self._nested(self._or, token.place)
            self.expect(")", f"to close '{word}'")
            return Quantified(word, inner, token.place)
        if word == "accumulate":
            return self._accumulate("")
        if word[:1].isupper():
            return self._pattern("")
        return None

    def behind(self, left: Expression) -> Expression:
        """Read the word behind a list, if one stands there."""
        token = self.here
        if not isinstance(left, Name) or token.kind != "name":
            return left
        if token.text.startswith("$?"):
            return Multifield(left.name, "all", self.advance().text, left.place)
        if token.text not in LIST_WORDS:
            return left
        self.advance()
        variable = ""
        if token.text in ("first", "last", "collect") and self.here.kind == "name" and self.here.text[0] == "$":
            variable = self.advance().text
        return Multifield(left.name, token.text, variable, left.place)

    def _named(self, token: Token) -> Expression:
        """Read what a name and a colon begin: a pattern, accumulate, a stream, or a field's second name."""
        self.advance()
        self.advance()
        after = self.here
        if after.kind != "name":
            raise self.error(f"Expected a type or a field behind '{token.text}:', found {after.shown()}.")
        if after.text == "accumulate" and self.ahead("("):
            return self._accumulate(token.text)
        if after.text == "from" and not self.ahead("."):
            return self._stream(token, "")
        if self.ahead("("):
            return self._pattern(token.text)
        path = self.path()
        return self._stream(token, path) if self.is_word("from") else Bind(token.text, path, token.place)

    def _pattern(self, variable: str) -> Expression:
        token = self.advance()
        self.expect("(", f"behind '{token.text}'")
        if self.accept(")"):
            return Pattern(token.text, None, variable, token.place)
        condition = self._nested(self._commas, token.place)
        return Pattern(token.text, condition, variable, token.place)

    def _commas(self) -> Expression:
        """Read conditions between commas, which mean `&&` there, up to and with the closing parenthesis."""
        condition, *others = self._arguments(")")
        for other in others:
            condition = Binary("&&", condition, other, other.place)
        return condition

    def _accumulate(self, result: str) -> Expression:
        place = self.advance().place
        self.expect("(", "behind 'accumulate'")
        kind = self._word_of("the type of the facts")
        self.expect("(", f"behind '{kind.text}'")
        variable = self._word_of("a variable such as $v")
        self.expect(":", f"behind '{variable.text}'")
        path = self._path_of("the field to be accumulated")
        tests: tuple[Expression, ...] = ()
        if self.accept(","):
            tests = self._nested(lambda: self._arguments(")"), place)
        else:
            self.expect(")", "to close the pattern")
        self.expect(",", "before the function")
        function = self._word_of("a function such as sum")
        if function.text not in AGGREGATES:
            message = f"'{function.text}' does not accumulate."
            raise self.error(message, function.place, nearest(function.text, AGGREGATES) or "sum")
        self.expect("(", f"behind '{function.text}'")
        used = self._word_of(f"'{variable.text}'")
        if used.text != variable.text:
            message = f"'{used.text}' is not bound here; accumulate over '{variable.text}'."
            raise self.error(message, used.place, variable.text)
        self.expect(")", "behind the variable")
        self.expect(")", "to close 'accumulate'")
        return Accumulate(kind.text, variable.text, path, tests, AGGREGATES[function.text], result, place)

    def _stream(self, variable: Token, kind: str) -> Expression:
        self.advance()
        if not self.is_word("stream"):
            raise self.error(f"Expected 'stream' behind 'from', found {self.here.shown()}.")
        self.advance()
        self.expect("(", "behind 'stream'")
        name = self.advance()
        if name.kind != "text":
            raise self.error(f"Expected the stream's name in quotes, found {name.shown()}.", name.place)
        self.expect(")", "behind the stream's name")
        if not self.is_word("over"):
            return Stream(variable.text, kind, name.text, place=variable.place)
        self.advance()
        if not self.is_word("window"):
            raise self.error(f"Expected 'window' behind 'over', found {self.here.shown()}.")
        self.advance()
        self.expect("(", "behind 'window'")
        amount = self.advance()
        if amount.kind != "number" or not amount.text.isdigit() or int(amount.text) == 0:
            raise self.error(f"Expected the window's length, a whole number, found {amount.shown()}.", amount.place)
        unit = self._one_of(self._word_of("a unit such as min"), {**UNITS, **{f"{one}s": UNITS[one] for one in UNITS}})
        window = "sliding"
        if self.accept(","):
            window = self._one_of(self._word_of("sliding, tumbling or session"), {one: one for one in WINDOWS})
        self.expect(")", "to close the window")
        return Stream(variable.text, kind, name.text, int(amount.text), unit, window, variable.place)

    def _one_of(self, token: Token, known: dict[str, str]) -> str:
        if token.text not in known:
            message = f"'{token.text}' is none of {', '.join(dict.fromkeys(known.values()))}."
            raise self.error(message, token.place, nearest(token.text, known))
        return known[token.text]

    def _word_of(self, purpose: str) -> Token:
        if self.here.kind != "name" or self.here.text in RESERVED:
            raise self.error(f"Expected {purpose}, found {self.here.shown()}.")
        return self.advance()

    def _path_of(self, purpose: str) -> str:
        if self.here.kind != "name" or self.here.text in RESERVED:
            raise self.error(f"Expected {purpose}, found {self.here.shown()}.")
        return self.path()

    def goal(self) -> Expression:
        """Read a goal of a query."""
        self.in_query = True
        try:
            return self.expression()
        finally:
            self.in_query = False

    def where(self, goal: Expression) -> Expression:
        """Read the conditions of a goal, if there are any."""
        if not self.in_query or not self.is_word("WHERE"):
            return goal
        place = self.advance().place
        return self._nested(lambda: Where(goal, self._or(), place), place)
