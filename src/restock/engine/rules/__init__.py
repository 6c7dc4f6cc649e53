"""The rule language: GRL text to a typed program, decided by engines that agree, explained and refused with places.

    text -> lexer -> parser -> declarations, names, infer -> typed -> ranges -> Program (ir)
    Program -> stratify -> row -> fast     one generated pass over scaled integers
    Program -> columns     the same pass as layers over int64 columns, in Polars or NumPy
    Program -> reference -> explain, flips forward chaining over Decimal, the oracle
    text -> ... -> fact_scopes, fact_names -> fact_rules, fact_typer -> FactProgram (ir_patterns) -> agenda

Callers need `Rulebook` for rules over one set of fields, and `FactRulebook` for rules over many facts; `load` gives either.
"""

from restock.engine.rules.decision import Decision
from restock.engine.rules.engines import ENGINES, Plan
from restock.engine.rules.errors import RuleError
from restock.engine.rules.explain import Explanation, FiredRule, NotFiredRule, Threshold
from restock.engine.rules.explain_drawn import explanation_mermaid
from restock.engine.rules.fact_rulebook import FactDecision, FactRulebook
from restock.engine.rules.flips import Flip
from restock.engine.rules.ir import Field, Program, Value
from restock.engine.rules.loading import check, load
from restock.engine.rules.row import RowProgram
from restock.engine.rules.rulebook import Rulebook, RuleSummary

__all__ = [
    "ENGINES",
    "Decision",
    "Explanation",
    "FactDecision",
    "FactRulebook",
    "Field",
    "FiredRule",
    "Flip",
    "NotFiredRule",
    "Plan",
    "Program",
    "RowProgram",
    "RuleError",
    "RuleSummary",
    "Rulebook",
    "Threshold",
    "Value",
    "check",
    "explanation_mermaid",
    "load",
]
