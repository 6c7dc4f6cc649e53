"""Pass 1: text to tokens with places. Texts in quotes are one token, so nothing inside them is ever read as an operator.

Comments are skipped, except `;; MODULE: NAME`, which assigns the rules that follow it to a module.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from restock.engine.rules.errors import Place, RuleError, SourceText
from restock.engine.rules.limits import MAX_ERRORS, MAX_LITERAL_DIGITS, MAX_SOURCE_BYTES, MAX_TEXT

TokenKind = Literal["name", "number", "text", "symbol", "module", "end"]

SYMBOLS: Final = (
    *("..", "==", "!=", ">=", "<=", "&&", "||", "+="),
    *("(", ")", "{", "}", "[", "]", ",", ";", ":", ".", "=", ">", "<", "!", "+", "-", "*", "/", "%"),
)

_SPACE = re.compile(r"[ \t\r\n\ufeff]+")
_NAME = re.compile(r"\$?\??[^\W\d]\w*")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_SYMBOL = re.compile("|".join(re.escape(symbol) for symbol in SYMBOLS))
_MODULE = re.compile(r";;\s*MODULE\s*:\s*(\S*)")
_HYPHENATED = re.compile(
    r"(?:no-loop|lock-on-active|agenda-group|activation-group|date-effective|date-expires|auto-focus|ruleflow-group)(?![\w-])"
)
_ESCAPES: Final = {'"': '"', "'": "'", "\\": "\\", "n": "\n", "t": "\t"}


class Token(NamedTuple):
    """One word of the text. `text` is the meaning: for a text in quotes, what stands between them."""

    kind: TokenKind
    text: str
    place: Place

    def shown(self) -> str:
        """Write the token as an error message names it."""
        if self.kind == "end":
            return "the end of the text"
        return f'"{self.text}"' if self.kind == "text" else f"'{self.text}'"


class Lexer:
    """Reads one text. After `tokens`, `errors` holds what could not be read, and `comments` what was skipped."""

    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._text = source.text
        self._at = 0
        self._line = 1
        self._line_start = 0
        self.errors: list[RuleError] = []
        self.comments: list[tuple[Place, str]] = []

    def tokens(self) -> list[Token]:
        """Give all tokens; the last is of kind `end`."""
        if len(self._text.encode("utf-8", "surrogatepass")) > MAX_SOURCE_BYTES:
            self._report(Place(1, 1), f"The text is longer than {MAX_SOURCE_BYTES // 1024} kB.")
            return [Token("end", "", Place(1, 1))]
        found: list[Token] = []
        while self._at < len(self._text) and len(self.errors) < MAX_ERRORS:
            token = self._next()
            if token is not None:
                found.append(token)
        found.append(Token("end", "", self._place()))
        return found

    def _next(self) -> Token | None:
        text, at = self._text, self._at
        if match := _SPACE.match(text, at):
            self._advance(match.end())
            return None
        if text.startswith(("//", "/*"), at) or self._semicolon_comment():
            return self._comment()
        place = self._place()
        if text[at] in "\"'":
            return self._quoted(place)
        if match := _HYPHENATED.match(text, at) or _NAME.match(text, at):
            self._advance(match.end())
            return Token("name", match.group(), place)
        if match := _NUMBER.match(text, at):
            return self._number(match, place)
        if match := _SYMBOL.match(text, at):
            self._advance(match.end())
            return Token("symbol", match.group(), place)
        self._report(place, f"{text[at]!r} does not belong here.")
        self._advance(at + 1)
        return None

    def _semicolon_comment(self) -> bool:
        starts = self._text.startswith(";;", self._at)
        return starts and not self._text[self._line_start : self._at].strip()

    def _comment(self) -> Token | None:
        text, at, place = self._text, self._at, self._place()
        if text.startswith("/*", at):
            end = text.find("*/", at + 2)
            if end < 0:
                self._report(place, "This comment is never closed; '*/' is missing.")
            self._advance(end + 2 if end >= 0 else len(text))
            self.comments.append((place, text[at : self._at]))
            return None
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        match = _MODULE.match(text, at, end)
        self._advance(end)
        if match is None:
            self.comments.append((place, text[at:end].rstrip()))
            return None
        if not match.group(1).isidentifier():
            self._report(place, "A module comment names its module: ';; MODULE: LINE'.")
        return Token("module", match.group(1), place)

    def _quoted(self, place: Place) -> Token | None:
        text, quote = self._text, self._text[self._at]
        at = self._at + 1
        parts: list[str] = []
        while at < len(text) and text[at] not in (quote, "\n"):
            if text[at] == "\\" and at + 1 < len(text) and text[at + 1] in _ESCAPES:
                parts.append(_ESCAPES[text[at + 1]])
                at += 2
            else:
                parts.append(text[at])
                at += 1
        if at >= len(text) or text[at] == "\n":
            self._report(place, f"This text is not closed on its line; {quote} is missing.")
            self._advance(at)
            return None
        self._advance(at + 1)
        if len(parts) > MAX_TEXT:
            self._report(place, f"This text is longer than {MAX_TEXT} characters.")
        return Token("text", "".join(parts), place)

    def _number(self, match: re.Match[str], place: Place) -> Token:
        self._advance(match.end())
        digits = match.group()
        if len(digits) - ("." in digits) > MAX_LITERAL_DIGITS:
            self._report(place, f"This number has more than {MAX_LITERAL_DIGITS} digits.")
            return Token("number", "0", place)
        if joined := re.compile(r"\w+").match(self._text, self._at):
            self._report(place, f"'{digits}{joined.group()[:20]}' is not a number; write it like 12 or 12.5.")
            self._advance(joined.end())
        return Token("number", digits, place)

    def _place(self) -> Place:
        return Place(self._line, self._at - self._line_start + 1)

    def _advance(self, to: int) -> None:
        newlines = self._text.count("\n", self._at, to)
        if newlines:
            self._line += newlines
            self._line_start = self._text.rfind("\n", self._at, to) + 1
        self._at = to

    def _report(self, place: Place, message: str) -> None:
        self.errors.append(self._source.error(place, message))
