"""Windows over streams: what is in them at any time, and that the rules follow when it goes."""

from __future__ import annotations

from random import Random

import pytest
from test_network import assert_from_scratch

from restock.core.errors import InvalidInput
from restock.engine.rules.fact_rulebook import FactRulebook
from restock.engine.rules.network import Network, Streams


def streams(condition: str) -> tuple[Network, Streams]:
    book = FactRulebook.parse(f"rule R {{ when {condition} then $c.hits = 1; hit = true; }}", "windows.grl")
    network = Network(book)
    return network, Streams(network, book.program)


def hits(kind: str, times: list[int], look_at: int) -> int:
    """Count the events that a window of 10 ms holds at a time."""
    network, stream = streams(f'$c: from stream("s") over window(10 ms, {kind}) && test($c.x > 0)')
    for at in times:
        stream.record("s", {"x": 1}, at)
    stream.advance(look_at)
    network.fire_all()
    assert_from_scratch(network)
    assert network.state()[0]["hit"] is bool(network.matches())
    return len(network.matches())


@pytest.mark.parametrize(
    ("kind", "times", "look_at", "inside"),
    [
        ("sliding", [0, 5, 9], 9, 3),
        ("sliding", [0, 5, 9], 10, 2),
        ("sliding", [0, 5, 9], 19, 0),
        ("tumbling", [0, 5, 9], 9, 3),
        ("tumbling", [0, 5, 9], 10, 0),
        ("tumbling", [8, 12, 19], 19, 2),
        ("session", [0, 8, 16, 24], 30, 4),
        ("session", [0, 8, 16, 24], 34, 0),
        ("session", [0, 8, 20, 24], 25, 2),
    ],
)
def test_a_window_holds_what_belongs_to_its_time(kind: str, times: list[int], look_at: int, inside: int) -> None:
    assert hits(kind, times, look_at) == inside


def test_streams_join_on_their_fields_and_the_result_goes_with_the_window() -> None:
    text = """
        rule Bought {
            when
                click: from stream("clicks") over window(5 s, sliding) && $o: Order from stream("orders") &&
                click.user == $o.user && accumulate(Visit($v: id, user == $o.user), count($v)) > 0
            then $o.fromClick = true;
        }
    """
    book = FactRulebook.parse(text, "windows.grl")
    network = Network(book)
    stream = Streams(network, book.program)
    network.insert("Visit", {"id": 1, "user": "u"})
    stream.record("clicks", {"user": "u"}, 0)
    stream.record("orders", {"user": "u"}, 1_000)
    assert network.fire_all() == ("Bought",)
    stream.advance(5_000)
    network.fire_all()
    assert network.matches() == set()
    assert_from_scratch(network)


def test_random_events_leave_the_state_of_an_evaluation_from_scratch() -> None:
    random = Random(5)
    network, stream = streams(
        'a: from stream("s") over window(7 ms, session) && $c: from stream("t") over window(9 ms) && test(a.x < $c.x)'
    )
    for _ in range(150):
        stream.record(random.choice("st"), {"x": random.randrange(5)}, stream.now_ms + random.randrange(6))
        network.fire_all()
        assert_from_scratch(network)


def test_time_does_not_go_back_and_streams_have_names() -> None:
    _, stream = streams('$c: from stream("orders") && $c.x > 0')
    stream.record("orders", {"x": 1}, 10)
    with pytest.raises(InvalidInput, match="does not go back to 9 ms"):
        stream.record("orders", {"x": 1}, 9)
    with pytest.raises(InvalidInput, match="Did you mean orders"):
        stream.record("order", {"x": 1}, 11)


def test_the_agenda_refuses_streams_and_names_the_engine_that_runs_them() -> None:
    book = FactRulebook.parse('rule R { when $c: from stream("s") && $c.x > 0 then y = 1; }', "windows.grl")
    with pytest.raises(InvalidInput, match="Run them on the network"):
        book.decide({})
