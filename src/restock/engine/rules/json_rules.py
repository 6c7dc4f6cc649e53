"""Rules written as JSON become the text of the language, and from there the same program; anything else is refused by name.

    {"rules": [{"name": "Big", "salience": 10, "no-loop": true,
                "when": {"all": [{"field": "total", "operator": ">", "value": 1000}, "is_active == true"]},
                "then": [{"set": "big", "value": true}, {"set": "tax", "expression": "total * 0.08"}]}]}

A condition is a text in the language, {"all": […]}, {"any": […]}, {"not": …} or a comparison. `declarations` may hold texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial, reduce
from typing import Any, Final, NamedTuple, NoReturn

from restock.core.errors import InvalidInput
from restock.core.once import unique_members
from restock.engine.rules.errors import Place, RuleError, SourceText, meant, nearest
from restock.engine.rules.lexer import Lexer
from restock.engine.rules.limits import MAX_NESTING, MAX_SOURCE_BYTES
from restock.engine.rules.parser import Parser
from restock.engine.rules.parser_expressions import COMPARISONS, WORD_OPERATORS
from restock.engine.rules.printer import print_rule, print_value, quoted
from restock.engine.rules.syntax import Action, Assignment, Binary, Expression, Items, Literal, Name, Rule, Unary

RULE_KEYS: Final = ("name", "description", "salience", "no-loop", "when", "then")
COMPARISON_KEYS: Final = ("field", "operator", "value", "expression")
ACTION_KEYS: Final = ("set", "value", "expression")
JOINS: Final = {"all": "&&", "any": "||"}

_OPERATORS: Final = {**{one: one for one in COMPARISONS}, **WORD_OPERATORS}


class Piece(NamedTuple):
    """A declaration or a rule of a document: where it stands there, and its text in the language."""

    place: str
    text: str


class Translated:
    """A document as a text of the language, one piece below the other with a line between."""

    def __init__(self, name: str, pieces: Sequence[Piece]) -> None:
        self._name = name
        self._starts: list[tuple[int, str]] = []
        line = 1
        for piece in pieces:
            self._starts.append((line, piece.place))
            line += piece.text.count("\n") + 2
        self.text = "\n\n".join(piece.text for piece in pieces) + "\n"

    def source(self) -> SourceText:
        """Give the text so that its errors name their place in the document."""
        return _Placed(self._name, self.text, self)

    def placed(self, error: RuleError) -> RuleError:
        """Give an error of the text with the place in the document: `mine.json rules[2]`, line and column in that rule."""
        if error.rulebook != self._name:
            return error
        start, place = next(((at, name) for at, name in reversed(self._starts) if at <= error.line), (1, ""))
        name = f"{self._name} {place}".strip()
        at = Place(error.line - start + 1, error.column)
        return RuleError(name, at, error.source_line, error.message, error.suggestion)


class _Placed(SourceText):
    """The text of a document, with its places there."""

    def __init__(self, name: str, text: str, document: Translated) -> None:
        super().__init__(name, text)
        self._document = document

    def error(self, place: Place, message: str, suggestion: str = "") -> RuleError:
        return self._document.placed(super().error(place, message, suggestion))


def grl_of_json(text: str, name: str) -> str:
    """Give the text of the language for rules in JSON. Raises InvalidInput that names the place, RuleError for a text."""
    return translated(text, name).text


def translated(text: str, name: str) -> Translated:
    """Read rules in JSON. Raises InvalidInput that names the place, RuleError for a condition or an expression."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_SOURCE_BYTES:
        raise InvalidInput(f"The file is longer than {MAX_SOURCE_BYTES // 1024} kB.", field=name)
    try:
        document = json.loads(
            text, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_number, object_pairs_hook=unique_members
        )
    except InvalidInput as error:
        raise InvalidInput(f"{error.field!r} {error.what}", field=name, remedy=error.remedy) from None
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"This is no JSON: {str(error)[:100]}.", field=name, remedy="Correct the file.") from None
    return Translated(name, _Reader(name).rulebook(document))


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


