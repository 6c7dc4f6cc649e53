"""The ballast: let go before the disk is full or when a write was refused, taken up again once there is room."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from restock.adapters.database.ballast import Ballast, free_bytes
from restock.adapters.database.embedded import EmbeddedDatabases
from restock.adapters.database.presence import FilePresence
from restock.core.clock import SystemClock
from restock.core.errors import StorageFull, StorageUnusable
from restock.engine.stream import SCHEMA, EmbeddedLog, Message, Retention

SIZE = 1 << 20


class Disk:
    """Says how much is free: what was set, and what the ballast gave back."""

    def __init__(self, home: Path) -> None:
        self.left = 10 * SIZE
        self._file = home / "ballast"

    def __call__(self, _folder: Path) -> int:
        held = self._file.stat().st_size if self._file.exists() else 0
        return self.left - held


@pytest.fixture
def disk(home: Path) -> Disk:
    home.mkdir(parents=True, exist_ok=True)
    return Disk(home)


@pytest.fixture
def ballast(home: Path, disk: Disk) -> Ballast:
    return Ballast(home, SIZE, disk)


def test_it_takes_its_room_and_nothing_is_refused(ballast: Ballast, home: Path) -> None:
    ballast.check()
    ballast.watch()
    file = (home / "ballast").stat()
    assert (file.st_size, file.st_blocks * 512 >= SIZE) == (SIZE, True), "the room is really taken"
    ballast.check()


def test_it_goes_before_the_disk_is_full_and_comes_back_with_room_to_spare(ballast: Ballast, disk: Disk) -> None:
    ballast.watch()
    disk.left = SIZE + SIZE // 4
    ballast.watch()
    ballast.check()
    disk.left -= 1
    ballast.watch()
    assert ballast.is_gone
    with pytest.raises(StorageFull, match="nearly full") as refused:
        ballast.check()
    assert "2 MiB" in refused.value.remedy
    disk.left = 2 * SIZE - 1
    ballast.watch()
    assert ballast.is_gone, "as much must be left besides"
    disk.left = 2 * SIZE
    ballast.watch()
    ballast.check()
    ballast.watch()
    assert not ballast.is_gone, "and then it stays"


def test_every_process_of_the_home_sees_it(ballast: Ballast, disk: Disk, home: Path) -> None:
    ballast.watch()
    other = Ballast(home, SIZE, disk)
    disk.left = SIZE
    other.let_go()
    with pytest.raises(StorageFull):
        ballast.check()


def test_a_store_that_is_full_on_a_disk_with_room_takes_no_ballast(ballast: Ballast) -> None:
    ballast.watch()
    ballast.let_go()
    assert not ballast.is_gone


def test_where_there_is_no_room_for_it_from_the_start_orders_are_refused(ballast: Ballast, disk: Disk) -> None:
    disk.left = SIZE
    ballast.watch()
    with pytest.raises(StorageFull):
        ballast.check()


def test_a_home_that_keeps_none_refuses_nothing(home: Path, disk: Disk, ballast: Ballast) -> None:
    ballast.watch()
    none = Ballast(home, 0, disk)
    none.watch()
    assert not (home / "ballast").exists()
    disk.left = 0
    none.watch()
    none.let_go()
    none.check()


def test_another_size_is_taken_up(home: Path, disk: Disk, ballast: Ballast) -> None:
    ballast.watch()
    Ballast(home, 2 * SIZE, disk).watch()
    assert (home / "ballast").stat().st_size == 2 * SIZE


async def test_a_folder_that_cannot_be_written_is_told(home: Path) -> None:
    ballast = Ballast(home / "nowhere", SIZE)
    watching = asyncio.create_task(ballast.run())
    await asyncio.sleep(0)
    assert isinstance(ballast.problem, StorageUnusable)
    watching.cancel()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "restock-test", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_on_a_disk_that_is_really_full_old_records_are_forgotten_in_its_room(small_disk: Path) -> None:
    """Without it even deleting is refused: the disk could be left by nobody."""
    databases = EmbeddedDatabases(small_disk, {"stream": [SCHEMA]})
    ballast = Ballast(small_disk, 2 << 20)
    log = EmbeddedLog(databases["stream"], SystemClock(), FilePresence(small_disk))
    await log.create_topic("orders", 1, Retention(bytes=100_000))
    ballast.watch()
    stored = 0
    with pytest.raises(StorageFull):
        while True:
            await log.publish([Message("orders", "k", b"x" * 20_000)])
            stored += 1
    assert free_bytes(small_disk) < 100_000
    with pytest.raises(StorageFull):
        await log.expire()
    databases["stream"].on_full.append(ballast.let_go)
    with pytest.raises(StorageFull):
        await log.publish([Message("orders", "k", b"x" * 20_000)])
    assert ballast.is_gone
    forgotten = 0
    while count := await log.expire():
        forgotten += count
    assert stored - forgotten == len(await log.read("orders", 0, forgotten, 1000)) < 7
    for _ in range(50):
        await log.publish([Message("orders", "k", b"x" * 20_000)])  # what was freed is used again
    await databases.close()
