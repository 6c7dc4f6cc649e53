"""The folder of embedded databases: opened together, migrated when they must be, copied as one consistent cut."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import cast

from restock.adapters.database.sqlite import SETUP_WAIT_MS, SqliteDatabase, connect
from restock.adapters.database.sqlite_errors import translated
from restock.core.errors import InvalidInput, StorageUnusable, Unavailable
from restock.engine.database.migrate import Schema, pending, upgrade

STORES = "stores"
"""The folder under RESTOCK_HOME that holds the databases and nothing else, so that it can be swapped whole."""


CONTENTS = "contents.txt"
"""The file in that folder which lists the stores, so that one that vanished is missed."""


class EmbeddedDatabases:
    """All databases of one RESTOCK_HOME."""

    def __init__(self, home: Path, schemas: Mapping[str, Sequence[Schema]]) -> None:
        """`schemas` gives for each database name the contexts that keep tables in it."""
        self.home = home
        self.folder = home / STORES
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageUnusable(
                f"{self.folder} cannot be made: {error.strerror}.", remedy="Set RESTOCK_HOME."
            ) from error
        with _alone(home):
            finish_restore(home)
            _refuse_loss(self.folder)
            self.migrated = [name for name, owners in schemas.items() if migrate(self.folder / f"{name}.db", owners)]
            """Those whose tables were made or changed just now."""
            _list_stores(self.folder, schemas)
        self._databases = {name: SqliteDatabase(self.folder / f"{name}.db", name) for name in schemas}

    def __getitem__(self, name: str) -> SqliteDatabase:
        return self._databases[name]

    def __iter__(self) -> Iterator[SqliteDatabase]:
        return iter(self._databases.values())

    async def close(self) -> None:
        """Finish what waits and close every file."""
        for database in self._databases.values():
            await database.close()


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Let one process after the other make or update the stores of a home."""
    try:
        lock = (home / "migrate.lock").open("w")
    except OSError as error:
        raise StorageUnusable(
            f"{home} cannot be written: {error.strerror}.", remedy="Check its permissions, or set RESTOCK_HOME."
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _refuse_loss(folder: Path) -> None:
    """Refuse a folder from which a store vanished: a new, empty one would order every need again. Raises StorageUnusable."""
    try:
        names = (folder / CONTENTS).read_text("utf-8").split()
    except FileNotFoundError:  # the stores are being made, or were made before there was a list
        return
    for name in names:
        path = folder / f"{name}.db"
        if not path.exists() or not path.stat().st_size:
            raise StorageUnusable(
                f"{path} is {'empty' if path.exists() else 'missing'}, but it was made with the others.",
                remedy="Restore a backup with `restock restore DIR`, or set RESTOCK_HOME to begin anew elsewhere.",
            )


def _list_stores(folder: Path, names: Iterable[str]) -> None:
    """Write down which stores there are, once all are made."""
    path = folder / CONTENTS
    listed = path.read_text("utf-8").split() if path.exists() else []
    if listed and set(listed) >= set(names):
        return
    text = "\n".join(sorted({*listed, *names})) + "\n"  # a service that is served alone opens a part of them
    new = folder / f"{CONTENTS}.new"
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def migrate(path: Path, schemas: Sequence[Schema]) -> bool:
    """Make or update the tables of one file, and tell whether that was needed; the caller holds the lock of the home.

    Raises StorageUnusable when the file is newer than this program.
    """
    with closing(connect(path)) as connection:
        if not any(pending(schema, _revision(connection, schema, path), path.stem) for schema in schemas):
            return False
    from sqlalchemy import create_engine, exc, pool  # noqa: PLC0415 - only when there is something to migrate

    def patient() -> sqlite3.Connection:
        connection = connect(path)
        connection.execute(f"PRAGMA busy_timeout={SETUP_WAIT_MS}")  # a running server may be writing
        return connection

    engine = create_engine("sqlite://", creator=patient, poolclass=pool.NullPool)
    try:
        with engine.connect() as connection_of_engine:
            connection_of_engine.exec_driver_sql("BEGIN IMMEDIATE")
            upgrade(connection_of_engine, schemas)
            connection_of_engine.exec_driver_sql("COMMIT")
    except exc.DBAPIError as error:
        raise translated(cast("sqlite3.Error", error.orig), path) from error
    finally:
        engine.dispose()
    return True


def _revision(connection: sqlite3.Connection, schema: Schema, path: Path) -> str | None:
    try:
        row = connection.execute(f"SELECT version_num FROM {schema.version_table}").fetchone()  # noqa: S608 - our own name
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise translated(error, path) from error
    except sqlite3.DatabaseError as error:
        raise translated(error, path) from error
    return None if row is None else str(row[0])


def backup(home: Path, target: Path) -> list[Path]:
    """Copy every store as of one moment, also beside a running server; give the files written.

    All write locks are held together for the moment in which the read snapshots are taken, so no event can be in one copy
    and its effect missing in another. Raises InvalidInput when the target is not empty.
    """
    sources = sorted((home / STORES).glob("*.db"))
    if not sources:
        raise InvalidInput(f"There is nothing to back up in {home}.", remedy="Set RESTOCK_HOME.")
    if target.exists() and any(target.iterdir()):
        raise InvalidInput(f"{target} is not empty.", remedy="Name a new folder.")
    target.mkdir(parents=True, exist_ok=True)
    with ExitStack() as open_connections:
        snapshots = []
        with _writers_stopped(sources):
            for path in sources:
                snapshot = open_connections.enter_context(closing(connect(path)))
                snapshot.execute("BEGIN")
                snapshot.execute("SELECT count(*) FROM sqlite_master").fetchone()
                snapshots.append(snapshot)
        for path, snapshot in zip(sources, snapshots, strict=True):
            with closing(sqlite3.connect(target / path.name)) as copy:
                snapshot.backup(copy)
    return [target / path.name for path in sources]


@contextmanager
def _writers_stopped(paths: Sequence[Path]) -> Iterator[None]:
    with ExitStack() as locks:
        for path in paths:  # always in the same order, so two backups cannot block one another
            connection = locks.enter_context(closing(connect(path)))
            connection.execute("PRAGMA busy_timeout=30000")
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                raise translated(error, path) from error
        yield


def restore(source: Path, home: Path, names: Sequence[str]) -> list[Path]:
    """Put a backup in the place of the stores; nothing is touched unless every file of it is whole.

    The caller holds the server lock. A crash leaves either the old stores or the new ones: `finish_restore` ends it.
    """
    files = [source / f"{name}.db" for name in names]
    for path in files:
        if not path.is_file():
            raise InvalidInput(f"{path} is missing.", remedy="Name a folder made by `restock backup`.")
        with closing(connect_read_only(path)) as connection:
            try:
                verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
            except sqlite3.DatabaseError as error:
                raise translated(error, path) from error
            if verdict != "ok":
                raise StorageUnusable(f"{path} is damaged: {verdict}.", remedy="Use another backup.")
    staged = home / "stores.incoming"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    for path in files:
        shutil.copyfile(path, staged / path.name)
        with (staged / path.name).open("rb+") as copy:
            os.fsync(copy.fileno())
    _list_stores(staged, names)
    (home / "stores.ready").touch()
    finish_restore(home)
    return [home / STORES / path.name for path in files]


def finish_restore(home: Path) -> None:
    """Finish a restore that was staged whole; a no-op otherwise."""
    marker, staged, stores, old = home / "stores.ready", home / "stores.incoming", home / STORES, home / "stores.old"
    if not marker.exists():
        return
    if staged.exists():
        if stores.exists():
            shutil.rmtree(old, ignore_errors=True)
            stores.rename(old)
        staged.rename(stores)
    marker.unlink()
    shutil.rmtree(old, ignore_errors=True)


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Open a copy that nobody else writes and that must not be changed, not even by a file beside it."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)


@contextmanager
def exclusive(home: Path, what: str, busy: str, *, shared: bool = False) -> Iterator[None]:
    """Hold the named lock of a home; the kernel drops it when the process ends, however it ends. Raises Unavailable.

    Any number may hold it `shared`, but then nobody alone.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / f"{what}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable(busy) from None
        yield
