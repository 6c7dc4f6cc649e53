"""The canonical text of a rulebook: parsing what this prints gives an equal tree.

Only needed parentheses, one action a line, declarations first. Used to show, to store and to compare rulebooks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from restock.core.quantity import plain
from restock.engine.rules.parser_expressions import RESERVED
from restock.engine.rules.syntax import (
    MAIN,
    Action,
    ActionCall,
    Append,
    Assignment,
    Attribute,
    Binary,
    Call,
    Declaration,
    Element,
    EnumDeclaration,
    Expression,
    FieldDeclaration,
    Items,
    Literal,
    Log,
    MethodCall,
    Module,
    Name,
    Query,
    Rule,
    RulebookSyntax,
    TypeName,
    Unary,
)
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

_BINDING: Final = {"||": 1, "&&": 2, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6}
_NOT, _COMPARISON, _SIGN, _PART = 3, 4, 7, 8
_SIMPLE_NAME = re.compile(r"[^\W\d]\w*\Z")
_ESCAPED: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}


def print_rulebook(syntax: RulebookSyntax, comments: Mapping[int, str] | None = None) -> str:
    """Write a whole rulebook. `comments` gives by the identity of a part the lines to stand before it."""
    above = comments or {}
    lines = [above.get(id(one), "") + print_declaration(one) for one in syntax.declarations]
    blocks = ["\n".join(lines)] if lines else []
    blocks += [above.get(id(one), "") + print_module(one) for one in syntax.modules]
    module = MAIN
    for rule in syntax.rules:
        if rule.module != module:
            module = rule.module
            blocks.append(f";; MODULE: {module}")
        blocks.append(above.get(id(rule), "") + print_rule(rule))
    blocks += [above.get(id(one), "") + print_query(one) for one in syntax.queries]
    return "\n\n".join(blocks) + "\n"


def print_rule(rule: Rule) -> str:
    """Write one rule."""
    simple = _SIMPLE_NAME.match(rule.name) and rule.name not in RESERVED
    head = ["rule", rule.name if simple else quoted(rule.name)]
    if rule.description:
        head.append(quoted(rule.description))
    if rule.salience:
        head.append(f"salience {rule.salience}")
    if rule.no_loop:
        head.append("no-loop")
    head += [_attribute(attribute) for attribute in rule.attributes]
    actions = "".join(f"        {_action(action)}\n" for action in rule.actions)
    return f"{' '.join(head)} {{\n    when\n        {print_expression(rule.condition)}\n    then\n{actions}}}"


def print_module(module: Module) -> str:
    """Write one `defmodule`."""
    lines = [f"defmodule {module.name} {{", f"    export: {_glob(module.exports)}"]
    for one in module.imports:
        templates = f" (templates {_glob(one.templates)})" if one.templates else ""
        lines.append(f"    import: {one.module} (rules {_glob(one.rules)}{templates})")
    return "\n".join([*lines, "}"])


def print_query(query: Query) -> str:
    """Write one query."""
    lines = [f"query {quoted(query.name)} {{", f"    goal: {print_expression(query.goal)}"]
    for key, value in query.settings:
        lines.append(f"    {key}: {str(value).lower()}")
    if query.condition is not None:
        lines.append(f"    when: {print_expression(query.condition)}")
    for key, actions in query.answers:
        inner = "".join(f"        {_action(action)}\n" for action in actions)
        lines.append(f"    {key}: {{\n{inner}    }}")
    return "\n".join([*lines, "}"])


def print_declaration(declaration: Declaration) -> str:
    """Write one declaration."""
    if isinstance(declaration, FieldDeclaration):
        return _field(declaration)
    if isinstance(declaration, EnumDeclaration):
        return f"enum {declaration.name} {{ {', '.join(quoted(value) for value in declaration.values)} }}"
    sentence = f" {quoted(declaration.text)}:" if declaration.word == "invariant" else ""
    return f"{declaration.word}{sentence} {print_expression(declaration.condition)};"


def print_expression(node: Expression) -> str:
    """Write an expression with the parentheses it needs."""
    return _expression(node)[0]


def print_value(value: Decimal | bool | str) -> str:
    """Write a value as the language writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return quoted(value) if isinstance(value, str) else str(plain(value))


