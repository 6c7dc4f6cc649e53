"""The `restock` command: gives the command line the program it drives.

Everything but the command line is imported where it is used: `restock --help`, completion and `decide` must not pay the half
second that the whole program takes to load, and a wrong setting must not stop them. `tests/cli/test_cli_help.py` says which
commands load nothing heavy.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from restock.edge.cli.root import root

if TYPE_CHECKING:
    from restock.app import App
    from restock.core.clock import Clock
    from restock.core.ids import Ids
    from restock.decisions.library import Library
    from restock.decisions.life_store import InForce
    from restock.edge.rest.probes import Condition
    from restock.edge.running import Running
    from restock.engine.rules import FactRulebook, Rulebook
    from restock.engine.stream import Stream
    from restock.settings import Origin, Settings

BUSY = "A server or another command works in this home; stop it first."


T = TypeVar("T")


class Program:
    """The program on one home; fulfils the `Shell` of the command line."""

    def __init__(self, flags: Mapping[str, object] | None = None) -> None:
        self._flags = flags or {}

    @property
    def home(self) -> Path:
        """The folder of all embedded state."""
        return self._loaded[0].home

    @property
    def version(self) -> str:
        """The version of the program."""
        return version("restock")

    def at(self, home: Path) -> Program:
        """Give the same program on another home."""
        return Program({**self._flags, "home": home})

    def configuration(self) -> Sequence[Origin]:
        """Give every setting with its origin."""
        return self._loaded[1]

    @asynccontextmanager
    async def opened(self, clock: Clock | None = None, ids: Ids | None = None) -> AsyncIterator[Running]:
        """Open everything; a command writes order files itself, without a process of its own for them."""
        from restock.app import opened

        async with opened(replace(self._loaded[0], dispatch_process=False), clock, ids) as app:
            yield cast("Running", app)  # a command has every context in its own process

    @asynccontextmanager
    async def background(self, app: Running) -> AsyncIterator[bool]:
        """Own the background work of the home, if nobody else does; say whether."""
        from restock.app import background

        async with background(cast("App", app)) as mine:
            yield mine

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep servers and other background work out."""
        from restock.adapters.database.embedded import exclusive

        with exclusive(self.home, "server", BUSY), exclusive(self.home, "background", BUSY):
            yield

    @asynccontextmanager
    async def streams(self) -> AsyncIterator[tuple[Stream, Stream]]:
        """Open the embedded log and the stream on Kafka."""
        from restock.adapters.streams import both_streams
        from restock.core.clock import SystemClock

        async with both_streams(self._loaded[0], SystemClock()) as streams:
            yield streams

    def rulebook(self, name: str) -> Rulebook:
        """Give a rulebook of the library."""
        return self._library.rulebook(name)

    def loaded(self, name: str) -> Rulebook | FactRulebook:
        """Give a rulebook of the library, also one with rules over facts."""
        return self._library.loaded(name)

    def rulebooks(self) -> Sequence[str]:
        """Give the names of all rulebooks."""
        return self._library.names()

    def rulebook_cases(self, name: str) -> tuple[str, str]:
        """Give the file name and the text of the cases of a rulebook of the library; no text when there are none."""
        from restock.engine.rules.case_file import SUFFIX

        active = self._in_force.get(name)
        if active is not None:
            return f"{name}{SUFFIX}", active.cases
        beside = self._library.source(name).with_name(f"{name}{SUFFIX}")
        return beside.name, self.rulebook_text(beside) if beside.is_file() else ""

    def rulebook_text(self, path: Path) -> str:
        """Read a rulebook file."""
        from restock.decisions.library import read

        return read(path)

    def backup(self, target: Path) -> list[Path]:
        """Copy every store as of one moment."""
        from restock.adapters.database.embedded import backup

        self._refuse_server("backed up")
        return backup(self.home, target)

    def restore(self, source: Path) -> list[Path]:
        """Put a backup in the place of the stores."""
        from restock.adapters.database.embedded import restore
        from restock.services import SCHEMAS

        self._refuse_server("restored")
        return restore(source, self.home, list(SCHEMAS))

    def setup_databases(self) -> tuple[list[str], list[str]]:
        """Make the databases and users that are missing on the server of the settings; give the names of those made."""
        from restock.adapters.stores import set_up
        from restock.services import SCHEMAS

        return _beside(set_up(self._loaded[0], list(SCHEMAS)))

    def setup_certificates(self, folder: Path, hosts: Sequence[str], *, renew: bool) -> tuple[list[str], list[str]]:
        """Make the certificates that are missing or end soon; give the services whose were made, and kept."""
        if not find_spec("cryptography"):
            from restock.core.errors import InvalidInput

            raise InvalidInput("Certificates need the extra tls.", field="tls", remedy="Install restock[tls].")
        from restock.adapters.certificates import make_certificates
        from restock.core.clock import SystemClock
        from restock.services import SERVICES

        return make_certificates(folder, [one.name for one in SERVICES], hosts, SystemClock(), renew=renew)

    def migrate(self) -> list[str]:
        """Make or update every table; give the databases that changed."""
        from restock.adapters.stores import migrated
        from restock.services import SCHEMAS

        return _beside(migrated(self._loaded[0], SCHEMAS))

    def _refuse_server(self, done: str) -> None:
        host = self._loaded[0].db_host
        if host:
            from restock.core.errors import Refused

            raise Refused(
                f"The databases are on {host} and are {done} there.",
                field="db_host",
                remedy="Use the server's own tools, with one consistent cut of all of them.",
            )

    def serve(
        self, services: Sequence[str], flags: Mapping[str, object], announce: Callable[[str], None], *, access_log: bool
    ) -> int:
        """Serve until told to stop; give the exit code."""
        from restock.adapters.database.embedded import exclusive
        from restock.edge.rest import server

        settings = Program(
            {**self._flags, **self._ports(services), **{k: v for k, v in flags.items() if v is not None}}
        )
        with exclusive(settings.home, "server", "A restore is going on in this home.", shared=True):
            return server.run(_session(settings._loaded[0], services, announce, access_log=access_log))

    def _ports(self, services: Sequence[str]) -> dict[str, int]:
        """Give the published port of the first service, and of one alone that of gRPC, as far as nobody set others."""
        from restock.services import SERVICES

        if not services:
            return {}
        one = next(each for each in SERVICES if each.name == services[0])
        unset = {each.name for each in self.configuration() if each.origin == "default"}
        ports = {"port": one.rest_port} | ({"grpc_port": one.grpc_port} if len(services) == 1 else {})
        return {name: port for name, port in ports.items() if name in unset}

    @cached_property
    def _loaded(self) -> tuple[Settings, list[Origin]]:
        from restock.settings import with_origins

        return with_origins(self._flags)

    @cached_property
    def _library(self) -> Library:
        from restock.decisions.library import Library

        library = Library(self.home / "rulebooks")
        library.use({name: (one.version.version, one.text) for name, one in self._in_force.items()})
        return library

    @cached_property
    def _in_force(self) -> Mapping[str, InForce]:
        """What was activated in this home, by name; its database is asked, and the program not opened."""
        from restock.adapters.database.glance import has_rows

        settings, file = self._loaded[0], self.home / "stores" / "decisions.db"
        if not settings.db_host and not has_rows(file, "rulebook_life"):
            return {}  # at the price of a glance: the statements cost a quarter of such a command
        from restock.adapters.database.sqlite import peek
        from restock.adapters.stores import asked
        from restock.core.clock import SystemClock, timestamp
        from restock.decisions import life_store

        question = (life_store.IN_FORCE, life_store.IN_FORCE_PARAMETERS)
        found = _beside(asked(settings, "decisions", *question)) if settings.db_host else peek(file, *question)
        return life_store.now_in_force([life_store.in_force(row) for row in found], timestamp(SystemClock().now()))


