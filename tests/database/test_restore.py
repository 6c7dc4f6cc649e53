"""A backup is put in the place of the stores whole, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from notebook import NAMES, Notebook, copied_home

from restock.adapters.database import embedded
from restock.adapters.database.embedded import backup, finish_restore, restore
from restock.core.errors import InvalidInput, StorageUnusable


class PowerCut(BaseException):
    """Ends a restore at one step."""


async def with_notes(home: Path, *keys: str) -> Path:
    notebook = Notebook(home)
    await notebook.add(*keys)
    await notebook.close()
    return home


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def notes(home: Path) -> list[str]:
    notebook = Notebook(home)
    keys = await notebook.keys()
    await notebook.close()
    return keys


@pytest.fixture
async def kept(home: Path, tmp_path: Path) -> Path:
    """A backup that holds the note 'old'; the home has gone on to 'old' and 'new'."""
    await with_notes(home, "old")
    backup(home, tmp_path / "kept")
    await with_notes(home, "new")
    return tmp_path / "kept"


async def test_a_restore_brings_back_what_was_kept(home: Path, kept: Path) -> None:
    files = restore(kept, home, NAMES)
    assert sorted(path.name for path in files) == ["left.db", "right.db"]
    assert await notes(home) == ["old"]
    assert not {"stores.incoming", "stores.ready", "stores.old"} & names_in(home)


def test_a_restore_leaves_the_backup_as_it_found_it(home: Path, kept: Path) -> None:
    restore(kept, home, NAMES)
    assert names_in(kept) == {"left.db", "right.db"}


async def test_a_restore_makes_a_home_that_was_not_there(kept: Path, tmp_path: Path) -> None:
    restore(kept, tmp_path / "elsewhere", NAMES)
    assert await notes(tmp_path / "elsewhere") == ["old"]


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def scribbled(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)


def foreign(path: Path) -> None:
    path.write_bytes(b"no database at all " * 300)


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (Path.unlink, InvalidInput),
        (half, StorageUnusable),
        (scribbled, StorageUnusable),
        (foreign, StorageUnusable),
    ],
)
@pytest.mark.parametrize("name", ["left.db", "right.db"])
async def test_a_backup_that_is_not_whole_is_refused_and_nothing_is_touched(
    home: Path, kept: Path, damage: Callable[[Path], None], error: type[Exception], name: str
) -> None:
    damage(kept / name)
    with pytest.raises(error) as refused:
        restore(kept, home, NAMES)
    assert getattr(refused.value, "remedy", "")
    assert await notes(home) == ["new", "old"]


def cut_at(monkeypatch: pytest.MonkeyPatch, target: object, name: str, at: int, *, after: bool) -> None:
    real = getattr(target, name)
    calls = 0

    def step(*given: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if calls == at and not after:
            raise PowerCut
        result = real(*given, **named)
        if calls == at:
            raise PowerCut
        return result

    monkeypatch.setattr(target, name, step)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("target", "name", "at", "expected"),
    [
        (shutil, "copyfile", 1, "old home"),
        (shutil, "copyfile", 2, "old home"),
        (Path, "touch", 1, "either"),
        (Path, "rename", 1, "restored"),
        (Path, "rename", 2, "restored"),
        (Path, "unlink", 1, "restored"),
    ],
)
async def test_a_crash_in_the_middle_leaves_the_old_stores_or_the_new_ones(
    home: Path,
    kept: Path,
    monkeypatch: pytest.MonkeyPatch,
    target: object,
    name: str,
    at: int,
    expected: str,
    after: bool,
) -> None:
    with monkeypatch.context() as patch:
        cut_at(patch, embedded.shutil if target is shutil else target, name, at, after=after)
        with pytest.raises(PowerCut):
            restore(kept, home, NAMES)
    found = await notes(home)
    restored = expected == "restored" or (expected == "either" and after)
    assert found == (["old"] if restored else ["new", "old"])
    assert await notes(home) == found
    restore(kept, home, NAMES)
    assert await notes(home) == ["old"]


def test_there_is_nothing_to_finish_in_an_ordinary_home(home: Path) -> None:
    before = sorted(home.rglob("*"))
    finish_restore(home)
    assert sorted(home.rglob("*")) == before


def test_a_backup_goes_into_an_empty_folder_only_and_comes_from_a_home(home: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        backup(tmp_path / "nowhere", tmp_path / "target")
    target = tmp_path / "target"
    target.mkdir(exist_ok=True)
    (target / "something").touch()
    with pytest.raises(InvalidInput):
        backup(home, target)
    assert [path.name for path in target.iterdir()] == ["something"]


@pytest.mark.parametrize(
    "folder",
    ["a b", "ünï", "100%25", "what?", "no#5"],
)
async def test_a_backup_may_lie_in_a_folder_of_any_name(tmp_path: Path, folder: str) -> None:
    home = await with_notes(copied_home(tmp_path / "home"), "old")
    target = tmp_path / folder
    backup(home, target)
    restore(target, home, NAMES)
    assert await notes(home) == ["old"]
    assert names_in(tmp_path) == {"home", folder}
