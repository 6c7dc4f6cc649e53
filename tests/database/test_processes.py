"""Several processes write one file, and processes die at the worst moment."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from notebook import ADD, PUT, Notebook, note
from notebook_child import ADDS, PIECES

from restock.adapters.database import sqlite as adapter
from restock.adapters.database.embedded import backup, exclusive
from restock.core.errors import Unavailable
from restock.core.failpoint import KILLED
from restock.engine.database import Transaction

CHILD = Path(__file__).parent / "notebook_child.py"


def child(work: str, home: Path, name: str = "a", **settings: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, str(CHILD), work, str(home), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **settings},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def start(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def killed_after(process: subprocess.Popen[str], count: int) -> list[str]:
    """Read so many acknowledgements, then kill -9, then read what was still said."""
    assert process.stdout is not None
    said = [process.stdout.readline().strip() for _ in range(count)]
    process.send_signal(signal.SIGKILL)
    return said + process.communicate()[0].split("\n")[:-1]


async def shared_number(home: Path) -> None:
    notebook = Notebook(home)

    async def unit(tx: Transaction) -> None:
        await tx.write(PUT, note("shared", 0))

    await notebook.left.write("put", unit)
    await notebook.close()


async def test_two_processes_write_one_file_at_once_and_lose_nothing(home: Path) -> None:
    await shared_number(home)
    processes = [child("add", home, name) for name in "ab"]
    for process in processes:
        start(process)
    said = [line for process in processes for line in process.communicate(timeout=50)[0].split()]
    assert [process.returncode for process in processes] == [0, 0]
    notebook = Notebook(home)
    rows = {key: number for key, _, number in await notebook.rows()}
    await notebook.close()
    assert rows.pop("shared") == 2 * ADDS, "no update is lost"
    assert sorted(rows) == sorted(said) == [f"{name}-{number:04}" for name in "ab" for number in range(ADDS)]


async def test_what_was_acknowledged_survives_kill_9_and_the_rest_is_whole_or_absent(home: Path) -> None:
    for name in "abc":
        process = child("for-ever", home, name)
        start(process)
        said = killed_after(process, 60)
        notebook = Notebook(home)
        keys = set(await notebook.keys())
        await notebook.close()
        assert all(f"{one}-{piece}" in keys for one in said for piece in range(PIECES))
        units = {key.rpartition("-")[0] for key in keys}
        assert len(keys) == len(units) * PIECES, "a unit of three rows is there whole or not at all"


@pytest.mark.parametrize(("failpoint", "there"), [("left.add.before:7", False), ("left.add.after:7", True)])
async def test_a_failpoint_stands_on_either_side_of_the_commit(home: Path, failpoint: str, there: bool) -> None:
    process = child("for-ever", home, RESTOCK_FAILPOINT=failpoint)
    start(process)
    said = process.communicate(timeout=30)[0].split()
    assert process.returncode == KILLED
    notebook = Notebook(home)
    keys = await notebook.keys()
    await notebook.close()
    assert len(said) == 5, "the second group was never acknowledged"
    assert len(keys) == (10 if there else 5) * PIECES


async def test_a_writer_waits_for_another_process_and_gives_up_in_time(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(notebook.left.path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.2, other.execute, ["ROLLBACK"])
        timer.start()
        assert await notebook.add("patient") == 1
        timer.join()
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(adapter, "LOCK_WAIT_SECONDS", 0.1)
        with pytest.raises(Unavailable) as refused:
            await notebook.add("impatient")
        assert refused.value.remedy
        assert await notebook.keys() == ["patient"], "reads go on"
        other.execute("ROLLBACK")
    assert await notebook.add("later") == 1


async def test_a_handle_notices_that_another_process_committed(home: Path) -> None:
    one, other = Notebook(home), Notebook(home)
    before = await one.left.changes()
    await one.add("own")
    await other.add("foreign")
    assert await one.left.changes() != before
    assert await one.keys() == ["foreign", "own"]
    await one.close()
    await other.close()


async def test_a_backup_beside_a_writer_is_one_cut_through_both_databases(home: Path, tmp_path: Path) -> None:
    process = child("count", home)
    start(process)
    counts = []
    assert process.stdout is not None
    for number in range(15):
        for _ in range(5):
            process.stdout.readline()
        target = tmp_path / f"backup-{number}"
        files = backup(home, target)
        pair = []
        for path in sorted(files):
            with closing(sqlite3.connect(path)) as copy:
                assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                pair.append(copy.execute("SELECT number FROM note").fetchone()[0])
        counts.append(pair)
    process.kill()
    process.communicate()
    assert counts[-1][0] > counts[0][0], "the writer went on"
    assert all(left - right in {0, 1} for left, right in counts), counts


def test_the_lock_of_a_home_is_held_once_and_freed_by_kill_9(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from restock.adapters.database.embedded import exclusive\n"
        "with exclusive(Path(sys.argv[1]), 'server', 'busy'): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(Unavailable, match="Somebody"), exclusive(tmp_path, "server", "Somebody has it."):
        pass
    holder.kill()
    holder.communicate()
    with exclusive(tmp_path, "server", "Somebody has it."):
        pass


async def test_a_write_of_this_process_is_no_foreign_change_for_its_reader_to_miss(notebook: Notebook) -> None:
    async def unit(tx: Transaction) -> None:
        await tx.write(ADD, note("x"))

    await notebook.left.write("add", unit)
    assert await notebook.keys() == ["x"]
