"""What the command line asks of the program around it. `restock.__main__` fulfils it; commands see nothing else of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from restock.core.clock import Clock
    from restock.core.ids import Ids
    from restock.edge.running import Running
    from restock.engine.rules import FactRulebook, Rulebook
    from restock.engine.stream import Stream


class ConfiguredValue(Protocol):
    """A setting's value and where it comes from."""

    @property
    def name(self) -> str:
        """The setting."""
        ...

    @property
    def value(self) -> object:
        """What it is set to."""
        ...

    @property
    def origin(self) -> str:
        """default, file, environment or flag."""
        ...


class Shell(Protocol):
    """The program as commands see it. Nothing is opened before a command asks."""

    @property
    def home(self) -> Path:
        """The folder of all embedded state."""
        ...

    @property
    def version(self) -> str:
        """The version of the program."""
        ...

    def at(self, home: Path) -> Shell:
        """Give the same program on another home."""
        ...

    def configuration(self) -> Sequence[ConfiguredValue]:
        """Give every setting. Raises InvalidInput that names a wrong one."""
        ...

    def opened(self, clock: Clock | None = None, ids: Ids | None = None) -> AbstractAsyncContextManager[Running]:
        """Open everything, migrating what must be; close it at the end."""
        ...

    def background(self, app: Running) -> AbstractAsyncContextManager[bool]:
        """Own the background work of the home, if nobody else does; say whether."""
        ...

    def alone(self) -> AbstractContextManager[None]:
        """Keep servers and other background work out. Raises Unavailable when there is one."""
        ...

    def streams(self) -> AbstractAsyncContextManager[tuple[Stream, Stream]]:
        """Open the embedded log and the stream on Kafka. Raises InvalidInput without a cluster in the settings."""
        ...

    def rulebook(self, name: str) -> Rulebook:
        """Give a rulebook of the library. Raises NotFound with the nearest name."""
        ...

    def loaded(self, name: str) -> Rulebook | FactRulebook:
        """Give a rulebook of the library, also one with rules over facts. Raises NotFound with the nearest name."""
        ...

    def rulebooks(self) -> Sequence[str]:
        """Give the names of all rulebooks."""
        ...

    def rulebook_cases(self, name: str) -> tuple[str, str]:
        """Give the file name and the text of the cases of a rulebook of the library; no text when there are none."""
        ...

    def rulebook_text(self, path: Path) -> str:
        """Read a rulebook file. Raises InvalidInput."""
        ...

    def setup_databases(self) -> tuple[list[str], list[str]]:
        """Make the databases and users that are missing on the server of the settings; give the names of those made."""
        ...

    def migrate(self) -> list[str]:
        """Make or update every table, as the administrator if there is one; give the databases that changed."""
        ...

    def setup_certificates(self, folder: Path, hosts: Sequence[str], *, renew: bool) -> tuple[list[str], list[str]]:
        """Make the certificates that are missing or end soon; give the services whose were made, and kept."""
        ...

    def backup(self, target: Path) -> list[Path]:
        """Copy every store as of one moment; give the files."""
        ...

    def restore(self, source: Path) -> list[Path]:
        """Put a backup in the place of the stores; the caller is `alone`."""
        ...

    def serve(
        self, services: Sequence[str], flags: Mapping[str, object], announce: Callable[[str], None], *, access_log: bool
    ) -> int:
        """Serve until told to stop; give the exit code. `announce` is told the address."""
        ...