def quoted(text: str) -> str:
    """Write a text in quotes."""
    return '"' + "".join(_ESCAPED.get(character, character) for character in text) + '"'


def _field(declaration: FieldDeclaration) -> str:
    parts = [f"{declaration.role} {declaration.name}"]
    if declaration.type is not None:
        parts[0] += f": {_type(declaration.type)}"
    if declaration.low is not None and declaration.high is not None:
        parts.append(f"in {plain(declaration.low)}..{plain(declaration.high)}")
    if declaration.default is not None:
        parts.append(f"default {print_expression(declaration.default)}")
    if declaration.optional:
        parts.append("optional")
    return " ".join(parts) + ";"


def _type(written: TypeName) -> str:
    return written.name if written.digits is None else f"{written.name}({written.digits},{written.decimals})"


def _attribute(attribute: Attribute) -> str:
    value = attribute.value
    return f"{attribute.name} {quoted(value) if isinstance(value, str) else print_value(value)}"


def _action(action: Action) -> str:
    match action:
        case Assignment():
            return f"{action.target} = {print_expression(action.value)};"
        case Append():
            return f"{action.target} += {print_expression(action.value)};"
        case MethodCall():
            return f"{action.target}.{action.method}({_listed(action.arguments)});"
        case ActionCall():
            return f"{action.name}({_listed(action.arguments)});"
        case Log():
            return f"Log({_listed(action.arguments)});"


def _listed(nodes: tuple[Expression, ...]) -> str:
    return ", ".join(print_expression(node) for node in nodes)


def _glob(text: str) -> str:
    return text if _SIMPLE_NAME.match(text) else quoted(text)


def _expression(node: Expression) -> tuple[str, int]:
    match node:
        case Literal():
            return print_value(node.value), _PART
        case Name():
            return node.name, _PART
        case Call():
            return f"{node.function}({_listed(node.arguments)})", _PART
        case Items():
            return f"[{_listed(node.items)}]", _PART
        case Unary(operator="!"):
            return f"!{_at_least(node.operand, _COMPARISON, whole=True)}", _NOT
        case Unary():
            return f"-{_at_least(node.operand, _SIGN)}", _SIGN
        case Binary():
            return _binary(node)
        case Element():
            return _element(node)


def _element(node: Element) -> tuple[str, int]:
    match node:
        case Null():
            return "null", _PART
        case Pattern():
            name = f"{node.variable}: " if node.variable else ""
            return f"{name}{node.type}({'' if node.condition is None else print_expression(node.condition)})", _PART
        case Bind():
            return f"{node.variable}: {node.path}", _PART
        case Quantified():
            return f"{node.word}({print_expression(node.condition)})", _PART
        case Accumulate():
            name = f"{node.result}: " if node.result else ""
            tests = "".join(f", {print_expression(test)}" for test in node.tests)
            over = f"{node.type}({node.variable}: {node.path}{tests})"
            return f"{name}accumulate({over}, {node.function}({node.variable}))", _PART
        case Multifield(word="all"):
            return f"{node.path} {node.variable}", _COMPARISON
        case Multifield():
            return f"{node.path} {node.word}{' ' * bool(node.variable)}{node.variable}", _COMPARISON
        case Stream():
            window = f" over window({node.amount} {node.unit}, {node.window})" if node.amount else ""
            kind = f"{node.type} " if node.type else ""
            return f"{node.variable}: {kind}from stream({quoted(node.stream)}){window}", _PART
        case Where():
            return f"{_at_least(node.goal, 1)} WHERE {_at_least(node.condition, 1)}", 0
        case _:
            raise AssertionError("every element is known")


def _binary(node: Binary) -> tuple[str, int]:
    binding = _BINDING.get(node.operator, _COMPARISON)
    chains = binding != _COMPARISON
    if isinstance(node.left, Multifield) and not chains:
        left = print_expression(node.left)
    else:
        left = _at_least(node.left, binding if chains else binding + 1)
    return f"{left} {node.operator} {_at_least(node.right, binding + 1)}", binding


def _at_least(node: Expression, binding: int, *, whole: bool = False) -> str:
    """Write a part, in parentheses when it binds looser than its place needs; `whole` wraps comparisons too."""
    text, own = _expression(node)
    wrapped = own < binding or (whole and own < _PART)
    return f"({text})" if wrapped else text
