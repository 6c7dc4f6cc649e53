"""One typed settings object: file, then .env, then environment, then flags. `restock config` prints each with its origin."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import cast

from restock.core.defaults import SESSION_SECONDS
from restock.core.errors import InvalidInput
from restock.core.text import optional_name

PREFIX = "RESTOCK_"
FILE = "restock.toml"
DOTENV = ".env"


@dataclass(frozen=True)
class Settings:
    """What can be set. Each is `RESTOCK_NAME` in the environment and `name` in RESTOCK_HOME/restock.toml."""

    home: Path = Path("var")
    """The folder of all embedded state."""
    host: str = "127.0.0.1"
    """The address to listen on; one that other machines reach needs `tls`."""
    port: int = 8080
    """The port that REST listens on; 0 takes a free one."""
    tls: str = ""
    """The folder with ca.crt, tls.crt and tls.key: REST and gRPC are then served with TLS, also to other machines, and
    services show one another their certificates. Empty means plain text, on loopback only."""
    grpc_port: int = 0
    """The port of the gRPC interfaces, on the same host; 0 serves none. Needs the extra grpc."""
    oms_grpc_url: str = "127.0.0.1:50051"
    """Where a process without it asks for demand and customer orders: host:port of the gRPC interface of oms; with commas
    between, several replicas, each of which is asked in turn."""
    inventory_grpc_url: str = "127.0.0.1:50052"
    """Where stock is asked for."""
    supplier_grpc_url: str = "127.0.0.1:50053"
    """Where suppliers' terms are asked for."""
    uom_grpc_url: str = "127.0.0.1:50054"
    """Where conversions of units are asked for."""
    rule_engine_grpc_url: str = "127.0.0.1:50055"
    """Where decisions are asked for."""
    po_grpc_url: str = "127.0.0.1:50056"
    """Where purchase orders are asked for."""
    orchestrator_grpc_url: str = "127.0.0.1:9090"
    """Where flows, plans and proposals are asked for."""
    analytics_grpc_url: str = "127.0.0.1:50057"
    """Where figures are asked for."""
    company: str = ""
    """Who orders: name and address in one line, on every purchase order."""
    demand_window_days: int = 90
    """Days of history that demand is computed from."""
    flow: str = "purchasing"
    """The flow that replenishes."""
    dispatch_process: bool = True
    """Whether a server writes order files in a process of its own."""
    kafka_servers: str = ""
    """The Kafka cluster that carries events, such as 127.0.0.1:9092; empty means the embedded log."""
    kafka_prefix: str = ""
    """What stands before the names of topics and groups on Kafka, so that homes can share a cluster."""
    db_host: str = ""
    """The MySQL or MariaDB server that keeps the databases, such as 127.0.0.1; empty means the embedded ones."""
    db_port: int = 3306
    """Its port."""
    db_user: str = "restock"
    """Who asks it."""
    db_password: str = field(default="", repr=False)
    """The password of that user; give it in the environment."""
    db_password_file: str = ""
    """A file with that password instead. It is read at each new connection, so a new password needs no restart."""
    db_admin_user: str = ""
    """Who makes databases, their users and their tables; empty means db_user. Services need not know."""
    db_admin_password: str = field(default="", repr=False)
    """The password of that user."""
    db_admin_password_file: str = ""
    """A file with that password instead."""
    db_name: str = ""
    """The name of the database of a service that is served alone; empty means its own, such as oms_db."""
    db_prefix: str = ""
    """What stands before the names of the databases, so that homes can share a server."""
    db_ca: str = ""
    """The file with the authority that signed the server's certificate; plain text is spoken on loopback only."""
    db_pool_size: int = 8
    """Connections of each database that read at the same time; one more writes."""
    db_own: Mapping[str, Mapping[str, str | int]] = field(default_factory=dict, repr=False)
    """A database may have a server, a user and a name of its own: `oms_db_host`, `oms_db_port`, `oms_db_user`,
    `oms_db_password` or `oms_db_password_file`, and `oms_db` for its name; so too inventory, supplier, uom, po, decisions,
    analytics and stream."""
    session_seconds: int = SESSION_SECONDS
    """Silence after which a process that consumes events is taken for dead, and its partitions are given to others."""
    rough_seed: int = 0
    """For tests: the stream delivers records twice and batches again, as it may, drawn from this seed; 0 does not."""
    event_format: str = "auto"
    """What events are published in: json, or avro, framed for tools that know Kafka's registries; auto is avro on Kafka,
    where such tools read, and json on the embedded log, where nobody else does. Both are read everywhere."""
    ballast_mib: int = 32
    """Room on the disk, in MiB, that is let go when it is full, so that what was accepted can be finished; 0 keeps none."""
    queue_limit: int = 1024
    """Callers that may wait at the flow's door before it answers 503."""
    log: str = "json"
    """The form of a server's log on standard error: json or text."""
    log_level: str = "warning"
    """The least level that a server logs: info has a line per request and run, warning dead letters, error problems."""
    trace_one_in: int = 0
    """Of so many requests that bring no trace one begins a sampled trace; 0 begins none. Traces that callers bring go on."""
    otlp_endpoint: str = ""
    """Where the spans of sampled traces are sent by OTLP over HTTP, such as http://127.0.0.1:4318; empty sends none.
    Without it OTEL_EXPORTER_OTLP_ENDPOINT counts."""

    @property
    def in_avro(self) -> bool:
        """Whether events are published in Avro."""
        return self.event_format == "avro" or (self.event_format == "auto" and bool(self.kafka_servers))


