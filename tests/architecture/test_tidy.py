"""The source keeps its own limits. `docs/explanation/style.md` gives the reason of each; `checks.py` says what is found."""

from __future__ import annotations

import checks
import pytest
from project_files import none, python_files, source_files

EVERYWHERE = [
    (checks.too_long_file, "Split the file where its second subject begins."),
    (checks.too_long_function, "Give a step of the function a name and let it stand alone."),
    (checks.vague_name, "Name the module after what it holds, or put its functions where they are used."),
    (checks.blanket_suppression, "Write which rule is switched off and why: `# noqa: S311 - seeds a simulation`."),
]
IN_THE_PRODUCT = [
    (checks.missing_docstring, "Say in one sentence what it promises."),
    (checks.binary_float, "Count in Decimal or scaled int. A number that is no quantity: say so, `# float: seconds`."),
    (checks.printing, "Return the text and let edge/cli show it."),
    (checks.stray_write, "Write through a unit of work of the Database port, or from an adapter."),
    (checks.wall_clock, "Take a Clock (core/clock.py) and ask it, so that a test can stop time."),
    (checks.borrowed_execution, "Write a Statement; the Database port runs it. Quantities are columns.scaled."),
    (checks.uninjected_randomness, "Take Ids (core/ids.py), or a random source with a seed that the caller gives."),
]


@pytest.mark.parametrize(("check", "advice"), EVERYWHERE, ids=lambda value: getattr(value, "__name__", ""))
def test_no_file_has(check: checks.Check, advice: str) -> None:
    none([f"{file.path}:{line}: {what}" for file in python_files() for line, what in check(file)], advice)


@pytest.mark.parametrize(("check", "advice"), IN_THE_PRODUCT, ids=lambda value: getattr(value, "__name__", ""))
def test_no_module_has(check: checks.Check, advice: str) -> None:
    none([f"{file.path}:{line}: {what}" for file in source_files() for line, what in check(file)], advice)
