"""Every service as a process of its own under one parent: started together, watched, stopped in an order that loses nothing.

What each says goes to one log, each line with its name in front. A service that ends by itself is started again, later each
time it ends soon; whoever asks it meanwhile is told that it does not answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

STOP_SECONDS = 40
"""How long a service may take to end: it finishes what callers wait for within 30."""

PAUSE_SECONDS, MOST_PAUSE_SECONDS = 0.25, 10.0
"""The pause before a service is started again; it doubles while the service ends soon."""

SOON_SECONDS = 10.0
"""A service that lived so long has started well."""

LEAVES_FIRST = (("orchestrator", "order"), ("po", "rule-engine", "analytics", "stream"))
"""Who is stopped before those whom it asks; the others end last, together."""

FOLDER = "services"
"""The folder of a home in which each running service has a file with its process and address."""

Say = Callable[[str, str], None]
"""Is told the name of a service and a line of it."""


class Member(NamedTuple):
    """A service to run: its name, the ports where it answers (0 for none), what its process is given in the environment."""

    name: str
    rest_port: int
    grpc_port: int
    environment: Mapping[str, str]


class Fleet:
    """The running services. `start` them, and `stop` them in the end."""

    def __init__(self, members: Sequence[Member], home: Path, say: Say) -> None:
        self.members = members
        self._home = home
        self._say = say
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._keeping: dict[str, asyncio.Task[None]] = {}
        self._leaving: set[str] = set()
        self.ended: set[str] = set()
        """Services that ended by themselves since the beginning."""

    def start(self) -> None:
        """Start every service; each is kept running from then on."""
        for each in self.members:
            self._keeping[each.name] = asyncio.create_task(self._kept(each), name=f"keep {each.name}")

    async def stop(self) -> None:
        """Stop every service, those who ask before those who answer; each finishes what it has begun."""
        first = [name for wave in LEAVES_FIRST for name in wave]
        rest = tuple(each.name for each in self.members if each.name not in first)
        for wave in (*LEAVES_FIRST, rest):
            self._leaving |= set(wave)
            await asyncio.gather(*(self._stopped(name) for name in wave))

    def kill(self) -> None:
        """End every process at once; what they have not finished is lost, what they acknowledged is not."""
        self._leaving |= {each.name for each in self.members}
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    async def _stopped(self, name: str) -> None:
        keeping = self._keeping.get(name)
        if keeping is None:
            return
        process = self._processes.get(name)
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        else:
            keeping.cancel()  # it waits to be started again
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await asyncio.wait([keeping])
        except TimeoutError:
            self._say(name, f"did not end within {STOP_SECONDS} s and is killed")
            if process is not None:
                process.kill()
            await asyncio.wait([keeping])

    async def _kept(self, member: Member) -> None:
        """Run a service until it is to leave; start it again when it ends by itself."""
        pause = PAUSE_SECONDS
        while member.name not in self._leaving:
            began = time.monotonic()
            status = await self._run(member)
            if member.name in self._leaving:
                return
            self.ended.add(member.name)
            pause = PAUSE_SECONDS if time.monotonic() - began > SOON_SECONDS else min(pause * 2, MOST_PAUSE_SECONDS)
            self._say(member.name, f"ended ({_why(status)}); it is started again in {pause:g} s")
            await asyncio.sleep(pause)

    async def _run(self, member: Member) -> int:
        home = self._home.absolute()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "restock", "--home", str(home), "serve", member.name),
            *("--pid-file", str(home / FOLDER / f"{member.name}.pid")),
            env={**os.environ, **member.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the parent, which stops them in order
        )
        self._processes[member.name] = process
        assert process.stdout is not None
        try:
            async for line in _lines(process.stdout):
                self._say(member.name, line)
            return await process.wait()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Give the lines of a process; one that is too long is cut."""
    while True:
        try:
            line = await stream.readuntil(b"\n")
        except asyncio.IncompleteReadError as end:
            line = end.partial
        except asyncio.LimitOverrunError as long:
            line = await stream.readexactly(long.consumed)
        if not line:
            return
        yield line.decode("utf-8", "replace").rstrip("\n")


def _why(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"by {signal.Signals(-status).name}"
    except ValueError:
        return f"by signal {-status}"
