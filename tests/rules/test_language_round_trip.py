"""The whole grammar prints and parses to equal trees: patterns, quantifiers, streams, actions, modules and queries."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from restock.engine.rules.errors import SourceText
from restock.engine.rules.parser import ATTRIBUTES, parse
from restock.engine.rules.parser_blocks import ANSWERS, QUERY_FLAGS, QUERY_NUMBERS, STRATEGIES
from restock.engine.rules.printer import print_rulebook
from restock.engine.rules.syntax import (
    ActionCall,
    Append,
    Assignment,
    Attribute,
    Binary,
    Call,
    Expression,
    Import,
    Items,
    Literal,
    Log,
    MethodCall,
    Module,
    Name,
    Query,
    Rule,
    RulebookSyntax,
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

TEXT = """
defmodule SENSORS {
    export: all
}

defmodule CONTROL {
    export: none
    import: SENSORS (rules sensor-* (templates temp*))
    import: OTHER (rules *)
}

rule Loyal "a whole sentence" salience -5 no-loop lock-on-active true agenda-group "a" activation-group 'b'
  date-effective "2026-01-01" date-expires "31-Dec-2026" auto-focus ruleflow-group "c" {
    when
        $c: Customer(tier == "gold", $t: total, total >= 10.5 && open != null) &&
        exists(Order(customer == $c.id)) && !exists(Block(customer == $c.id)) && not(Fraud()) &&
        forall(Order(paid == true)) && $sum: accumulate(Line($v: amount, open, amount > 1), average($v)) &&
        test($sum > $t) && test(contains($c.name, "x")) && (items count > 3 || items empty || items not_empty) &&
        items first $f && items last && items $?all && tags contains "x" && $c.tier in ["gold", 'silver'] &&
        e: Order from stream("orders") over window(5 minutes, session) && f: from stream("clicks") && e.user == f.user &&
        name matches "A*" && x gte 3 && has($c.mail) && f.page in $c.pages
    then
        $c.discount = 10;
        $c.setTier("platinum");
        Customer.tags += "x";
        retract($c);
        Log("a", $c.name);
        ActivateAgendaGroup("next");
}

