"""Named places at which a test may kill the process, to prove that a restart gives the same result.

A failpoint stands before and after every durable write. `RESTOCK_FAILPOINT=name` (or `name:3` for its third passing)
ends the process there at once, as a power cut would; without it a passing costs one attribute look-up.
`RESTOCK_FAILPOINT_DWELL_MS=20` stays up to so long at every place, so that a kill from outside often hits the gap there.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from random import Random

KILLED = 137
"""Exit status of a process that a failpoint ended: what a shell reports for kill -9."""

_armed_name, _, _armed_count = os.environ.get("RESTOCK_FAILPOINT", "").partition(":")
_armed_at = int(_armed_count or 1)
_record_to = os.environ.get("RESTOCK_FAILPOINT_LOG", "")
_passed: Counter[str] = Counter()

_dwell_ms = int(os.environ.get("RESTOCK_FAILPOINT_DWELL_MS", "0"))
_dwells = Random(1)  # noqa: S311 - spreads waiting in tests

armed = bool(_armed_name or _record_to or _dwell_ms)
"""Whether anybody listens; hot code tests this before it builds a name."""


def failpoint(name: str) -> None:
    """Pass the named place; end the process here when a test asked for it."""
    if not armed:
        return
    _passed[name] += 1
    if _dwell_ms:
        time.sleep(_dwells.uniform(0, _dwell_ms / 1000))
    if _record_to:
        with open(_record_to, "a", encoding="ascii") as log:  # noqa: PTH123 - core uses plain paths
            log.write(name + "\n")
    if name == _armed_name and _passed[name] == _armed_at:
        os._exit(KILLED)
