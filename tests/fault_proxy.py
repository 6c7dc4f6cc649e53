"""A TCP proxy that does to a connection what networks do: delays, resets, lost answers, black holes, flipped bits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random

CHUNK = 16 << 10


@dataclass
class Fault:
    """What happens to the bytes. `both` directions are swallowed by a black hole; `mute` lets requests pass, no answer."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    bytes_a_second: int = 0
    reset_one_in: int = 0
    """A connection is reset after one chunk of so many."""
    flip_one_in: int = 0
    """One bit of so many bytes is flipped."""
    mute: bool = False
    black_hole: bool = False
    refuse: bool = False


NONE = Fault()


class FaultProxy:
    """Stands before one server; `become` changes what happens, also to connections that are open."""

    def __init__(self, port: int, seed: int = 1) -> None:
        self.fault = NONE
        self.resets = self.swallowed = self.flipped = 0
        self._port = port
        self._random = Random(seed)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen; give the port."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        while self._tasks:
            self._reset()
            await asyncio.wait(self._tasks, timeout=0.05)

    def become(self, fault: Fault) -> None:
        """Let this happen from now on. What was swallowed is lost: such connections are of no more use."""
        if self.fault.mute or self.fault.black_hole or fault.refuse:
            self._reset()
        self.fault = fault

    def _reset(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine = asyncio.current_task()
        assert mine is not None
        self._tasks.add(mine)
        mine.add_done_callback(self._tasks.discard)
        if self.fault.refuse:
            writer.transport.abort()
            return
        try:
            back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, back_writer}
        self._open |= pair
        for source, target, answers in ((reader, back_writer, False), (back_reader, writer, True)):
            task = asyncio.ensure_future(self._carried(source, target, pair, answers=answers))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carried(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        pair: set[asyncio.StreamWriter],
        *,
        answers: bool,
    ) -> None:
        try:
            while chunk := await source.read(CHUNK):
                fault = self.fault
                if fault.black_hole or (fault.mute and answers):
                    self.swallowed += 1
                    continue
                if fault.reset_one_in and self._random.randrange(fault.reset_one_in) == 0:
                    self.resets += 1
                    break
                if fault.delay_s:
                    await asyncio.sleep(max(0.0, fault.delay_s + self._random.uniform(-1, 1) * fault.jitter_s))
                if fault.bytes_a_second:
                    await asyncio.sleep(len(chunk) / fault.bytes_a_second)
                target.write(self._flipped(chunk) if fault.flip_one_in else chunk)
                await target.drain()
        except (ConnectionError, OSError):
            pass
        finally:
            for each in pair:
                each.transport.abort()
            self._open -= pair

    def _flipped(self, chunk: bytes) -> bytes:
        changed = bytearray(chunk)
        for at in range(len(changed)):
            if self._random.randrange(self.fault.flip_one_in) == 0:
                changed[at] ^= 1 << self._random.randrange(8)
                self.flipped += 1
        return bytes(changed)
