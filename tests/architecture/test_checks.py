"""Each tidy rule finds what it forbids and lets pass what it allows: a rule that sees nothing would look like tidiness."""

from __future__ import annotations

import checks
import pytest
from project_files import PythonFile

LONG = "x = 1\n"
FORBIDDEN = [
    (checks.too_long_file, "", LONG * 401),
    (checks.too_long_function, "", "def f():\n" + "    x = 1\n" * 60),
    (checks.too_long_function, "", "def f():\n    def g():\n" + "        x = 1\n" * 60),
    (checks.vague_name, "core/utils.py", ""),
    (checks.vague_name, "helper/text.py", ""),
    (checks.missing_docstring, "", "x = 1"),
    (checks.missing_docstring, "", '"""M."""\nclass C:\n    """C."""\n    async def m(self): ...'),
    (checks.binary_float, "core/money.py", "def price(x: float) -> int: ..."),
    (checks.binary_float, "units/model.py", "factor = 0.5"),
    (checks.binary_float, "engine/rules/row.py", "x = float('1')"),
    (checks.printing, "core/text.py", "print('x')"),
    (checks.blanket_suppression, "", "x = 1  # noqa"),
    (checks.blanket_suppression, "", "x = 1  # type: ignore"),
    (checks.stray_write, "orders/store.py", "import sqlite3\nsqlite3.connect('x')"),
    (checks.stray_write, "orders/store.py", "self.connection.commit()"),
    (checks.stray_write, "orders/store.py", "c.execute('COMMIT')"),
    (checks.stray_write, "app.py", "Path('x').write_text('y')"),
    (checks.stray_write, "app.py", "open('x', 'w')"),
    (checks.stray_write, "app.py", "path.open('ab')"),
    (checks.stray_write, "app.py", "open('x', mode='r+')"),
    (checks.stray_write, "app.py", "os.replace('x', 'y')"),
    (checks.wall_clock, "app.py", "datetime.now(UTC)"),
    (checks.wall_clock, "app.py", "datetime.datetime.utcnow()"),
    (checks.wall_clock, "app.py", "clock = time.time"),
    (checks.wall_clock, "app.py", "from time import time"),
    (checks.uninjected_randomness, "app.py", "import random\nrandom.random()"),
    (checks.uninjected_randomness, "app.py", "import uuid\nuuid.uuid4()"),
    (checks.uninjected_randomness, "app.py", "from random import shuffle"),
    (checks.uninjected_randomness, "app.py", "Random()"),
    (checks.borrowed_execution, "orders/store.py", "from sqlalchemy.orm import Session"),
    (checks.borrowed_execution, "orders/store.py", "from sqlalchemy import create_engine"),
    (checks.borrowed_execution, "orders/tables.py", "from sqlalchemy import Float"),
]
ALLOWED = [
    (checks.too_long_file, "", LONG * 400),
    (checks.too_long_function, "", "def f():\n" + "    x = 1\n" * 59),
    (checks.vague_name, "core/commonplace.py", ""),
    (checks.missing_docstring, "", '"""M."""\ndef _f(): ...\nclass C:\n    """C."""\n    def __repr__(self): ...'),
    (checks.binary_float, "core/money.py", "if isinstance(x, float): raise TypeError"),
    (checks.binary_float, "core/money.py", "wait = 0.5  # seconds as float, no quantity"),
    (checks.binary_float, "engine/graph/policy.py", "wait = 0.5"),
    (checks.printing, "edge/cli/show.py", "print('x')"),
    (checks.blanket_suppression, "", "x = 1  # noqa: S311 - a reason\ny = 1  # type: ignore[arg-type]  # why"),
    (checks.stray_write, "orders/store.py", "await stream.commit(group, offsets)\nopen('x')\nopen('x', 'rb')"),
    (checks.stray_write, "adapters/dispatch/file.py", "os.replace('x', 'y')"),
    (checks.wall_clock, "core/clock.py", "datetime.now(UTC)"),
    (checks.wall_clock, "app.py", "self._clock.now()\ntime.perf_counter()\ntime.monotonic()"),
    (checks.uninjected_randomness, "core/ids.py", "secrets.SystemRandom()"),
    (checks.uninjected_randomness, "app.py", "from random import Random\nRandom(seed)\nrandom.random()"),
    (checks.borrowed_execution, "orders/tables.py", "from sqlalchemy import BigInteger, select"),
    (checks.borrowed_execution, "adapters/database/embedded.py", "from sqlalchemy import create_engine"),
]


def found(check: checks.Check, place: str, text: str) -> list[tuple[int, str]]:
    return list(check(PythonFile(f"src/restock/{place or 'app.py'}", text)))


@pytest.mark.parametrize(("check", "place", "text"), FORBIDDEN)
def test_a_rule_finds_what_it_forbids(check: checks.Check, place: str, text: str) -> None:
    assert found(check, place, text)


@pytest.mark.parametrize(("check", "place", "text"), ALLOWED)
def test_a_rule_lets_pass_what_it_allows(check: checks.Check, place: str, text: str) -> None:
    assert found(check, place, text) == []
