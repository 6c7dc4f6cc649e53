"""How often Python's garbage collector looks: seldom, where much is made that reference counts free by themselves.

Cycles come with exceptions only. At Python's own threshold the collector walks through the objects of every cohort and
every batch that is under way: 4 % of a processor in the server, 20 % of a plan, for nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

COLLECT_AFTER = (50_000, 20, 50)
"""Objects between collections: some twenty cohorts; then as seldom for the older generations."""


@contextmanager
def collected_seldom() -> Iterator[None]:
    """Let the collector look seldom inside; what is loaded by then it does not look at at all. Nests."""
    before = gc.get_threshold()
    if before != COLLECT_AFTER:
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)
    try:
        yield
    finally:
        if before != COLLECT_AFTER:
            gc.set_threshold(*before)
            gc.unfreeze()
