"""The server: binds before it announces, does the background work if nobody else does, and stops without breaking a promise.

Stopping: readiness goes off and every answer closes its connection; nobody new is taken in; what is inside is finished.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeVar

from restock.core.collector import collected_seldom
from restock.core.errors import InvalidInput, Unavailable
from restock.edge.log import Log
from restock.edge.rest.application import Application
from restock.edge.rest.observed import watch
from restock.edge.rest.probes import Condition
from restock.edge.rest.protocol import Connection, Door
from restock.edge.rest.served import Served
from restock.edge.spans import exported
from restock.edge.tls import Identity

T = TypeVar("T")

BACKLOG = 2048
"""Connections that the kernel holds until they are accepted."""

KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays open: longer than the pools of usual clients, so that they close it, not we."""

LEAVE_SECONDS = 0.3
"""How long callers with open connections may learn from an answer that the server stops, before idle ones are closed."""

GRACE_SECONDS = 30
"""How long requests that are inside may take to finish."""

SWEEP_SECONDS = 5.0
"""How often idle connections are looked for."""

TAKE_OVER_SECONDS = 1.0
"""How often a server looks whether the background work is free: the process that did it may have ended."""

Background = Callable[[Any], AbstractAsyncContextManager[bool]]
"""Owns the background work of a home if nobody else does (`restock.app.background`)."""


class Listen(Protocol):
    """Where to listen, and what to tell of it."""

    @property
    def host(self) -> str:
        """The address."""
        ...

    @property
    def port(self) -> int:
        """The port; 0 takes a free one."""
        ...

    @property
    def log(self) -> str:
        """The form of the log: json or text."""
        ...

    @property
    def log_level(self) -> str:
        """The least level that is told."""
        ...

    @property
    def trace_one_in(self) -> int:
        """Of how many requests one begins a trace; 0: none does."""
        ...

    @property
    def otlp_endpoint(self) -> str:
        """Where spans are sent; empty: nowhere."""
        ...


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the fast event loop."""
    try:
        from uvloop import new_event_loop  # noqa: PLC0415 - not on every system
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)


async def serve(
    app: Served,
    settings: Listen,
    *,
    background: Background,
    announce: Callable[[str], None],
    stop: asyncio.Event | None = None,
    access_log: bool = False,
    service: str = "",
    condition: Condition | None = None,
    identity: Identity | None = None,
) -> int:
    """Serve until a signal or `stop`; give the exit code. Raises InvalidInput for the host, Unavailable for a busy port.

    `announce` is told the address once requests are answered there. A second signal stops at once. `service` is the one that
    is served alone. With an `identity` TLS is spoken, else plain text on loopback.
    """
    stop = stop or asyncio.Event()
    with contextlib.ExitStack() as stack:
        level = "info" if access_log else settings.log_level
        log = stack.enter_context(Log(app.clock, settings.log, level))
        application = Application(app, log, service, condition, settings.trace_one_in)
        listener = stack.enter_context(
            contextlib.closing(bound(settings.host, settings.port, secure=identity is not None))
        )
        door, at_once = Door(application), asyncio.Event()
        async with _background_work(app, background):
            loop = asyncio.get_running_loop()
            context = identity.for_rest() if identity else None
            application.secure = context is not None
            listening = await loop.create_server(lambda: Connection(door), sock=listener, backlog=BACKLOG, ssl=context)
            tasks = [_swept(door, identity, context), watch(app, log)]
            if settings.otlp_endpoint:
                tasks.append(exported(settings.otlp_endpoint, f"restock-{service or 'all'}", app.clock, log))
            beside = [asyncio.create_task(each) for each in tasks]
            gc.collect()
            with _signals(stop, at_once), collected_seldom():
                announce(_address(listener, secure=identity is not None))
                await stop.wait()
                await _leave(door, listening, at_once)
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)  # what was recorded last is sent
            await app.drain()
        return 1 if at_once.is_set() else 0


def bound(host: str, port: int, setting: str = "RESTOCK_PORT", *, secure: bool = False) -> socket.socket:
    """Give a socket bound to an address, of loopback unless `secure`; `setting` is where the port is from.

    Raises InvalidInput, Unavailable.
    """
    address = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        loopback = ipaddress.ip_address(address).is_loopback
    except ValueError:
        raise InvalidInput(f"{host!r} is not an address.", field="host", remedy="Use 127.0.0.1 or ::1.") from None
    if not loopback and not secure:
        raise InvalidInput(
            f"{host} can be reached from other machines; plain text is served on loopback only.",
            field="host",
            remedy="Use 127.0.0.1, or set RESTOCK_TLS to a folder of `restock setup certificates`.",
        )
    if not 0 <= port <= 65535:
        raise InvalidInput(f"{port} is not a port.", field="port", remedy="Use 0 to 65535.")
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited by what is accepted
        listener.bind((address, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"Port {port} on {host} cannot be used: {error.strerror}.",
            remedy=f"Stop what uses it, or set another with {setting}.",
        ) from error
    return listener


def _address(listener: socket.socket, *, secure: bool) -> str:
    host, port = listener.getsockname()[:2]
    scheme = "https" if secure else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


@contextlib.contextmanager
def _signals(stop: asyncio.Event, at_once: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    handled = (signal.SIGINT, signal.SIGTERM)

    def on_signal() -> None:
        if stop.is_set():
            at_once.set()  # stores are safe whenever a process ends
        stop.set()

    try:
        for each in handled:
            loop.add_signal_handler(each, on_signal)
    except (ValueError, RuntimeError, NotImplementedError):  # not the main thread: whoever started it stops it
        yield
        return
    try:
        yield
    finally:
        for each in handled:
            loop.remove_signal_handler(each)


async def _swept(door: Door, identity: Identity | None, context: ssl.SSLContext | None) -> None:
    """Close connections that nobody uses, and show who comes the certificate that is there by then, for ever."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        door.close_idle(loop.time() - KEEP_ALIVE_SECONDS)
        if identity and context:
            identity.renew(context)


async def _leave(door: Door, listening: asyncio.Server, at_once: asyncio.Event) -> None:
    """Take nobody in any more; let callers go by themselves; finish what is inside; give up what takes too long."""
    listening.close()
    door.condition.leave()
    await _gone(door, LEAVE_SECONDS, at_once)
    for each in list(door.connections):
        each.finish()
    await _gone(door, GRACE_SECONDS, at_once)
    for each in list(door.connections):
        each.stop()


async def _gone(door: Door, seconds: float, at_once: asyncio.Event) -> None:
    waited = 0.0
    while door.connections and waited < seconds and not at_once.is_set():
        await asyncio.sleep(0.01)
        waited += 0.01


@asynccontextmanager
async def _background_work(app: Served, background: Background) -> AsyncIterator[None]:
    """Do the background work while nobody else does it; take it over when the process that did it ends."""
    ended = asyncio.Event()

    async def own() -> None:
        while not ended.is_set():
            async with background(app) as mine:
                if mine:
                    app.start()
                    await ended.wait()
                    for task in app.tasks:
                        task.cancel()
                    await asyncio.gather(*app.tasks, return_exceptions=True)
                    return
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(ended.wait(), TAKE_OVER_SECONDS)

    owning = asyncio.create_task(own(), name="background")
    try:
        yield
    finally:
        ended.set()
        await owning
