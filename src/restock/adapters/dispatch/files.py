"""The file channel: each purchase order as `<po_id>.json` and `<po_id>.pdf` in the outbox folder.

A file is whole or absent: it is written beside its place, flushed and renamed. Writing an order again gives the same bytes.
A busy server leaves the work to one process of lowest priority, so that rendering never takes time from accepting orders;
a short command does it in a thread.
"""

from __future__ import annotations

import asyncio
import errno
import multiprocessing
import os
import re
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from restock.adapters.dispatch.document import document
from restock.adapters.dispatch.process import settle
from restock.core.errors import InvalidInput, RestockError, StorageFull, StorageUnusable, Unavailable
from restock.core.failpoint import failpoint
from restock.purchasing.model import PurchaseOrder

PART = ".part"
"""How the name of a file ends while it is written; before it stands the number of the process that writes."""

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_FULL = (errno.ENOSPC, errno.EDQUOT)

Results = list[RestockError | None]


class OrderFiles:
    """Writes orders into a folder. Fulfils `restock.purchasing.dispatch.Channel`."""

    def __init__(self, folder: Path, in_process: bool, buyer: str = "") -> None:
        """With `in_process` the work runs in a thread of this process, otherwise in a process of its own."""
        self.folder = folder
        self._buyer = buyer
        self._in_process = in_process
        self._executor: Executor | None = None

    async def deliver(self, orders: Sequence[PurchaseOrder]) -> Sequence[RestockError | None]:
        """Write the files of each order; a problem, or None, for each in order."""
        first = self._executor is None
        try:
            return await self._write(list(orders), first)
        except BrokenProcessPool:
            self._executor = None
        except OSError as error:
            self._executor = None
            return [Unavailable(f"No process can be started to write order files: {error}.")] * len(orders)
        if len(orders) > 1:  # one of them may be what ended the process: the others shall not wait for it
            return [result for order in orders for result in await self.deliver([order])]
        return [
            Unavailable(f"The process that writes order files ended at {orders[0].po_id}.", remedy="It is tried again.")
        ]

    async def close(self) -> None:
        """Finish the files being written and end the worker."""
        executor, self._executor = self._executor, None
        if executor is not None:
            await asyncio.to_thread(executor.shutdown, cancel_futures=True)

    async def _write(self, orders: list[PurchaseOrder], first: bool) -> Results:
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._workers(), write_orders, self.folder, orders, first, self._buyer)
        if self._in_process:
            return await work
        failpoint("dispatch.file.before")  # the worker passes none: it is this process that a test ends
        results = await work
        failpoint("dispatch.file.after")
        return results

    def _workers(self) -> Executor:
        if self._executor is None:
            if self._in_process:
                self._executor = ThreadPoolExecutor(1, thread_name_prefix="order files")
            else:
                spawn = multiprocessing.get_context("spawn")  # a fork would share the open databases
                self._executor = ProcessPoolExecutor(1, mp_context=spawn, initializer=settle)
        return self._executor


def write_orders(folder: Path, orders: list[PurchaseOrder], first: bool, buyer: str = "") -> Results:
    """Write the files of the orders; one that cannot be written stops no other. `first` clears up after a crash."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if first:
            _sweep(folder)
        results = [_written(folder, order, buyer) for order in orders]
        _flush(folder)
    except OSError as error:
        return [_translated(error, folder)] * len(orders)
    return results


def _written(folder: Path, order: PurchaseOrder, buyer: str) -> RestockError | None:
    from restock.adapters.dispatch.pdf import render  # noqa: PLC0415 - reportlab, only when an order is sent

    if not _SAFE_NAME.fullmatch(order.po_id):
        return InvalidInput(f"{order.po_id!r} cannot name a file.", field="po_id")
    try:
        _put(folder / f"{order.po_id}.json", document(order, buyer))
        _put(folder / f"{order.po_id}.pdf", render(order, buyer))
    except OSError as error:
        return _translated(error, folder)
    except Exception as error:  # an order that cannot be drawn is kept with its reason; it stops no other
        return InvalidInput(f"{order.po_id} cannot be written: {type(error).__name__}: {error}.", field="po_id")
    return None


def _put(path: Path, content: bytes) -> None:
    """Put a file in its place, whole and flushed."""
    part = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    failpoint("dispatch.file.before")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    failpoint("dispatch.file.after")


def _sweep(folder: Path) -> None:
    """Remove what processes left half written when they were killed."""
    for part in folder.glob(f".*{PART}"):
        writer = part.name.removesuffix(PART).rpartition(".")[2]
        if writer.isdecimal() and not _alive(int(writer)):
            part.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    if process == os.getpid():
        return False  # an earlier process had the number: this one begins
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _flush(folder: Path) -> None:
    """Make the names durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _translated(error: OSError, folder: Path) -> RestockError:
    if error.errno in _FULL:
        return StorageFull(
            f"The folder of order files {folder} is full.",
            remedy="Free disk space; the orders wait and are written then.",
        )
    return StorageUnusable(
        f"An order file cannot be written to {folder}: {error.strerror}.",
        remedy="Make the folder writable for this user; the orders wait and are written then.",
    )
