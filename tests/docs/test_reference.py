"""The reference says what the program says: its pages are what `make docs` would write."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from pages import ROOT

REFERENCE = ROOT / "docs" / "reference"


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_reference", ROOT / "docs" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def made() -> dict[str, str]:
    found: dict[str, str] = await generator().pages()
    return found


async def test_every_page_is_what_make_docs_would_write(made: dict[str, str]) -> None:
    stale = [
        name
        for name, text in made.items()
        if not (REFERENCE / name).exists() or (REFERENCE / name).read_text("utf-8") != text
    ]
    assert not stale, f"Run `make docs` and commit: {', '.join(stale)}."


BY_HAND = {"rule-semantics.md", "streamhouse.md"}
"""What rules mean, and where a published interface is left, is decided and not read from the program; lines name tests."""


async def test_no_page_stays_that_nobody_writes(made: dict[str, str]) -> None:
    assert {path.name for path in REFERENCE.glob("*.md")} == set(made) | BY_HAND


async def test_the_reference_shows_every_type_of_event_that_an_order_can_have(made: dict[str, str]) -> None:
    from restock.purchasing.model import MOVES

    missing = [
        kind for kind in ("PurchaseOrderCreated", "OrderPlaced", *MOVES) if f"### {kind}\n" not in made["events.md"]
    ]
    assert not missing


def test_the_contents_lists_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    pages = [
        str(path.relative_to(ROOT / "docs"))
        for folder in ("tutorial", "how-to", "reference", "explanation")
        for path in sorted(Path(ROOT / "docs" / folder).glob("*.md"))
    ]
    assert not [page for page in pages if f"({page})" not in index]
