"""Rules over facts on the agenda engine: each construct of the language runs, or is refused by name with its place."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from restock.core.errors import InvalidInput
from restock.engine.rules import RuleError
from restock.engine.rules.fact_rulebook import FactDecision, FactRulebook


def book(text: str) -> FactRulebook:
    return FactRulebook.parse(text, "facts.grl")


def decided(text: str, document: dict[str, object], at: datetime | None = None) -> FactDecision:
    return book(text).decide(document, at=at)


def when(condition: str, action: str = "hit = true;", attributes: str = "") -> str:
    return f"rule R {attributes} {{ when {condition} then {action} }}\n"


ORDERS = {
    "Customer": [{"id": "a", "tier": "gold", "mail": "a@x"}, {"id": "b", "tier": "base"}],
    "Order": [
        {"id": 1, "customer": "a", "amount": 100, "paid": True, "tags": ["new", "web"]},
        {"id": 2, "customer": "a", "amount": "250.50", "paid": False, "tags": []},
        {"id": 3, "customer": "b", "amount": 40, "paid": True, "tags": ["web"]},
    ],
}


@pytest.mark.parametrize(
    ("condition", "times"),
    [
        ("Order(amount > 50)", 2),
        ("$o: Order(amount > 50, paid == true)", 1),
        ("$c: Customer(tier == 'gold') && $o: Order(customer == $c.id)", 2),
        ("$c: Customer($i: id, tier == 'gold') && Order(customer == $i && paid)", 1),
        ("Customer(tier == 'gold') && Order(customer == Customer.id)", 2),
        ("$o: Order(paid) && $p: Order(customer == $o.customer, id != $o.id)", 1),
        ("exists(Order(amount > 50))", 1),
        ("exists(Order(amount > 999))", 0),
        ("!exists(Order(amount > 999))", 1),
        ("!Order(amount > 999)", 1),
        ("not(Order(amount > 50))", 0),
        ("forall(Order(amount > 30))", 1),
        ("forall(Order(paid == true))", 0),
        ("forall(Order(amount > 200) && Customer(id == Order.customer, tier == 'gold'))", 1),
        ("forall($o: Order(paid) && $c: Customer(id == $o.customer, tier == 'gold'))", 0),
        ("forall(Missing(x > 1))", 1),
        ("$c: Customer(tier != 'x') && !exists(Order(customer == $c.id, paid == false))", 1),
        ("accumulate(Order($v: amount), sum($v)) > 390.4", 1),
        ("accumulate(Order($v: amount, paid), sum($v)) == 140", 1),
        ("accumulate(Order($v: id), count($v)) == 3", 1),
        ("accumulate(Order($v: amount), average($v)) == 130.166667", 1),
        ("accumulate(Order($v: amount), average($v)) && Order.average > 130", 1),
        ("accumulate(Order($v: amount), average($v)) && Order.avg < 131", 1),
        ("accumulate(Order($v: amount), min($v)) == 40 && Order.min < 41", 1),
        ("accumulate(Order($v: amount, amount > 999), max($v)) > 0", 0),
        ("accumulate(Order($v: amount, amount > 999), sum($v)) == 0", 1),
        ("$c: Customer() && $s: accumulate(Order($v: amount, customer == $c.id), sum($v)) && test($s > 100)", 1),
        ("$c: Customer() && accumulate(Order($v: amount, customer == $c.id), sum($v)) && Order.sum > 10", 2),
        ("Customer(mail == null)", 1),
        ("$c: Customer(has(mail))", 1),
        ("Customer(has(mail) && true, mail contains '@')", 1),
        ("Customer(!(mail contains '@') || mail == null)", 1),
        ("$o: Order(tags contains 'web', tags not_empty)", 2),
        ("$o: Order('new' in tags)", 1),
        ("$o: Order(tags count > 1)", 1),
        ("$o: Order(tags empty)", 1),
        ("$o: Order(tags not_empty)", 2),
        ("$o: Order(tags first $f, $f == 'web')", 1),
        ("$o: Order() && $o.tags last $l && $l == 'web'", 2),
        ("$o: Order(tags $?all) && test('web' in $?all)", 2),
        ("$o: Order(customer matches 'a*')", 2),
        ("Order(amount > 200) || Customer(tier == 'gold')", 2),
        ("exists(Order(amount > 200) || Customer(tier == 'none'))", 1),
        ("$o: Order(amount > 200 || customer == 'b')", 2),
        ("$o: Order(customer in ['b', 'c'])", 1),
        ("$o: Order(round(amount / 3, 2) == 83.5)", 1),
        ("$a: Order() && $b: Order(amount > $a.amount) && $c: Order(amount > $b.amount)", 1),
    ],
)
def test_a_condition_matches_so_many_times(condition: str, times: int) -> None:
    assert decided(when(condition), ORDERS).fired == ("R",) * times


def test_actions_set_fields_append_retract_and_call_setters() -> None:
    done = decided(
        """
        rule Gold salience 10 no-loop { when $c: Customer(tier == "gold") then $c.discount = 5; $c.setRank("A"); }
        rule Mark no-loop {
            when $c: Customer(discount > 0) && $o: Order(customer == $c.id) then $o.tags += $c.rank; n = n + 1;
        }
        rule Drop salience -5 { when $o: Order(tags empty) then retract($o); }
        """,
        ORDERS,
    )
    assert done.fired == ("Gold", "Mark", "Mark")
    assert done.outputs == {"n": 2}
    assert [(one["discount"], one["rank"]) for one in done.facts["Customer"]] == [(5, "A"), (0, "")]
    assert [one["tags"] for one in done.facts["Order"]] == [("new", "web", "A"), ("A",), ("web",)]


def test_a_retracted_fact_is_gone_for_every_rule_below() -> None:
    text = "rule Drop salience 1 { when $o: Order(paid == false) then retract($o); }\n" + when("Order(amount > 0)")
    done = decided(text, ORDERS)
    assert done.fired == ("Drop", "R", "R")
    assert [one["id"] for one in done.facts["Order"]] == [1, 3]


def test_facts_are_also_given_by_numbered_names() -> None:
    assert decided(when("exists(Order(x > 1))"), {"Order1": {"x": 1}, "Order2": {"x": 2}}).fired == ("R",)


def test_agenda_groups_fire_when_they_have_the_focus_and_auto_focus_takes_it() -> None:
    text = """
        rule A agenda-group "later" { when x > 0 then a = 1; }
        rule B { when x > 0 then b = 1; ActivateAgendaGroup("later"); }
        rule C salience -1 { when x > 0 then c = 1; }
        rule D agenda-group "never" { when x > 0 then d = 1; }
        rule E agenda-group "first" auto-focus { when x > 5 then e = 1; }
        rule F ruleflow-group "flow" { when x > 0 then f = 1; }
    """
    assert decided(text, {"x": 1}).fired == ("B", "A", "C")
    assert decided(text, {"x": 6}).fired == ("E", "B", "A", "C")


def test_of_an_activation_group_only_the_first_fires() -> None:
    text = """
        rule A activation-group "g" salience 1 { when x > 5 then a = 1; }
        rule B activation-group "g" { when x > 0 then a = 2; }
        rule C { when x > 0 then c = 1; }
    """
    assert decided(text, {"x": 6}).fired == ("A", "C")
    assert decided(text, {"x": 1}).fired == ("B", "C")


def test_a_lock_on_active_rule_does_not_see_what_its_group_did() -> None:
    text = """
        rule A salience 1 no-loop {{ when x > 0 then y = 1; }}
        rule B {0} {{ when y == 1 then z = 1; }}
    """
    assert decided(text.format("lock-on-active"), {"x": 1}).fired == ("A",)
    assert decided(text.format("lock-on-active false"), {"x": 1}).fired == ("A", "B")


@pytest.mark.parametrize(
    "date", ["2026-03-01", "2026-03-01T00:00:00", "2026-03-01T00:00:00Z", "01-Mar-2026", "01-03-2026"]
)
def test_rules_hold_from_one_date_and_until_another(date: str) -> None:
    text = f"""
        rule New date-effective "{date}" {{ when x > 0 then y = 1; }}
        rule Old date-expires "{date}" {{ when x > 0 then y = 2; }}
    """
    assert decided(text, {"x": 1}, datetime(2026, 2, 28, 23, tzinfo=UTC)).fired == ("Old",)
    assert decided(text, {"x": 1}, datetime(2026, 3, 1, tzinfo=UTC)).fired == ("New",)


def test_the_date_comes_from_the_caller_or_a_declared_input_and_never_from_a_clock() -> None:
    text = 'rule New date-effective "2026-03-01" { when x > 0 then y = 1; }'
    with pytest.raises(InvalidInput, match="no rule asks a clock"):
        decided(text, {"x": 1})
    declared = "input today: text;\ninput x: integer;\n" + text.replace("x > 0", 'x > 0 && today != ""')
    assert decided(declared, {"x": 1, "today": "2026-03-02"}).fired == ("New",)
    assert decided(declared, {"x": 1, "today": "2026-02-02"}).fired == ()
    with pytest.raises(InvalidInput, match="'soon' is no date"):
        decided(declared, {"x": 1, "today": "soon"})


def test_no_loop_is_per_evaluation_and_per_set_of_facts() -> None:
    found = book(when("$o: Order(amount < 1000)", "$o.amount = $o.amount + 1;", "no-loop"))
    assert found.decide(ORDERS).fired == ("R", "R", "R")
    assert found.decide(ORDERS).fired == ("R", "R", "R")


def test_rules_that_never_settle_are_stopped_and_named() -> None:
    text = "rule Up { when n < 2 then n = n + 1; } rule Down { when n > 0 then n = n - 1; }" + when("true", "m = 1;")
    with pytest.raises(RuleError, match=r"do not settle within 10000 firings; still firing: (Up, Down|Down, Up)\."):
        decided(text, {})


def test_a_query_runs_only_the_rules_that_its_goal_needs() -> None:
    text = """
        rule Total salience 3 no-loop { when quantity > 0 then total = quantity * price; }
        rule Big no-loop { when total > 100 then big = true; }
        rule Other no-loop { when total > 0 then other = round(1 / zero, 2); }
        query "big" {
            goal: big == true
            on-success: { answer = "yes"; LogMessage("big"); }
            on-failure: { answer = "no"; }
            on-missing: { answer = "unknown"; }
        }
        query "shallow" { goal: big == true max-depth: 1 }
    """
    found = book(text)
    yes = found.ask("big", {"quantity": 20, "price": 10})
    assert (yes.proved, yes.fired, yes.outputs, yes.cut) == (True, ("Total", "Big"), {"answer": "yes"}, False)
    assert found.ask("big", {"quantity": 2, "price": 10}).outputs == {"answer": "no"}
    missing = found.ask("big", {"quantity": 2})
    assert (missing.outputs, missing.missing) == ({"answer": "unknown"}, ("price",))
    assert found.ask("shallow", {"total": 0}).cut
    with pytest.raises(InvalidInput, match="Did you mean big"):
        found.ask("bik", {})


def test_a_query_over_facts_gives_its_solutions() -> None:
    text = 'query "gold" { goal: $c: Customer(tier == "gold") AND $o: Order(customer == $c.id) max-solutions: 5 }'
    found = book(text).ask("gold", ORDERS)
    assert [one["$o.customer"] for one in found.solutions] == ["a", "a"]
    assert not book(text).ask("gold", {}).proved


def test_modules_see_only_what_they_import() -> None:
    text = """
        defmodule LINE { export: Line* }
        defmodule ORDER { export: none import: LINE (rules Line*) }
        ;; MODULE: LINE
        rule LineTotal { when x > 0 then total = x * 2; }
        rule Hidden { when x > 0 then secret = 1; }
        ;; MODULE: ORDER
        rule Big { when %s > 5 then big = true; }
    """
    assert decided(text % "total", {"x": 3}).fired == ("LineTotal", "Hidden", "Big")
    with pytest.raises(RuleError, match="'secret' is set by module LINE, from which ORDER does not import it"):
        book(text % "secret")


def test_modules_that_import_one_another_in_a_circle_are_refused() -> None:
    text = "defmodule A { export: all import: B (rules *) }\ndefmodule B { export: all import: A (rules *) }"
    with pytest.raises(RuleError, match="in a circle: A imports B imports A"):
        book(text)
    with pytest.raises(RuleError, match="did you mean LINES"):
        book("defmodule A { export: all import: LINE (rules *) }\ndefmodule LINES { export: all }")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (when("$o: Order(x > 1) && $p: Order(y == $q.x)"), r"'\$q' is not bound before this"),
        (when("$o: Order(x > 1) && $o: Order(x > 2)"), r"'\$o' is bound twice"),
        (when("$o: Order(x > 1) && $o > 3"), r"'\$o' is a whole fact"),
        (when("$o: Order(exists(Line(x > 1)))"), "A pattern cannot stand inside a pattern"),
        (when("$o: Order(x > 1)", "retract($p);"), "'retract' takes a fact that a pattern"),
        (when("$o: Order(x > 1)", "$p.x = 1;"), r"'\$p' is no fact here"),
        (when("exists($o: Order(x > 1))", "$o.x = 1;"), r"'\$o' is no fact here"),
        (when("$o: Order(x > 1)", "$o.save();"), r"Methods \('\$o.save"),
        (when("$o: Order(x > 1)", "$o.setX(1, 2);"), r"Methods \('\$o.setX"),
        (when("$o: Order(x > 1)", 'sendMail("a");'), "There is no action 'sendMail'"),
        (when("$o: Order(x > 1)", 'ScheduleRule(5, "a");'), "cannot schedule another"),
        (when("$o: Order(x > 1)", 'ActivateAgendaGroup("none");'), "No rule is in the agenda group 'none'"),
        (when("$o: Order(x > 1)", "list += 1;"), "'\\+=' appends to a list of a fact"),
        (when("$o: Order(x > 'a')"), "compares|Expected|compared"),
        (when("$o: Order(tags count > 1)", "$o.tags = 1;"), "is a list; add to it"),
        (when("x + 1 == null"), "Only an input or a field of a fact may be absent"),
        (
            when("Order(x > 1)") + when("Order.x > 1").replace("rule R", "rule S"),
            "'Order.x' is a field of a fact, and no",
        ),
        (when("Order(x > 1)") + when("y > 1", "Order.x = 1;").replace("rule R", "rule S"), "'Order.x' is a field of a"),
        (when("Order.items empty"), "'Order.items' is no list of a fact that a pattern found"),
        (when("items first $x && $x == 1"), "'items' is no list of a fact"),
        (when("forall(Order())"), "'forall' needs a condition"),
        (when("forall(x > 1)"), "'forall' begins with one pattern"),
        (when("$o: Order(tags collect $x)"), "'collect' is not supported"),
        (when("x > 0", attributes='date-effective "soon"'), "'soon' is no date"),
        (when("x > 0", attributes='agenda-group "a" ruleflow-group "b"'), "A rule is in one group"),
        ('query "q" { goal: p(?x) }', "'p' has no field for this argument"),
        ('query "q" { goal: x > 1 } query "q" { goal: x > 1 }', "already a query 'q'"),
        ("input Order.x: integer;\n" + when("$o: Order(x > 1, y > 1)"), "There is no field 'Order.y'"),
        ("input Order.x: integer;\n" + when("$o: Order(x > 1)", "$o.x = 1;"), "'Order.x' is an input"),
        (
            when(
                "$o: Order(" + " || ".join(f"x == {at}" for at in range(9)) + ") || " + " || ".join(["A(x > 1)"] * 33)
            ),
            "more than 32",
        ),
    ],
)
def test_what_is_wrong_with_facts_is_refused_by_name_with_a_place(text: str, message: str) -> None:
    with pytest.raises(RuleError, match=message) as caught:
        book(text)
    assert caught.value.line >= 1


def test_a_fact_without_a_field_that_rules_read_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(
        InvalidInput, match=r"Order\.amount: This field of a fact is missing. Did you mean 'amount' by 'amuont'"
    ):
        decided(when("$o: Order(amount > 1)"), {"Order": [{"amuont": 3}]})
    with pytest.raises(InvalidInput, match="A float has already lost digits"):
        decided(when("$o: Order(amount > 1)"), {"Order": [{"amount": 0.5}]})
    with pytest.raises(InvalidInput, match="A fact is an object"):
        decided(when("$o: Order(amount > 1)"), {"Order": [3]})


def test_a_declared_field_of_a_type_is_checked_when_given_and_when_written() -> None:
    text = "input Order.amount: decimal(5,2) in 0..100;\noutput Order.half: decimal(5,2) in 0..40;\n"
    text += when("$o: Order(amount > 1)", "$o.half = round($o.amount / 2, 2);", "no-loop")
    assert decided(text, {"Order": [{"amount": 25}]}).facts["Order"][0]["half"] == Decimal("12.5")
    with pytest.raises(InvalidInput, match="outside 0 to 100"):
        decided(text, {"Order": [{"amount": 101}]})
    with pytest.raises(RuleError, match=r"Rule R cannot set Order.half: 50 is outside 0\.\.40"):
        decided(text, {"Order": [{"amount": 100}]})


def test_an_action_that_reads_an_absent_field_is_refused() -> None:
    text = when("$c: Customer(id != 'x') && (has($c.mail) || true)", "$c.copy = $c.mail;", "no-loop")
    with pytest.raises(RuleError, match=r"\$c.mail is absent; test it with has"):
        decided(text, ORDERS)


def test_the_published_rules_give_the_same_decision_on_the_agenda() -> None:
    from rules_world import GOLDEN, PUBLISHED, PUBLISHED_TEXT, golden_facts

    agenda = FactRulebook.parse(PUBLISHED_TEXT, "published.grl")
    for key in GOLDEN:
        expected = PUBLISHED.decide(golden_facts(key))
        found = agenda.decide(golden_facts(key))
        assert (found.outputs, found.fired) == (expected.outputs, expected.fired)


def test_any_text_is_checked_and_loaded_as_what_it_is() -> None:
    from rules_world import PUBLISHED_TEXT

    from restock.engine.rules import check, load

    facts = when("$o: Order(x > 1)") + 'query "q" { goal: exists(Order(x > 2)) }'
    assert check(facts, "facts.grl") == []
    assert (
        load(facts, "facts.grl").summary()
        == "facts.grl: 1 rules over 1 types of facts, 1 queries; engines: agenda, network"
    )
    assert "15 rules, 8 inputs" in load(PUBLISHED_TEXT, "published.grl").summary()
    wrong = (
        when("$o: Order(x > 1)", "sendMail();")
        + "rule S { when $o: Order(y > $p.z) then hit = true; }\nrule T { when x > }"
    )
    assert [error.line for error in check(wrong, "facts.grl")] == [1, 2, 3]
