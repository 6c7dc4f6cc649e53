"""The solver, loaded when it is first used, because only those who publish rules install it; and one bounded query.

z3 comes without types, so a term is `Any` here and in the modules that build terms; what they give to others is typed.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from typing import Any, Final, Literal

from restock.core.errors import Unavailable

TIMEOUT_SECONDS: Final = 10
"""Longest time for one query. A proof that needs more is rare; it is told as unknown and never taken for a proof."""

QUICK_STEPS: Final = 400_000
"""Most steps of the solver for a nicer example when there is one already; steps, not time, so that it is the same again."""

ATTEMPTS: Final = ((False, 1), (True, 1), (False, TIMEOUT_SECONDS), (True, TIMEOUT_SECONDS))
"""In which order reals and the decimal grid are asked, and how long: what one cannot do the other often does at once."""

Verdict = Literal["sat", "unsat", "unknown"]
Term = Any  # Any: z3 has no types
Model = Any  # Any: z3 has no types


class _Late:
    """Stands for the module z3 and loads it at the first name asked of it."""

    def __getattr__(self, name: str) -> Any:  # Any: a name of an untyped module
        try:
            found = getattr(importlib.import_module("z3"), name)
        except ImportError:
            raise Unavailable(
                "Proofs need the solver z3, which is not installed.",
                field="prove",
                remedy="Install Restock with its extra 'prove': pip install 'restock[prove]'.",
            ) from None
        setattr(self, name, found)
        return found


z3: Final[Any] = _Late()


def installed() -> bool:
    """Tell whether the solver is there, without loading it."""
    return importlib.util.find_spec("z3") is not None


class Query:
    """A set of facts that questions are asked about, each bounded in time."""

    def __init__(self, facts: Iterable[Term], seconds: int = TIMEOUT_SECONDS) -> None:
        self._solver = z3.SimpleSolver()
        self._solver.set(
            "arith.nl.grobner", False
        )  # its steps do not look at the clock: minutes where seconds are allowed
        self._milliseconds = seconds * 1000
        self._solver.add(*facts)

    def examples(self, model: Model, *wanted: Term) -> list[Model]:
        """Give a model that also has what is wanted, if it is found quickly, and then the one there is."""
        verdict, better = self.ask(*wanted, steps=QUICK_STEPS)
        return [better, model] if verdict == "sat" else [model]

    def add(self, *facts: Term) -> None:
        """Add facts for all questions that follow."""
        self._solver.add(*facts)

    def ask(self, *wanted: Term, milliseconds: int = 0, steps: int = 0) -> tuple[Verdict, Model]:
        """Ask whether everything wanted can hold with the facts, in the usual time or another; with sat comes a model.

        `steps` bounds the solver's work too; 0 does not.
        """
        self._solver.push()
        try:
            self._solver.set("timeout", milliseconds or self._milliseconds)
            self._solver.set("rlimit", steps)
            self._solver.add(*wanted)
            answer = self._solver.check()
            if answer == z3.sat:
                return "sat", self._solver.model()
            return ("unsat" if answer == z3.unsat else "unknown"), None
        finally:
            self._solver.pop()