NEIGHBOURS = ("oms", "inventory", "supplier", "uom", "rule_engine", "po", "orchestrator", "analytics")
"""The services that have an address."""

DATABASES = ("oms", "inventory", "supplier", "uom", "po", "decisions", "analytics", "stream")
"""The databases that may have a server, a user and a name of their own."""

DB_PARTS = ("host", "port", "user", "password", "password_file", "name")
"""What a database may have of its own."""

PUBLISHED: Mapping[str, tuple[str, ...]] = {
    "port": ("PORT",),
    "grpc_port": ("GRPC_PORT",),
    **{f"db_{part}": (f"DB_{part.upper()}",) for part in DB_PARTS},
    **{f"{one}_db": (f"{one.upper()}_DB", f"{one.upper()}_DB_NAME") for one in DATABASES},
    **{f"{one}_db_{part}": (f"{one.upper()}_DB_{part.upper()}",) for one in DATABASES for part in DB_PARTS[:-1]},
    **{f"{one}_grpc_url": (f"{one.upper()}_GRPC_URL", f"{one.upper()}_SERVICE_URL") for one in NEIGHBOURS},
    "otlp_endpoint": ("OTEL_EXPORTER_OTLP_ENDPOINT",),
}
"""Names in the environment, beside our own, by which others set up their programs; the first one counts."""

LIMITS = {
    "port": (0, 65535),  # what TCP has
    "grpc_port": (0, 65535),  # what TCP has
    "db_port": (1, 65535),  # what TCP has
    **{f"{one}_db_port": (1, 65535) for one in DATABASES},
    "db_pool_size": (1, 100),  # a server takes 151 connections unless told otherwise
    "demand_window_days": (1, 3650),  # ten years: older sales tell nothing of tomorrow's
    "session_seconds": (1, 300),  # a second is twice the pause between two signs of life
    "rough_seed": (0, 1_000_000_000),  # any seed
    "ballast_mib": (0, 1_048_576),  # a terabyte
    "trace_one_in": (0, 1_000_000_000),  # any
    "queue_limit": (1, 1_000_000),  # callers whose sockets one process can hold
}
"""The least and the most of each number."""

SECRETS = {"db_password", "db_admin_password", *(f"{name}_db_password" for name in DATABASES)}
"""What is never shown."""

CHOICES = {
    "event_format": ("auto", "json", "avro"),
    "log": ("json", "text"),
    "log_level": ("debug", "info", "warning", "error"),
}
"""What some texts may be."""


@dataclass(frozen=True)
class Origin:
    """A setting's value and where it comes from."""

    name: str
    value: object
    origin: str

    def shown(self) -> Origin:
        """Give the same without a secret."""
        return replace(self, value="(set)") if self.value and self.name in SECRETS else self


