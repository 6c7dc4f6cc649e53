"""The canonical form of a text for people: what the printer writes, with the comments of the text.

A comment stands before the part that follows it. One inside a rule moves above that rule, because the printer lays out the
inside anew; none is lost.
"""

from __future__ import annotations

from restock.engine.rules.errors import SourceText
from restock.engine.rules.lexer import Lexer
from restock.engine.rules.parser import Parser
from restock.engine.rules.printer import print_rulebook


def formatted(text: str, name: str) -> str:
    """Give the canonical form of a text. Raises RuleError for the first thing that cannot be read."""
    source = SourceText(name, text)
    lexer = Lexer(source)
    parser = Parser(source, lexer.tokens())
    syntax = parser.rulebook()
    errors = sorted(lexer.errors + parser.errors, key=lambda error: (error.line, error.column))
    if errors:
        raise errors[0]
    above: dict[int, list[str]] = {}
    behind: list[str] = []
    for place, comment in lexer.comments:
        owner = next((item for item in parser.items if place < item.last or place.line == item.last.line), None)
        found = behind if owner is None else above.setdefault(id(owner.node), [])
        found.append("\n".join(line.strip() for line in comment.splitlines()))
    printed = print_rulebook(syntax, {key: "".join(f"{line}\n" for line in lines) for key, lines in above.items()})
    return printed + "".join(f"\n{line}\n" for line in behind)
