"""Pass 2c: tokens to actions, modules and queries."""

from __future__ import annotations

from typing import Final

from restock.engine.rules.errors import nearest
from restock.engine.rules.lexer import Token
from restock.engine.rules.parser_expressions import RESERVED
from restock.engine.rules.parser_patterns import PatternParser
from restock.engine.rules.syntax import (
    Action,
    ActionCall,
    Append,
    Assignment,
    Expression,
    Import,
    Log,
    MethodCall,
    Module,
    Query,
)

STRATEGIES: Final = ("depth-first", "breadth-first", "iterative")

QUERY_NUMBERS: Final = ("max-depth", "max-solutions")

QUERY_FLAGS: Final = ("enable-memoization", "enable-optimization")

ANSWERS: Final = ("on-success", "on-failure", "on-missing")

QUERY_KEYS: Final = ("goal", "strategy", *QUERY_NUMBERS, *QUERY_FLAGS, "when", *ANSWERS)


class BlockParser(PatternParser):
    """Adds what stands in braces beside declarations: the actions of rules, modules, queries."""

    def action(self) -> Action:
        """Read one action and the semicolon behind it."""
        token = self.here
        if token.kind != "name" or token.text in RESERVED:
            raise self.error(f"Expected an action such as 'field = value;', found {token.shown()}.")
        found = self._call_action(token) if self.ahead("(") else self._assignment(token)
        if not self.is_symbol("}"):
            self.expect(";", "behind the action")
        return found

    def _assignment(self, token: Token) -> Action:
        target = self.path()
        if self.accept("("):
            owner, _, method = target.rpartition(".")
            return MethodCall(owner, method, self.arguments(), token.place)
        if self.accept("+="):
            return Append(target, self.expression(), token.place)
        self.expect("=", f"behind '{target}'")
        return Assignment(target, self.expression(), token.place)

    def _call_action(self, token: Token) -> Action:
        self.advance()
        self.advance()
        if token.text.lower() == "log":
            return Log(self.arguments(), token.place)
        return ActionCall(token.text, self.arguments(), token.place)

    def module(self) -> Module:
        """Read a `defmodule`."""
        place = self.advance().place
        name = self._word_of("the module's name").text
        self.expect("{", "before what the module exports")
        self._key("export")
        exports = self._glob()
        imports: list[Import] = []
        while not self.accept("}"):
            imports.append(self._import())
        return Module(name, exports, tuple(imports), place)

    def _import(self) -> Import:
        place = self.here.place
        self._key("import")
        module = self._word_of("the module to import from").text
        self.expect("(", "before what is imported")
        self._plain_word("rules")
        rules = self._glob()
        templates = ""
        if self.accept("("):
            self._plain_word("templates")
            templates = self._glob()
            self.expect(")", "behind the templates")
        self.expect(")", "to close the import")
        return Import(module, rules, templates, place)

    def _key(self, word: str) -> None:
        self._plain_word(word)
        self.expect(":", f"behind '{word}'")

    def _plain_word(self, word: str) -> None:
        if not self.is_word(word):
            near = nearest(self.here.text, [word]) if self.here.kind == "name" else ""
            raise self.error(f"Expected '{word}', found {self.here.shown()}.", suggestion=near)
        self.advance()

    def _glob(self) -> str:
        """Read a pattern of names: a text in quotes, or words, stars and hyphens without a space between them."""
        if self.here.kind == "text":
            return self.advance().text
        parts: list[str] = []
        column = self.here.place.column
        while self.here.place.column == column and (self.here.kind == "name" or self.is_symbol("*", "-")):
            parts.append(self.advance().text)
            column += len(parts[-1])
        if not parts:
            raise self.error(f"Expected all, none or a pattern such as order-*, found {self.here.shown()}.")
        return "".join(parts)

    def query(self) -> Query:
        """Read a `query`."""
        place = self.advance().place
        if self.here.kind not in ("text", "name"):
            raise self.error(f"Expected the query's name, found {self.here.shown()}.")
        name = self.advance().text
        self.expect("{", "before the query's goal")
        goal: Expression | None = None
        condition: Expression | None = None
        settings: list[tuple[str, str | int | bool]] = []
        answers: list[tuple[str, tuple[Action, ...]]] = []
        seen: set[str] = set()
        while not self.accept("}"):
            key = self._query_key(seen)
            if key == "goal":
                goal = self.goal()
            elif key == "when":
                condition = self.goal()
            elif key in ANSWERS:
                answers.append((key, self._answer()))
            else:
                settings.append((key, self._setting(key)))
            while self.accept(";") or self.accept(","):
                pass
        if goal is None:
            raise self.error(f"The query '{name}' has no goal: write goal: field == value.", place)
        return Query(name, goal, tuple(settings), condition, tuple(answers), place)

    def _query_key(self, seen: set[str]) -> str:
        token = self.here
        key = self._hyphenated()
        if key not in QUERY_KEYS:
            suggestion = nearest(key, QUERY_KEYS) if key else ""
            raise self.error(f"'{key or token.shown()}' is no part of a query.", token.place, suggestion)
        if key in seen:
            raise self.error(f"'{key}' is given twice.", token.place)
        seen.add(key)
        self.expect(":", f"behind '{key}'")
        return key

    def _hyphenated(self) -> str:
        """Read words joined by hyphens."""
        if self.here.kind != "name":
            return ""
        parts = [self.advance().text]
        while self.is_symbol("-") and self._tokens[self._at + 1].kind == "name":
            self.advance()
            parts.append(self.advance().text)
        return "-".join(parts)

    def _setting(self, key: str) -> str | int | bool:
        token = self.here
        if key in QUERY_NUMBERS:
            if token.kind != "number" or not token.text.isdigit():
                raise self.error(f"'{key}' is a whole number, not {token.shown()}.")
            return int(self.advance().text)
        if key in QUERY_FLAGS:
            if not self.is_word("true", "false"):
                raise self.error(f"'{key}' is true or false, not {token.shown()}.")
            return self.advance().text == "true"
        strategy = self._hyphenated()
        if strategy not in STRATEGIES:
            message = f"The strategy is one of {', '.join(STRATEGIES)}."
            raise self.error(message, token.place, nearest(strategy, STRATEGIES))
        return strategy

    def _answer(self) -> tuple[Action, ...]:
        self.expect("{", "before the actions")
        actions: list[Action] = []
        while not self.accept("}"):
            if not self.accept(";"):
                actions.append(self.action())
        return tuple(actions)
