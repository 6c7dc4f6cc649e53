"""Where a database on a server is, and who asks for it."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass, field, replace
from typing import Protocol

from restock.core.errors import InvalidInput

DEVELOPMENT_PASSWORD = "restock"  # noqa: S105 - refused everywhere but on loopback
"""What people set for a trial, as the name of the user."""


class ServerSettings(Protocol):
    """The settings of a server of databases."""

    @property
    def db_host(self) -> str:
        """The host."""
        ...

    @property
    def db_port(self) -> int:
        """The port."""
        ...

    @property
    def db_user(self) -> str:
        """The user."""
        ...

    @property
    def db_password(self) -> str:
        """The password of the user."""
        ...

    @property
    def db_prefix(self) -> str:
        """What stands before the names of databases."""
        ...

    @property
    def db_ca(self) -> str:
        """The file with the authority that signed the server's certificate; empty means plain text."""
        ...


@dataclass(frozen=True)
class Place:
    """A database on a server. Printing it shows no password."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    prefix: str = ""
    ca: str = ""
    database: str = ""

    def of(self, name: str) -> Place:
        """Give the place of one of our databases: `po` is `po_db`, behind the prefix."""
        return replace(self, database=f"{self.prefix}{name}_db")

    def tls(self) -> ssl.SSLContext | None:
        """Give how to speak with the server; None is plain text. Raises InvalidInput for a file that is no authority."""
        if not self.ca:
            return None
        try:
            return ssl.create_default_context(cafile=self.ca)
        except OSError as error:
            raise InvalidInput(f"{self.ca} cannot be used: {error}.", field="db_ca") from None


def server_of(settings: ServerSettings) -> Place:
    """Give the server that settings name. Raises InvalidInput for plain text or a development password far from here."""
    local = settings.db_host == "localhost" or _is_loopback(settings.db_host)
    if not local and not settings.db_ca:
        raise InvalidInput(
            f"{settings.db_host} is another machine, and plain text is spoken on loopback only.",
            field="db_ca",
            remedy="Name the file with the authority that signed its certificate.",
        )
    if not local and settings.db_password in {"", DEVELOPMENT_PASSWORD}:
        raise InvalidInput("is that of development.", field="db_password", remedy="Set another one there and here.")
    host = "127.0.0.1" if settings.db_host == "localhost" else settings.db_host
    return Place(host, settings.db_port, settings.db_user, settings.db_password, settings.db_prefix, settings.db_ca)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