def _beside(work: Coroutine[object, object, T]) -> T:
    """Run a coroutine to its end on a thread of its own: the caller may be inside a loop that waits for nobody."""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


async def _session(
    settings: Settings, services: Sequence[str], announce: Callable[[str], None], *, access_log: bool
) -> int:
    """Serve until told to stop; give the exit code."""
    from restock.app import background, opened
    from restock.edge.rest import server
    from restock.edge.rest.probes import Condition
    from restock.services import contexts_of

    ports = _grpc_ports(settings, services)
    if (ports or contexts_of(services) != contexts_of(())) and not find_spec("grpc"):
        from restock.core.errors import InvalidInput

        raise InvalidInput(
            "gRPC needs the extra grpc.",
            field="grpc_port",
            remedy="Install restock[grpc], or serve all in one process.",
        )
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(opened(settings, services=services))
        condition = Condition(app)
        address = await stack.enter_async_context(_grpc(app, condition, services, ports)) if ports else ""

        def told(rest: str) -> None:
            announce(rest)
            if address:
                announce(f"grpc://{address}")

        return await server.serve(
            app,
            settings,
            background=background,
            announce=told,
            access_log=access_log,
            service=services[0] if services else "",
            condition=condition,
            identity=app.identity,
        )


def _grpc_ports(settings: Settings, services: Sequence[str]) -> list[int]:
    """Give the ports of gRPC: the one that is set, or where several services are served the published one of each."""
    from restock.services import SERVICES, contexts_of

    if settings.grpc_port or len(services) < 2 or contexts_of(services) == contexts_of(()):
        return [settings.grpc_port] if settings.grpc_port else []
    return [one.grpc_port for one in SERVICES if one.name in services and one.grpc_port]


def _grpc(
    app: App, condition: Condition, services: Sequence[str], ports: Sequence[int]
) -> AbstractAsyncContextManager[str]:
    """Serve the published gRPC interfaces of the services, or of all, and the ports that neighbours ask."""
    from restock.edge.grpc.offers import offers
    from restock.edge.grpc.server import Served, serving

    served = Served(offers(app, services), app.clock, app.own_ports, condition, app.identity)
    return serving(served, app.settings.host, *ports)


def main() -> None:
    """Run the command line."""
    root.main(prog_name="restock", obj=Program())


if __name__ == "__main__":
    main()
