"""Limits of the rule language, each with its reason. Passing a limit is an error with a place."""

from __future__ import annotations

from decimal import Decimal

MAX_SOURCE_BYTES = 256 * 1024
"""Largest rulebook text: 1,500 rules are about 200 kB, and a text of this size still loads in seconds."""

MAX_NESTING = 32
"""Deepest nesting of parentheses, calls and signs: people stop reading at five, the parser's stack at about a hundred."""

MAX_TREE_DEPTH = 64
"""Deepest expression tree, chains such as a + b + c included: keeps every recursive pass far from Python's limits."""

MAX_RULES = 10_000
"""Most rules in one rulebook: one decision by the row function then takes a millisecond."""

MAX_FIELDS = 2_000
"""Most fields of one rulebook: a decision is read by people."""

MAX_ERRORS = 50
"""Most errors reported for one text: nobody repairs more in one go."""

MAX_LITERAL_DIGITS = 18
"""Most digits of a number in the text: what an int64 holds."""

MAX_DECIMALS = 40
"""Most decimals a field may need: sums keep the larger number of decimals, products add them, loops grow for ever."""

MAX_DIGITS = 200
"""Most digits a field may need by its range: far above money, small enough that arithmetic stays quick."""

REFERENCE_DIGITS = 500
"""Digits of the reference interpreter; passing them is an error, never a rounding."""

MAX_TEXT = 1_000
"""Longest text value: status words and reasons, not documents. Also stops texts that double in a loop."""

MAX_FIRINGS = 10_000
"""Most firings of one evaluation; then the rules that still fire are named."""

MAX_LOOKS = 10_000_000
"""Facts that the agenda looks at in one evaluation: a minute or two, which joins without a key pass with few facts."""

MAX_MATCHES = 300_000
"""Matches that the agenda holds at once: some hundred megabytes, and thirty times what may fire."""

MAX_PAIRS = 50_000_000
"""Pairs of a match and a fact that the network looks at between two `fire_all`: some ten seconds."""

MAX_HELD = 3_000_000
"""Matches of several patterns that a network holds at once: a gigabyte."""

INT64_LIMIT = 2**63
"""What columns and SQL can hold: |value| x 10^decimals of every field and intermediate stays below."""

UNDECLARED_DECIMALS = 6
"""Decimals of an input that the text does not declare: as many as Restock stores, so that no fact is refused for them."""

UNDECLARED_LIMIT = Decimal(10) ** 12
"""Range of an input that the text does not declare, in both directions: the largest number Restock stores."""

MAX_SALIENCE = 1_000_000
"""Largest salience in both directions."""
