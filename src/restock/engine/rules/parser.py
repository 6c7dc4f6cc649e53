"""Pass 2b: tokens to the syntax of a whole rulebook. After an error it goes on at the next rule or declaration.

What the published language knows and Restock does not run is refused here by name, with the reason.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, NamedTuple

from restock.engine.rules.errors import Place, RuleError, SourceText, nearest
from restock.engine.rules.lexer import Lexer, Token
from restock.engine.rules.limits import MAX_ERRORS, MAX_RULES, MAX_SALIENCE
from restock.engine.rules.parser_blocks import BlockParser
from restock.engine.rules.parser_expressions import RESERVED
from restock.engine.rules.syntax import (
    MAIN,
    Action,
    Attribute,
    Declaration,
    EnumDeclaration,
    FieldDeclaration,
    Module,
    Query,
    Rule,
    RulebookSyntax,
    Statement,
    TypeName,
)

FLAGS: Final = ("no-loop", "lock-on-active", "auto-focus")
"""Attributes that take true or false, true when nothing follows."""

TEXTS: Final = ("agenda-group", "activation-group", "date-effective", "date-expires", "ruleflow-group")
"""Attributes that take a text."""

ATTRIBUTES: Final = ("salience", *FLAGS, *TEXTS)

TOP_LEVEL: Final = ("rule", "input", "output", "enum", "assume", "invariant", "query", "defmodule")

REFUSED_TOP_LEVEL: Final = {
    "deftemplate": "'deftemplate' is not supported; fields are flat and declared with input and output.",
    "defglobal": "'defglobal' is not supported; a decision depends on its inputs only.",
    "deffacts": "'deffacts' is not supported; facts come with each decision.",
    "import": "'import' is not supported; a rulebook is one text.",
    "function": "'function' is not supported; rules use the built-in functions.",
}


class Item(NamedTuple):
    """A declaration, rule, module or query with the places of its first and last word."""

    first: Place
    last: Place
    node: object


def parse(source: SourceText) -> tuple[RulebookSyntax, list[RuleError]]:
    """Read a text. The syntax is whole only when there are no errors; they come in the order of the text."""
    lexer = Lexer(source)
    parser = Parser(source, lexer.tokens())
    syntax = parser.rulebook()
    errors = sorted(lexer.errors + parser.errors, key=lambda error: (error.line, error.column))
    return syntax, errors[:MAX_ERRORS]


class Parser(BlockParser):
    """Reads declarations, rules, modules and queries; `errors` holds what was wrong."""

    def __init__(self, source: SourceText, tokens: list[Token]) -> None:
        super().__init__(source, tokens)
        self._module = MAIN
        self.errors: list[RuleError] = []
        self.items: list[Item] = []

    def rulebook(self) -> RulebookSyntax:
        """Read the whole text."""
        declarations: list[Declaration] = []
        rules: list[Rule] = []
        modules: list[Module] = []
        queries: list[Query] = []
        while self.here.kind != "end" and len(self.errors) < MAX_ERRORS:
            start = self._at
            try:
                self._block(declarations, rules, modules, queries)
            except RuleError as error:
                self.errors.append(error)
                self._recover(start)
        return RulebookSyntax(tuple(declarations), tuple(rules), tuple(modules), tuple(queries))

    def _block(
        self, declarations: list[Declaration], rules: list[Rule], modules: list[Module], queries: list[Query]
    ) -> None:
        """Read one declaration, rule, module or query, and note where it stands."""
        start = self.here.place
        lists: tuple[list[Any], ...] = (declarations, rules, modules, queries)
        before = [len(found) for found in lists]
        if self.is_word("defmodule"):
            modules.append(self.module())
        elif self.is_word("query"):
            queries.append(self.query())
        else:
            self._top_level(declarations, rules)
        for found, length in zip(lists, before, strict=True):
            if len(found) > length:
                self.items.append(Item(start, self._tokens[self._at - 1].place, found[-1]))

    def _top_level(self, declarations: list[Declaration], rules: list[Rule]) -> None:
        token = self.here
        if token.kind == "module":
            self._module = self.advance().text
        elif self.is_word("rule"):
            rules.append(self._rule())
            if len(rules) > MAX_RULES:
                raise self.error(f"There are more than {MAX_RULES} rules.", token.place)
        elif self.is_word("input", "output"):
            declarations.append(self._field())
        elif self.is_word("enum"):
            declarations.append(self._enum())
        elif self.is_word("assume", "invariant"):
            declarations.append(self._statement())
        elif token.kind == "name" and token.text in REFUSED_TOP_LEVEL:
            raise self.error(REFUSED_TOP_LEVEL[token.text])
        else:
            suggestion = nearest(token.text, TOP_LEVEL) if token.kind == "name" else ""
            raise self.error(f"Expected a rule or a declaration, found {token.shown()}.", suggestion=suggestion)

    def _recover(self, start: int) -> None:
        """Go on at the next rule, declaration or module comment that begins a line behind the failed one."""
        self.reset()
        self._at = max(self._at, start + 1)
        self._at = min(self._at, len(self._tokens) - 1)
        while self.here.kind not in ("end", "module"):
            begins = self._tokens[self._at - 1].place.line < self.here.place.line
            if begins and self.is_word(*TOP_LEVEL) and not self.ahead("=") and not self.ahead("."):
                return
            self._at += 1

    def is_text(self) -> bool:
        """Tell whether the next token is a text in quotes."""
        return self.here.kind == "text"

    def _rule(self) -> Rule:
        place = self.advance().place
        token = self.advance()
        if token.kind not in ("name", "text") or (token.kind == "name" and token.text in ("when", "then")):
            raise self.error(f"Expected the rule's name, found {token.shown()}.", token.place)
        description = self.advance().text if self.is_text() else ""
        found: list[Attribute | int] = []
        self._attributes(found)
        self.expect("{", "before the rule's body")
        self._attributes(found)
        self._word_expected("when")
        condition = self.expression()
        self._word_expected("then")
        actions: list[Action] = []
        while not self.is_symbol("}"):
            if not self.accept(";"):
                actions.append(self.action())
        self.advance()
        return self._assembled(Rule(token.text, condition, tuple(actions), description, place=place), found)

    def _assembled(self, rule: Rule, found: list[Attribute | int]) -> Rule:
        salience = [one for one in found if isinstance(one, int)]
        attributes = [one for one in found if isinstance(one, Attribute)]
        no_loop = [one.value is True for one in attributes if one.name == "no-loop"]
        return Rule(
            rule.name,
            rule.condition,
            rule.actions,
            rule.description,
            salience[-1] if salience else 0,
            bool(no_loop and no_loop[-1]),
            tuple(one for one in attributes if one.name != "no-loop"),
            self._module,
            rule.place,
        )

    def _attributes(self, found: list[Attribute | int]) -> None:
        while self.here.kind == "name" and not self.is_word("when", "then"):
            token = self.here
            if token.text not in ATTRIBUTES:
                suggestion = nearest(token.text, (*ATTRIBUTES, "when"))
                raise self.error(f"'{token.text}' is not a rule attribute.", suggestion=suggestion)
            seen = {"salience" if isinstance(one, int) else one.name for one in found}
            if token.text in seen:
                raise self.error(f"'{token.text}' is given twice.")
            self.advance()
            if token.text == "salience":
                found.append(self._salience())
            elif token.text in FLAGS:
                value = self.advance().text == "true" if self.is_word("true", "false") else True
                found.append(Attribute(token.text, value, token.place))
            else:
                if not self.is_text():
                    raise self.error(f"'{token.text}' needs a text in quotes, found {self.here.shown()}.")
                found.append(Attribute(token.text, self.advance().text, token.place))
            self.accept(";")

    def _salience(self) -> int:
        place = self.here.place
        number = self._signed("salience")
        if number != int(number) or abs(number) > MAX_SALIENCE:
            raise self.error(f"Salience is a whole number up to {MAX_SALIENCE}.", place)
        return int(number)

    def _field(self) -> FieldDeclaration:
        role = self.advance().text
        place = self.here.place
        name = self._declared_name(f"the {role}'s name")
        kind = self._type() if self.accept(":") else None
        low = high = None
        default = None
        if self.is_word("in"):
            self.advance()
            low, high = self._range()
        if self.is_word("default"):
            self.advance()
            default = self.expression()
        optional = self._word_accepted("optional")
        self._end_of_declaration()
        return FieldDeclaration(role, name, kind, low, high, default, optional, place)

    def _type(self) -> TypeName:
        if self.here.kind != "name":
            raise self.error(f"Expected a type such as decimal(9,2), bool or text, found {self.here.shown()}.")
        token = self.advance()
        if not self.accept("("):
            return TypeName(token.text, place=token.place)
        digits = self._count()
        decimals = self._count() if self.accept(",") else 0
        self.expect(")", "to close the type")
        if decimals > digits:
            raise self.error("A number cannot have more decimals than digits.", token.place)
        return TypeName(token.text, digits, decimals, token.place)

    def _count(self) -> int:
        if self.here.kind != "number" or not self.here.text.isdigit():
            raise self.error(f"Expected a count of digits, found {self.here.shown()}.")
        return int(self.advance().text)

    def _range(self) -> tuple[Decimal, Decimal]:
        place = self.here.place
        low = self._signed("the lower bound")
        self.expect("..", "between the bounds")
        high = self._signed("the upper bound")
        if low > high:
            raise self.error("The lower bound is above the upper.", place)
        return low, high

    def _signed(self, purpose: str) -> Decimal:
        sign = -1 if self.accept("-") else 1
        if self.here.kind != "number":
            raise self.error(f"Expected a number for {purpose}, found {self.here.shown()}.")
        return sign * Decimal(self.advance().text)

    def _enum(self) -> EnumDeclaration:
        self.advance()
        place = self.here.place
        name = self._declared_name("the enum's name")
        self.expect("{", "before the values")
        values: list[str] = []
        while not values or self.accept(","):
            if self.here.kind not in ("name", "text"):
                raise self.error(f"Expected a value of the enum, found {self.here.shown()}.")
            values.append(self.advance().text)
        self.expect("}", "behind the values")
        self._end_of_declaration()
        return EnumDeclaration(name, tuple(values), place)

    def _statement(self) -> Statement:
        token = self.advance()
        text = ""
        if token.text == "invariant":
            if not self.is_text():
                raise self.error('An invariant begins with its sentence: invariant "text": condition.')
            text = self.advance().text
            self.expect(":", "behind the sentence")
        condition = self.expression()
        self._end_of_declaration()
        return Statement(token.text, text, condition, token.place)

    def _declared_name(self, purpose: str) -> str:
        if self.here.kind != "name" or self.here.text in RESERVED or self.here.text[0] in "$?":
            raise self.error(f"Expected {purpose}, found {self.here.shown()}.")
        return self.path()

    def _end_of_declaration(self) -> None:
        self.accept(";")

    def _word_expected(self, word: str) -> None:
        if not self.is_word(word):
            raise self.error(f"Expected '{word}', found {self.here.shown()}.", suggestion=self._like(word))
        self.advance()

    def _word_accepted(self, word: str) -> bool:
        if not self.is_word(word):
            return False
        self.advance()
        return True

    def _like(self, word: str) -> str:
        return nearest(self.here.text, [word]) if self.here.kind == "name" else ""
