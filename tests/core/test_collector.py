"""The collector looks seldom where that is asked for, and as before afterwards."""

from __future__ import annotations

import gc

from restock.core.collector import COLLECT_AFTER, collected_seldom


def test_the_collector_is_as_before_afterwards_also_when_nested_and_on_an_error() -> None:
    before = gc.get_threshold()
    with collected_seldom():
        assert gc.get_threshold() == COLLECT_AFTER
        try:
            with collected_seldom():
                raise KeyError
        except KeyError:
            assert gc.get_threshold() == COLLECT_AFTER
    assert gc.get_threshold() == before