def load(flags: Mapping[str, object] | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Give the settings. Raises InvalidInput that names the setting."""
    return with_origins(flags, environment)[0]


def with_origins(
    flags: Mapping[str, object] | None = None, environment: Mapping[str, str] | None = None
) -> tuple[Settings, list[Origin]]:
    """Give the settings and, for each, its origin: default, file, .env, environment or flag.

    `.env` is looked for in the working folder, unless an environment is given.
    """
    local = _dotenv() if environment is None else {}
    environment = {
        name: value for name, value in (os.environ if environment is None else environment).items() if value
    }  # empty is not set
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    home = Path(str(given.get("home") or (local | environment).get(f"{PREFIX}HOME") or Settings.home))
    sources = _Sources(given, (("environment", environment), (DOTENV, local)), _file(home / FILE), str(home / FILE))
    values: dict[str, object] = {}
    origins: list[Origin] = []
    for each in fields(Settings):
        if each.name != "db_own":
            assert each.default is not MISSING
            found = sources.find(each.name, each.default)
            values[each.name] = found.value
            origins.append(found.shown())
    own: dict[str, dict[str, str | int]] = {}
    for database in DATABASES:
        for part in DB_PARTS:
            setting = f"{database}_db" if part == "name" else f"{database}_db_{part}"
            found = sources.find(setting, 0 if part == "port" else "")
            if found.origin != "default":
                own.setdefault(database, {})[part] = cast("str | int", found.value)
                origins.append(found.shown())
    return replace(Settings(), **values, db_own=own), origins  # type: ignore[arg-type]  # of the types of their defaults


@dataclass(frozen=True)
class _Sources:
    """Where settings may stand, each with the name of its place."""

    flags: Mapping[str, object]
    named: Sequence[tuple[str, Mapping[str, str]]]
    file: Mapping[str, object]
    path: str

    def find(self, setting: str, default: object) -> Origin:
        """Give the value of a setting and where it is from."""
        if setting in self.flags:
            return Origin(setting, _read(setting, self.flags[setting], default), "flag")
        names = (f"{PREFIX}{setting.upper()}", *PUBLISHED.get(setting, ()))
        for place, values in self.named:
            if name := next((one for one in names if one in values), ""):
                return Origin(setting, _read(setting, values[name], default, name), f"{place} {name}")
        if setting in self.file:
            return Origin(setting, _read(setting, self.file[setting], default), self.path)
        return Origin(setting, default, "default")


def _dotenv() -> dict[str, str]:
    """Read NAME=VALUE lines, as shells and compose do; what is in quotes is taken as it stands."""
    path = Path(DOTENV)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (UnicodeDecodeError, OSError) as error:
        raise InvalidInput(
            f"cannot be read: {error}.", field=str(path.absolute()), remedy="Correct the file."
        ) from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise InvalidInput(
                f"Line {number} is not NAME=VALUE.", field=str(path.absolute()), remedy="Correct the file."
            )
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        else:
            value = value.partition(" #")[0].rstrip()
        if value:
            found[name.strip()] = value
    return found


def _file(path: Path) -> Mapping[str, object]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):  # a home that is no folder is named by who needs it
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InvalidInput(f"cannot be read: {error}.", field=str(path), remedy="Correct the file.") from None
    known = {field.name for field in fields(Settings)} - {"db_own"} | set(PUBLISHED)
    for name in found:
        if name not in known:
            raise InvalidInput(
                f"There is no setting {name!r}.", field=str(path), remedy=f"Known: {', '.join(sorted(known))}."
            )
    return found


def _read(setting: str, value: object, default: object, name: str = "") -> object:
    """Read the value of a setting; `name` is what it was given as."""
    name = name or setting
    if isinstance(default, Path):
        return Path(str(value))
    if isinstance(default, bool):
        text = str(value).lower()
        if text in {"true", "1", "yes", "on"}:
            return True
        if text in {"false", "0", "no", "off"}:
            return False
        raise InvalidInput(f"{value!r} is neither true nor false.", field=name)
    if isinstance(default, int):
        return _number(name, value, *LIMITS[setting])
    text, choices = str(value), CHOICES.get(setting)
    if choices and text not in choices:
        raise InvalidInput(f"{text[:50]!r} is not {' or '.join(choices)}.", field=name)
    return optional_name(text, name)


def _number(name: str, value: object, least: int, most: int) -> int:
    try:
        number = int(str(value))
    except ValueError:
        raise InvalidInput(f"{value!r} is not a whole number.", field=name) from None
    if not least <= number <= most:
        raise InvalidInput(f"{number} is not {least} to {most}.", field=name)
    return number
