"""Where a database on a server is, and who asks for it."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from restock.core.errors import InvalidInput

DEVELOPMENT_PASSWORDS = frozenset(
    {"", "admin", "changeme", "mariadb", "mysql", "password", "postgres", "restock", "root", "secret", "test"}
)
"""What people set for a trial, and what examples say; refused everywhere but on loopback."""


_NAME = re.compile(r"[0-9A-Za-z_$-]{1,64}")


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
    def db_password_file(self) -> str:
        """A file with the password instead."""
        ...

    @property
    def db_admin_user(self) -> str:
        """Who makes databases, users and tables; empty means db_user."""
        ...

    @property
    def db_admin_password(self) -> str:
        """The password of that user."""
        ...

    @property
    def db_admin_password_file(self) -> str:
        """A file with that password instead."""
        ...

    @property
    def db_name(self) -> str:
        """The name of the database of a service that is served alone."""
        ...

    @property
    def db_prefix(self) -> str:
        """What stands before the names of databases."""
        ...

    @property
    def db_ca(self) -> str:
        """The file with the authority that signed the server's certificate; empty means plain text."""
        ...

    @property
    def db_pool_size(self) -> int:
        """Connections of each database that read at the same time."""
        ...

    @property
    def db_own(self) -> Mapping[str, Mapping[str, str | int]]:
        """What differs for one database, by its name: host, port, user, password, password_file, name."""
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
    password_file: str = ""
    pool_size: int = 8
    own: Mapping[str, Mapping[str, str | int]] = field(default_factory=dict, repr=False)

    def of(self, name: str) -> Place:
        """Give the place of one of our databases: `po` is `po_db`, behind the prefix, unless it has a name of its own.

        Raises InvalidInput for an unusable name, and for plain text or a development password far from here.
        """
        own = dict(self.own.get(name, {}))
        database = str(own.pop("name", f"{self.prefix}{name}_db"))
        if not _NAME.fullmatch(database):
            raise InvalidInput(f"{database[:80]!r} is not the name of a database.", field=f"{name}_db")
        if {"password", "password_file"} & own.keys():  # its own stands for either of the common ones
            own = {"password": "", "password_file": "", **own}
        place = replace(self, database=database, own={}, **own)  # type: ignore[arg-type]  # settings has read them
        return _checked(place, f"{name}_db") if own else place

    def secret(self) -> str:
        """Give the password as of now. Raises InvalidInput when its file cannot be read."""
        if not self.password_file:
            return self.password
        try:
            return Path(self.password_file).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{self.password_file} cannot be read: {error}.", field="db_password_file") from None

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
    place = Place(
        settings.db_host,
        settings.db_port,
        settings.db_user,
        settings.db_password,
        settings.db_prefix,
        settings.db_ca,
        password_file=settings.db_password_file,
        pool_size=settings.db_pool_size,
        own=settings.db_own,
    )
    return _checked(place, "db")


def administrator_of(settings: ServerSettings) -> Place:
    """Give the same server as its administrator asks it. Raises InvalidInput like `server_of`."""
    server = server_of(settings)
    if not settings.db_admin_user:
        return server
    where = {
        name: {part: value for part, value in own.items() if part in {"host", "port", "name"}}
        for name, own in server.own.items()
    }
    admin = replace(
        server,
        user=settings.db_admin_user,
        password=settings.db_admin_password,
        password_file=settings.db_admin_password_file,
        own=where,
    )
    return _checked(admin, "db_admin")


def _checked(place: Place, prefix: str) -> Place:
    """Refuse what would let others read along or guess; `prefix` begins the names of the settings."""
    if place.password and place.password_file:
        raise InvalidInput(
            f"{prefix}_password is set too.", field=f"{prefix}_password_file", remedy="Give the password in one place."
        )
    if place.host == "localhost":
        return replace(place, host="127.0.0.1")
    if _is_loopback(place.host):
        return place
    if not place.ca:
        raise InvalidInput(
            f"{place.host} is another machine, and plain text is spoken on loopback only.",
            field="db_ca",
            remedy="Name the file with the authority that signed its certificate.",
        )
    if place.secret() in DEVELOPMENT_PASSWORDS | {place.user}:
        raise InvalidInput(
            "is that of development.", field=f"{prefix}_password", remedy="Set another one there and here."
        )
    return place


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