class _Reader:
    def __init__(self, name: str) -> None:
        self._name = name

    def rulebook(self, document: object) -> list[Piece]:
        whole = self._object(document, "", ("rules", "declarations"))
        pieces = []
        for at, one in self._list(whole, "declarations"):
            place = f"declarations[{at}]"
            pieces.append(Piece(place, self._text(one, place)))
        for at, one in self._list(whole, "rules"):
            place = f"rules[{at}]"
            pieces.append(Piece(place, print_rule(self._rule(one, place))))
        return pieces

    def _rule(self, given: object, place: str) -> Rule:
        rule = self._object(given, place, RULE_KEYS)
        salience = rule.get("salience", Decimal(0))
        if not isinstance(salience, Decimal) or salience != int(salience):
            raise self._error(f"{place}.salience", "Salience is a whole number.")
        no_loop = rule.get("no-loop", False)
        if not isinstance(no_loop, bool):
            raise self._error(f"{place}.no-loop", "no-loop is true or false.")
        condition = self._condition(rule.get("when"), f"{place}.when", 0)
        actions = tuple(self._action(one, f"{place}.then[{at}]") for at, one in self._list(rule, "then", place))
        name = self._text(rule.get("name"), f"{place}.name")
        description = self._text(rule.get("description", ""), f"{place}.description")
        return Rule(name, condition, actions, description, int(salience), no_loop)

    def _condition(self, given: object, place: str, depth: int) -> Expression:
        if depth > MAX_NESTING:
            raise self._error(place, f"This is nested deeper than {MAX_NESTING} levels.")
        if isinstance(given, str):
            return self._parsed(given, place)
        node = self._object(given, place, (*JOINS, "not", *COMPARISON_KEYS))
        for word, operator in JOINS.items():
            if word in node:
                self._only(node, (word,), place)
                parts = [self._condition(one, f"{place}.{word}[{at}]", depth + 1) for at, one in self._list(node, word)]
                if not parts:
                    raise self._error(place, f"'{word}' is empty.")
                return reduce(partial(Binary, operator), parts)
        if "not" in node:
            self._only(node, ("not",), place)
            return Unary("!", self._condition(node["not"], f"{place}.not", depth + 1))
        return self._comparison(node, place)

    def _comparison(self, node: Mapping[str, Any], place: str) -> Expression:
        written = self._text(node.get("operator"), f"{place}.operator")
        operator = _OPERATORS.get(written)
        if operator is None:
            remedy = meant(written, _OPERATORS)
            raise self._error(f"{place}.operator", f"There is no operator {written!r}.", remedy)
        left = self._field(node.get("field"), f"{place}.field")
        right = self._value(node, place)
        if operator == "not_contains":
            return Unary("!", Binary("contains", left, right))
        return Binary(operator, left, right)

    def _action(self, given: object, place: str) -> Action:
        if isinstance(given, str):
            raise self._error(place, 'An action is an object: {"set": field, "value": …}.')
        node = self._object(given, place, ACTION_KEYS)
        return Assignment(self._field(node.get("set"), f"{place}.set").name, self._value(node, place))

    def _field(self, given: object, place: str) -> Name:
        found = self._parsed(self._text(given, place), place)
        if not isinstance(found, Name):
            raise self._error(place, "Expected the name of a field.")
        return found

    def _value(self, node: Mapping[str, Any], place: str) -> Expression:
        if ("value" in node) == ("expression" in node):
            raise self._error(place, "Give either a value or an expression.")
        if "expression" in node:
            return self._parsed(self._text(node["expression"], f"{place}.expression"), f"{place}.expression")
        return self._literal(node["value"], f"{place}.value")

    def _literal(self, value: object, place: str) -> Expression:
        if isinstance(value, list) and value:
            return Items(tuple(self._literal(one, place) for one in value))
        if isinstance(value, Decimal) and value < 0:
            return Unary("-", Literal(-value))
        if isinstance(value, Decimal | bool | str):
            return self._parsed(print_value(value) if not isinstance(value, str) else quoted(value), place)
        raise self._error(place, "A value is a number, a text, true, false or a list of them.")

    def _parsed(self, text: str, place: str) -> Expression:
        """Read a piece of the language; an error shows the piece."""
        source = SourceText(f"{self._name} {place}", text)
        lexer = Lexer(source)
        parser = Parser(source, lexer.tokens())
        found = parser.expression()
        if parser.here.kind != "end":
            raise parser.error(f"Expected the end of the expression, found {parser.here.shown()}.")
        if lexer.errors:
            raise lexer.errors[0]
        return found

    def _object(self, given: object, place: str, keys: Iterable[str]) -> Mapping[str, Any]:
        if not isinstance(given, dict):
            raise self._error(place, "Expected an object here.")
        self._only(given, tuple(keys), place)
        return given

    def _only(self, node: Mapping[str, Any], keys: tuple[str, ...], place: str) -> None:
        for key in node:
            if key not in keys:
                near = nearest(key, keys)
                remedy = f"Did you mean {near}?" if near else f"Known here: {', '.join(keys)}."
                raise self._error(f"{place}.{key}".lstrip("."), "This key is not known here.", remedy)

    def _list(self, node: Mapping[str, Any], key: str, place: str = "") -> list[tuple[int, object]]:
        found = node.get(key, [])
        if not isinstance(found, list):
            raise self._error(f"{place}.{key}".lstrip("."), "Expected a list here.")
        return list(enumerate(found))

    def _text(self, value: object, place: str) -> str:
        if not isinstance(value, str):
            raise self._error(place, "Expected a text here.")
        return value

    def _error(self, place: str, message: str, remedy: str = "") -> InvalidInput:
        return InvalidInput(message, field=f"{self._name} {place}".strip(), remedy=remedy)
