"""The rule engine as a library: rules in, exact and explained decisions out, without the rest of Restock.

    from restock.rules import Rulebook

    book = Rulebook.parse(text, "prices.grl")      # RuleError: line, column, caret, the nearest right name
    book.decide({"total": "1200.50"}).outputs      # {"discount": Decimal("60.03"), ...}

Shapes. Facts are a mapping by the names of inputs: a number is an int, a Decimal or decimal text ("12.50"), never a float,
which has already lost digits; a bool is a bool, a text a str of at most 1,000 characters; an absent input gets its default.
Outputs are Decimal, bool or str by name. Facts that no rule knows are ignored. Rulebooks are immutable and may be shared
between threads; `Network` and `Keyed` hold state and belong to one thread at a time.

    one decision        Rulebook.decide(facts) -> Decision(outputs, fired, facts); engine="row" or "reference"
    many rows           Rulebook.decide_many(rows) -> a Decision, or the error of that row in its place
    a Polars frame      Rulebook.decide_frame(frame) -> outputs, fired, error; a row for each row, in order
    NumPy arrays        Rulebook.decide_arrays(columns) -> int64 scaled by 10^decimals of the field, bools, texts
    files, databases    SqlRunner(book).run(source, out) -> SqlRun(rows, troubles); frame(source) -> a Polars frame
    groups of rows      GroupRunner(lines, groups, Groups(key, totals)).run(source, out, terms=...)
    groups of facts     fact_sql(fact_rulebook) -> the query of rules that accumulate, for DuckDB
    facts of types      FactRulebook.parse(text, name).decide({"Line": [{...}], "limit": 5}) -> FactDecision
    facts that change   Network(fact_rulebook): insert, update, retract, fire_all, fact
    fields that change  Keyed(book): put(key, facts), apply(field, events) -> list of Change
    why                 Rulebook.explain(facts), Rulebook.flips(facts), explanation_mermaid(explanation, flips)

Units are those of the text: a rulebook says decimal(9,2) and a range, not currency or kilogram. What a `Flip` tells is in
the unit of its subject. Versions are a hash of the typed rules, the same on every machine.

Errors are `RestockError`: it says what happened, to which field, and the remedy; `problem()` gives it for machines.
`RuleError` is a wrong text, or a rule that has no value for these facts (division by zero, outside its declared range, no
end). `InvalidInput` names a wrong fact, or an engine that cannot run the rules and why; `SqlRefused` is that for SQL.
Nothing else is raised, and rules can do nothing but decide. Importing this loads no data library: polars, numpy and
duckdb are loaded by the call that needs them, the solver z3 by proofs alone.
"""

from restock.core.errors import InvalidInput, NotFound, RestockError
from restock.engine.rules import (
    ENGINES,
    Decision,
    Explanation,
    FactDecision,
    FactRulebook,
    Field,
    FiredRule,
    Flip,
    NotFiredRule,
    Plan,
    Rulebook,
    RuleError,
    RuleSummary,
    Threshold,
    Value,
    check,
    explanation_mermaid,
    load,
)
from restock.engine.rules.network import Change, Keyed, Network, Streams
from restock.engine.rules.sql import (
    Attached,
    GroupRunner,
    Groups,
    SqlRefused,
    SqlRun,
    SqlRunner,
    Total,
    fact_sql,
    printed_sql,
)

__all__ = [
    "ENGINES",
    "Attached",
    "Change",
    "Decision",
    "Explanation",
    "FactDecision",
    "FactRulebook",
    "Field",
    "FiredRule",
    "Flip",
    "GroupRunner",
    "Groups",
    "InvalidInput",
    "Keyed",
    "Network",
    "NotFiredRule",
    "NotFound",
    "Plan",
    "RestockError",
    "RuleError",
    "RuleSummary",
    "Rulebook",
    "SqlRefused",
    "SqlRun",
    "SqlRunner",
    "Streams",
    "Threshold",
    "Total",
    "Value",
    "check",
    "explanation_mermaid",
    "fact_sql",
    "load",
    "printed_sql",
]
