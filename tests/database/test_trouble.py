"""Full disks, damaged and foreign files, missing rights: refused with what to do, nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from notebook import ADD, ADD_BLOB, NAMES, SCHEMA, Notebook, copied_home, note

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.core.errors import StorageFull, StorageUnusable
from restock.engine.database import Transaction

BLOB = "x" * 20_000


async def fill(notebook: Notebook, first: int = 0) -> list[str]:
    """Write until the disk is full; give the keys that were acknowledged."""
    said: list[str] = []

    async def one(number: int) -> None:
        async def unit(tx: Transaction) -> None:
            await tx.write(ADD, note(f"{number:05}"))
            await tx.write(ADD_BLOB, {"key": str(number), "text": BLOB})

        await notebook.left.write("fill", unit)
        said.append(f"{number:05}")

    for start in range(first, first + 10_000, 4):
        results = await asyncio.gather(*(one(number) for number in range(start, start + 4)), return_exceptions=True)
        problems = [result for result in results if result is not None]
        if problems:
            assert all(isinstance(problem, StorageFull) and problem.remedy for problem in problems), problems
            return said
    raise AssertionError("the disk never got full")


async def check_full(notebook: Notebook) -> None:
    said = await fill(notebook)
    assert said
    assert set(await notebook.keys()) == set(said), "what was acknowledged is there, nothing else is"
    said += await fill(notebook, 20_000)
    assert set(await notebook.keys()) == set(said)


async def test_a_database_at_its_limit_refuses_writes_whole_and_still_reads(notebook: Notebook) -> None:
    writer = notebook.left._writer
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count={pages + 60}")
    await check_full(notebook)
    writer.execute("PRAGMA max_page_count=1000000")
    assert await notebook.add("after") == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1500k", "restock-test", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_a_full_disk_refuses_writes_whole_and_still_reads(small_disk: Path) -> None:
    notebook = Notebook(copied_home(small_disk / "home"))
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"0" * 200_000)
    await check_full(notebook)
    ballast.unlink()
    assert await notebook.add("after") == 1
    await notebook.close()


def corrupt(path: Path, where: int, what: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(where)
        file.write(what)


def test_a_file_that_is_no_database_is_refused_and_left_alone(home: Path) -> None:
    path = home / "stores" / "left.db"
    path.write_bytes(b"These are my notes. " * 500)
    before = path.read_bytes()
    with pytest.raises(StorageUnusable, match="no database") as refused:
        Notebook(home)
    assert refused.value.remedy
    assert path.read_bytes() == before


async def test_a_damaged_page_is_said_when_it_is_read(home: Path) -> None:
    notebook = Notebook(home)
    await notebook.add(*(f"{number:05}" for number in range(2000)))
    await notebook.close()
    path = home / "stores" / "left.db"
    for page in range(2, path.stat().st_size // 4096):
        corrupt(path, page * 4096, b"\xff" * 64)
    notebook = Notebook(home)
    with pytest.raises(StorageUnusable) as refused:
        await notebook.keys()
    assert "backup" in refused.value.remedy
    await notebook.close()


async def test_a_store_of_a_newer_program_is_refused_and_left_alone(home: Path) -> None:
    path = home / "stores" / "right.db"
    with closing(sqlite3.connect(path)) as file:
        file.execute(f"UPDATE {SCHEMA.version_table} SET version_num = '0099'")
        file.commit()
    before = path.read_bytes()
    with pytest.raises(StorageUnusable, match="newer") as refused:
        Notebook(home)
    assert refused.value.remedy
    assert path.read_bytes() == before


@pytest.mark.parametrize("left", [None, b""])
async def test_a_store_that_vanished_is_missed_and_not_made_anew(home: Path, left: bytes | None) -> None:
    schemas = {"notebook": [SCHEMA], "other": [SCHEMA]}
    await EmbeddedDatabases(home, schemas).close()
    lost = home / "stores" / "other.db"
    for path in lost.parent.glob("other.db*"):
        path.unlink()
    if left is not None:
        lost.write_bytes(left)
    with pytest.raises(StorageUnusable, match=r"other\.db is (missing|empty)") as refusal:
        EmbeddedDatabases(home, schemas)
    assert "restock restore" in refusal.value.remedy
    assert not lost.exists() or not lost.stat().st_size, "nothing was made in its place"


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(StorageUnusable) as refused:
        Notebook(tmp_path / "home")
    assert "RESTOCK_HOME" in refused.value.remedy


PROGRAM = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from notebook import Notebook
from restock.core.errors import RestockError

async def main():
    try:
        notebook = Notebook(Path(sys.argv[1]))
    except RestockError as error:
        return type(error).__name__, bool(error.remedy)
    try:
        await notebook.add("x")
    except RestockError as error:
        return type(error).__name__, bool(error.remedy)
    finally:
        await notebook.close()

print(asyncio.run(main()))
"""


@pytest.mark.parametrize("made", [True, False], ids=["with stores", "without stores"])
def test_a_folder_without_the_right_to_write_is_refused_with_what_to_do(tmp_path: Path, made: bool) -> None:
    home = copied_home(tmp_path / "home") if made else tmp_path
    folders = [home, home / "stores"] if made else [home]
    for folder in folders:
        folder.chmod(0o500)
    try:
        said = run_program(home, *AS_ANYBODY)
    finally:
        for folder in folders:
            folder.chmod(0o700)
    assert said == "('StorageUnusable', True)"


@pytest.mark.parametrize("made", [True, False], ids=["with stores", "without stores"])
def test_a_disk_mounted_read_only_is_refused_with_what_to_do(small_disk: Path, made: bool) -> None:
    home = copied_home(small_disk / "home") if made else small_disk / "home"
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert run_program(home) == "('StorageUnusable', True)"


AS_ANYBODY = ("setpriv", "--bounding-set=-dac_override") if os.geteuid() == 0 else ()
"""The super-user without its privilege to write where the mode forbids it: what others are from the start."""


def run_program(home: Path, *prefix: str) -> str:
    ended = subprocess.run(
        [*prefix, sys.executable, "-c", PROGRAM, str(home), str(Path(__file__).parent)],
        check=False,
        capture_output=True,
        text=True,
    )
    return ended.stdout.strip() or ended.stderr


async def test_opening_a_current_home_again_changes_nothing(home: Path) -> None:
    notebook = Notebook(home)
    await notebook.add("a")
    await notebook.close()
    for _ in range(2):
        notebook = Notebook(home)
        assert await notebook.keys() == ["a"]
        await notebook.close()


async def test_first_starts_at_once_make_one_set_of_tables(tmp_path: Path) -> None:
    program = (
        "import sys, asyncio; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from notebook import Notebook\n"
        "async def main():\n"
        "    notebook = Notebook(Path(sys.argv[1])); await notebook.add(sys.argv[3]); await notebook.close()\n"
        "asyncio.run(main())"
    )
    folder = str(Path(__file__).parent)
    command = [sys.executable, "-c", program, str(tmp_path), folder]
    starts = [await asyncio.create_subprocess_exec(*command, name, stderr=subprocess.PIPE) for name in "abc"]
    for process in starts:
        _, problem = await process.communicate()
        assert process.returncode == 0, problem.decode()
    databases = EmbeddedDatabases(tmp_path, {name: [SCHEMA] for name in NAMES})
    await databases.close()
    notebook = Notebook(tmp_path)
    assert await notebook.keys() == ["a", "b", "c"]
    await notebook.close()
