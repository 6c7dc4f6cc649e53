"""What a check of a right rulebook finds: not wrong, but hardly meant, with the place and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from restock.engine.rules.errors import Place
from restock.engine.rules.ir import RuleIR

Severity = Literal["warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A warning is almost surely a mistake; a note is worth knowing. `rule` is empty for what concerns a field."""

    severity: Severity
    kind: str
    rule: str
    place: Place
    message: str
    remedy: str

    def shown(self, rulebook: str) -> str:
        """Write it in one line, as errors are written."""
        subject = f"{self.rule}: " if self.rule else ""
        return (
            f"{rulebook}:{self.place.line}:{self.place.column}: {self.severity}: {subject}{self.message} {self.remedy}"
        )


def about(rule: RuleIR, place: Place, kind: str, message: str, remedy: str, severity: Severity = "warning") -> Finding:
    """Make a finding about a rule."""
    return Finding(severity, kind, rule.name, place, message, remedy)