query "eligible" {
    goal: NOT blocked == true AND (p(?x) WHERE q(?x) OR NOT r(?x)) OR count(?v) > 3
    strategy: breadth-first
    max-depth: 4
    max-solutions: 2
    enable-memoization: false
    enable-optimization: true
    when: a > 1
    on-success: { ok = true; LogMessage("yes"); }
    on-failure: { Print("no"); }
    on-missing: { Request("more"); }
}
"""


def parsed(text: str) -> RulebookSyntax:
    syntax, errors = parse(SourceText("test.grl", text))
    assert not errors, errors[0]
    return syntax


def test_every_construct_of_the_language_parses_and_prints_to_an_equal_tree() -> None:
    syntax = parsed(TEXT)
    printed = print_rulebook(syntax)
    assert parsed(printed) == syntax
    assert print_rulebook(parsed(printed)) == printed


names = st.sampled_from(["a", "total", "größe", "x_1", "o.amount"])
variables = st.sampled_from(["$o", "$c1", "e"])
types = st.sampled_from(["Order", "Line", "Überweisung"])
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('\n\t"\\;&|>='), max_size=8)
leaves = st.one_of(
    names.map(Name),
    st.builds(lambda variable, name: Name(f"{variable}.{name}"), st.sampled_from(["$o", "?x"]), names),
    st.one_of(st.integers(0, 99).map(lambda n: Literal(Decimal(n))), texts.map(Literal)),
    st.just(Null()),
    st.builds(Bind, variables, names),
    st.builds(Multifield, names, st.sampled_from(["count", "first", "last", "empty", "not_empty", "collect"])),
    st.builds(Multifield, names, st.sampled_from(["first", "last", "collect"]), st.just("$v")),
    st.builds(Multifield, names, st.just("all"), st.just("$?v")),
    st.builds(Stream, variables, types | st.just(""), texts),
    st.builds(
        Stream,
        variables,
        types | st.just(""),
        texts,
        st.integers(1, 99),
        st.sampled_from(["ms", "s", "min", "hour"]),
        st.sampled_from(["sliding", "tumbling", "session"]),
    ),
)


def trees(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    some = st.lists(inner, max_size=2).map(tuple)
    return st.one_of(
        st.builds(Pattern, types, st.none() | inner, st.just("") | variables),
        st.builds(Quantified, st.sampled_from(["exists", "forall", "not"]), inner),
        st.builds(
            Accumulate,
            types,
            variables,
            names,
            some,
            st.sampled_from(["sum", "count", "avg", "min", "max"]),
            st.just("") | variables,
        ),
        st.builds(Binary, st.sampled_from(["&&", "||", "==", "matches", "+", "*", "contains"]), inner, inner),
        st.builds(Unary, st.sampled_from("-!"), inner),
        st.builds(Call, st.sampled_from(["has", "test2", "max"]), some),
        st.builds(Binary, st.just("in"), inner, st.builds(Items, st.lists(inner, min_size=1, max_size=2).map(tuple))),
        st.builds(Binary, st.just("in"), inner, names.map(Name)),
    )


conditions = st.recursive(leaves, trees, max_leaves=10)
arguments = st.lists(conditions, max_size=2).map(tuple)
actions = st.lists(
    st.one_of(
        st.builds(Assignment, names, conditions),
        st.builds(Append, st.sampled_from(["$o.tags", "list"]), conditions),
        st.builds(MethodCall, st.just("$o") | names, st.sampled_from(["setX", "save"]), arguments),
        st.builds(ActionCall, st.sampled_from(["retract", "ActivateAgendaGroup", "sendMail"]), arguments),
        st.builds(Log, arguments),
    ),
    max_size=3,
).map(tuple)
attributes = st.lists(
    st.sampled_from([name for name in ATTRIBUTES if name not in ("salience", "no-loop")]), unique=True, max_size=3
).flatmap(
    lambda chosen: st.tuples(
        *(
            st.builds(Attribute, st.just(name), st.booleans() if name in ("lock-on-active", "auto-focus") else texts)
            for name in chosen
        )
    )
)
rules = st.builds(
    Rule,
    name=texts,
    condition=conditions,
    actions=actions,
    description=texts,
    salience=st.integers(-9, 9),
    no_loop=st.booleans(),
    attributes=attributes,
    module=st.sampled_from(["MAIN", "LINE"]),
)
globs = st.sampled_from(["all", "none", "order-*", "*"])
modules = st.builds(
    Module,
    st.sampled_from(["LINE", "ORDER"]),
    globs,
    st.lists(st.builds(Import, st.sampled_from(["MAIN", "LINE"]), globs, st.just("") | globs), max_size=2).map(tuple),
)
goals = st.one_of(conditions, st.builds(Where, conditions, conditions))
settings_of_queries = st.fixed_dictionaries(
    {},
    optional={"strategy": st.sampled_from(STRATEGIES)}
    | {name: st.integers(1, 99) for name in QUERY_NUMBERS}
    | {name: st.booleans() for name in QUERY_FLAGS},
).map(lambda found: tuple(found.items()))
answers = st.dictionaries(st.sampled_from(ANSWERS), actions).map(lambda found: tuple(found.items()))
queries = st.builds(Query, texts, goals, settings_of_queries, st.none() | conditions, answers)


@settings(max_examples=500, deadline=None)
@given(
    st.builds(
        RulebookSyntax,
        st.just(()),
        st.lists(rules, max_size=2).map(tuple),
        st.lists(modules, max_size=2).map(tuple),
        st.lists(queries, max_size=2).map(tuple),
    )
)
def test_whatever_the_grammar_can_say_prints_and_parses_to_the_same_tree(syntax: RulebookSyntax) -> None:
    assert parsed(print_rulebook(syntax)) == syntax
