"""Every command in the documentation runs, and prints what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import ROOT, agrees, commands, differences

LONG = 3
"""Commands of a page from which on its test is among the slow ones: each starts the program anew."""

PAGES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("tutorial", "how-to", "explanation")
    for path in (ROOT / "docs" / folder).glob("*.md")
    if any(commands(path.read_text("utf-8")))
)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            page, marks=[pytest.mark.slow] if len(list(commands((ROOT / page).read_text("utf-8")))) > LONG else []
        )
        for page in PAGES
    ],
)
def test_a_page_says_what_its_commands_print(page: str, tmp_path: Path) -> None:
    found = differences(ROOT / page, tmp_path / "work")
    assert not found, f"{page}\n\n" + "\n\n".join(found)


RUN_ELSEWHERE = {
    "docs/how-to/start-the-servers.md",
    "docs/how-to/run-on-kafka.md",
    "docs/how-to/deploy-with-compose.md",
    "docs/how-to/deploy-on-kubernetes.md",
}
"""They need real servers, for which a machine is asked first: `tests/scripts` and `tests/scenario` run what they tell.
Images and clusters nobody here has: their pages say so, and `tests/deploy` and `tests/scripts` hold what can be held."""


def test_tutorials_and_how_to_guides_have_commands_that_run() -> None:
    silent = {
        str(path.relative_to(ROOT))
        for folder in ("tutorial", "how-to")
        for path in (ROOT / "docs" / folder).glob("*.md")
        if not any(commands(path.read_text("utf-8")))
    }
    assert silent == RUN_ELSEWHERE


def test_every_fence_of_a_shell_is_one_that_runs() -> None:
    """A block of shell text under another name would never be run."""
    wrong = [
        f"{path.relative_to(ROOT)}: ```{name}"
        for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        for name in ("sh", "bash", "shell")
        if f"```{name}\n" in path.read_text("utf-8")
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        (["a … c"], "a b c\n", True),
        (["a … c"], "a b d\n", False),
        (["first", "…", "last"], "first\nmore\nand more\nlast\n", True),
        (["first", "…", "last"], "first\nlast\n", True),
        (["first", "…"], "first\n", True),
        (["first"], "first\nsecond\n", False),
        (["1.5 (each)"], "125 (each)\n", False),
    ],
)
def test_dots_stand_for_anything_and_nothing_else_does(expected: list[str], printed: str, same: bool) -> None:
    assert agrees(expected, printed) is same


def test_commands_are_found_with_their_continuation_and_output() -> None:
    page = "text\n\n```console\n$ one\n> more\nprinted\n\n$ two\n```\n\n```text\n$ not this\n```\n"
    assert [(found.line, found.text, found.expected) for found in commands(page)] == [
        (4, "one\nmore", ["printed", ""]),
        (8, "two", []),
    ]


def test_a_page_that_is_wrong_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo one\ntwo\n$ false\n$ echo three\n$ (exit 5)\n$ echo $?\n5\n```\n", "utf-8")
    found = differences(page, tmp_path / "work")
    assert [one.split("\n")[0] for one in found] == ["line 2: $ echo one", "line 4: $ false"]
