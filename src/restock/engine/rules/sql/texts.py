"""Text functions in SQL, so that they mean what they mean in the rules.

Engines differ in how they compare (MySQL ignores case), fold case beyond ASCII and trim. Comparisons go through the
target's exact form; case and trimming are done in SQL for ASCII only, a text beyond it has no value here and the row goes
to the reference engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from restock.engine.rules.limits import MAX_TEXT
from restock.engine.rules.sql.terms import Integers, Term

BLANKS = "' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13) || chr(28) || chr(29) || chr(30) || chr(31)"
"""What trim takes away: the ASCII characters that Python's strip takes."""

Exact = Callable[[str], str]


class Texts:
    """Writes text functions; `exact` wraps a text for byte-wise comparison where the target would compare otherwise."""

    def __init__(self, integers: Integers, exact: Exact) -> None:
        self._integers = integers
        self._exact = exact

    def decoded(self, term: Term) -> Term:
        """Give the text of a coded column."""
        if not term.codes or isinstance(term.constant, str):
            return term
        if len(term.codes) == 1:
            return replace(term, code=quoted(term.codes[0]), codes=(), constant=term.codes[0])
        cases = " ".join(f"WHEN {at} THEN {quoted(text)}" for at, text in enumerate(term.codes[1:], 1))
        lengths = [len(text) for text in term.codes]
        code = f"CASE {term.code} {cases} ELSE {quoted(term.codes[0])} END"
        return replace(term, code=code, codes=(), low=min(lengths), high=max(lengths), constant=None)

    def compare(self, sign: str, left: Term, right: Term) -> Term:
        """Write = or <> of two texts; a coded column is compared by its code."""
        if isinstance(left.constant, str):
            left, right = right, left
        if left.codes and isinstance(right.constant, str):
            if right.constant not in left.codes:
                return Term("FALSE" if sign == "=" else "TRUE", constant=sign != "=")
            code = f"({left.code} {sign} {left.codes.index(right.constant)})"
            return self._integers.made(code, (left,), 0, 0)
        left, right = self.decoded(left), self.decoded(right)
        code = f"({self._exact(left.code)} {sign} {self._exact(right.code)})"
        return self._integers.made(code, (left, right), 0, 0)

    def test(self, function: str, text: Term, part: Term) -> Term:
        """Write contains, startsWith or endsWith."""
        text, part = self.decoded(text), self.decoded(part)
        if function == "contains":
            code = f"(STRPOS({self._exact(text.code)}, {self._exact(part.code)}) > 0)"
        else:
            side = "LEFT" if function == "startsWith" else "RIGHT"
            found = f"{side}({text.code}, LENGTH({part.code}))"
            code = f"({self._exact(found)} = {self._exact(part.code)})"
        return self._integers.made(code, (text, part), 0, 0)

    def length(self, text: Term) -> Term:
        """Write the number of characters."""
        text = self.decoded(text)
        return self._integers.made(f"CAST(LENGTH({text.code}) AS BIGINT)", (text,), text.low, text.high)

    def join(self, left: Term, right: Term) -> Term:
        """Write left + right; longer than the longest text has no value."""
        left, right = self.decoded(left), self.decoded(right)
        code = f"({left.code} || {right.code})"
        made = self._integers.made(code, (left, right), left.low + right.low, left.high + right.high)
        if made.high <= MAX_TEXT:
            return made
        code = f"CASE WHEN LENGTH({left.code}) + LENGTH({right.code}) <= {MAX_TEXT} THEN {made.code} END"
        return replace(made, code=code, high=MAX_TEXT, undefined=True)

    def changed(self, function: str, text: Term) -> Term:
        """Write lower, upper or trim; a text beyond ASCII has no value."""
        text = self.decoded(text)
        call = f"TRIM({text.code}, {BLANKS})" if function == "trim" else f"{function.upper()}({text.code})"
        code = f"CASE WHEN STRLEN({text.code}) = LENGTH({text.code}) THEN {call} END"
        made = self._integers.made(code, (text,), 0 if function == "trim" else text.low, text.high)
        return replace(made, undefined=True)


def quoted(text: str) -> str:
    """Write a text literal."""
    return "'" + text.replace("'", "''") + "'"
