"""The registry: numbers schemas, keeps the versions of subjects, and lets a version in only if readers can follow.

A number means one schema for ever. Numbers below `FIRST_FREE` belong to the events that Restock publishes: they are part of
the program, so that what was framed in one home is read in every other; see `publish`.
Durable writes are named `register_schema`, `delete_schema`, `schema_mode` and `event_schemas` for failpoints.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from restock.core.clock import Clock, timestamp
from restock.core.errors import Conflict, Unavailable
from restock.engine.database import Database, Row, Transaction
from restock.engine.database.port import KeyTaken
from restock.engine.stream.framing import EventSchema
from restock.engine.stream.registry import tables as sql
from restock.engine.stream.registry.kinds import canonical, fingerprint, obstacles, parsed
from restock.engine.stream.registry.model import (
    DEFAULT_MODE,
    DIRECTIONS,
    MAX_SUBJECT,
    Given,
    Incompatible,
    ModeInvalid,
    ModeUnset,
    Reference,
    Referred,
    SchemaInvalid,
    SchemaUnknown,
    Stored,
    SubjectStillThere,
    SubjectUnknown,
    Version,
    VersionInvalid,
    VersionStillThere,
    VersionUnknown,
)

FIRST_FREE = 1000
"""Numbers below it are those of the program's own events: a thousand versions of some ten topics, given by hand."""

EVENT_MODE = "FULL_TRANSITIVE"
"""Events of Restock are read by programs that are older and by programs that are newer."""

MAX_TRIES = 20
"""A registration is tried again when another one of the same subject was faster; more than this many at once are a loop."""

MAX_REFERENCES = 100
"""Schemas behind a schema, theirs included."""

LATEST = "latest"
EVERYWHERE = ""
"""The subject whose mode holds for all that have none."""


class Registry:
    """The schemas in one database. Several processes may use it at once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def subjects(self, *, deleted: bool = False) -> list[str]:
        """Give the names of subjects that have a version; with `deleted` also those whose versions were all deleted."""
        return [name for name, gone in await self._database.read(sql.SUBJECTS) if deleted or not gone]

    async def versions(self, subject: str, *, deleted: bool = False) -> list[Version]:
        """Give the versions, oldest first. Raises SubjectUnknown when there is none."""
        found = [one for one in await self._all(subject) if deleted or not one.deleted]
        if not found:
            raise _no_subject(subject)
        return found

    async def version(self, subject: str, number: str, *, deleted: bool = False) -> Version:
        """Give a version by its number or `latest`. Raises SubjectUnknown, VersionUnknown, VersionInvalid."""
        wanted = _version_number(number)
        found = await self.versions(subject, deleted=deleted)
        if wanted is None:
            return found[-1]
        for one in found:
            if one.version == wanted:
                return one
        raise VersionUnknown(f"Subject {subject} has no version {wanted}.", remedy="List its versions.")

    async def schema(self, number: int) -> Stored:
        """Give a schema by its number, also one that no subject holds any more: records do. Raises SchemaUnknown."""
        for row in await self._database.read(sql.BY_ID, {"wanted": number}):
            return _stored(row)
        raise SchemaUnknown(
            f"There is no schema {number}.", remedy="Ask the registry that the record was written with."
        )

    async def places(self, number: int) -> list[tuple[str, int]]:
        """Give subjects and versions that hold a schema. Raises SchemaUnknown."""
        await self.schema(number)
        return [(subject, version) for subject, version in await self._database.read(sql.PLACES, {"of_schema": number})]

    async def lookup(self, subject: str, given: Given, *, deleted: bool = False) -> Version:
        """Give the newest version of the subject that is this schema. Raises SubjectUnknown, SchemaUnknown."""
        mark = fingerprint(given)
        for one in reversed(await self.versions(subject, deleted=deleted)):
            if one.schema.fingerprint == mark:
                return one
        raise SchemaUnknown(f"Subject {subject} does not hold this schema.", remedy="Register it.")

    async def register(self, subject: str, given: Given) -> int:
        """Make a schema the newest version of a subject and give its number; what the subject holds keeps its number.

        Raises SchemaInvalid, Incompatible with every reason, SubjectUnknown or VersionUnknown for a reference.
        """
        _check_subject(subject)
        mark = fingerprint(given)
        used = await self.used(given)
        parsed(given, used)
        for _ in range(MAX_TRIES):
            known = await self._all(subject)
            for one in known:
                if not one.deleted and one.schema.fingerprint == mark:
                    return one.schema.id
            mode = await self._mode_of(subject)
            problems = await self._problems(given, [one for one in known if not one.deleted], mode)
            if problems:
                raise Incompatible(
                    f"The schema may not follow in subject {subject} ({mode}): {'; '.join(problems)}.",
                    remedy="Give new members a default, or change the mode of the subject.",
                )
            try:
                return await self._add(subject, given, mark, [one.version for one in known])
            except (KeyTaken, _Overtaken):
                continue
        raise Unavailable(f"Others keep registering in subject {subject}.", remedy="Try again.")

    async def test(self, subject: str, number: str, given: Given) -> list[str]:
        """Say why a schema could not follow: after a version, or after those that its mode asks for when `number` is empty.

        Raises SchemaInvalid, SubjectUnknown, VersionUnknown.
        """
        used = await self.used(given)
        parsed(given, used)
        mode = await self._mode_of(subject)
        if number:
            return await self._problems(given, [await self.version(subject, number)], mode)
        return await self._problems(given, [one for one in await self._all(subject) if not one.deleted], mode)

    async def delete_version(self, subject: str, number: str, *, permanent: bool = False) -> int:
        """Take a version out of a subject; its schema stays readable by number.

        Only what was deleted can be deleted permanently, which forgets the place. Raises SubjectUnknown, VersionUnknown,
        VersionStillThere, Referred.
        """
        one = await self.version(subject, number, deleted=permanent)
        if permanent and not one.deleted:
            raise VersionStillThere(
                f"Version {one.version} of {subject} is not deleted.", remedy="Delete it without permanent first."
            )
        await self._delete([one], permanent=permanent)
        return one.version

    async def delete_subject(self, subject: str, *, permanent: bool = False) -> list[int]:
        """Take all versions out of a subject; give their numbers. Raises SubjectUnknown, SubjectStillThere, Referred."""
        found = await self.versions(subject, deleted=permanent)
        if permanent and not all(one.deleted for one in found):
            raise SubjectStillThere(f"Subject {subject} is not deleted.", remedy="Delete it without permanent first.")
        await self._delete(found, permanent=permanent)
        return [one.version for one in found]

    async def mode(self, subject: str = EVERYWHERE, *, inherited: bool = False) -> str:
        """Give the mode of a subject, or the one for all. Raises ModeUnset unless `inherited`."""
        own = await self._own_mode(subject)
        if not own and subject and not inherited:
            raise ModeUnset(f"Subject {subject} has no mode of its own.", remedy="Ask for the one that holds for all.")
        return own or await self._mode_of(subject)

    async def set_mode(self, mode: str, subject: str = EVERYWHERE) -> str:
        """Set the mode of a subject, or the one for all; give it. Raises ModeInvalid."""
        mode = mode.upper()
        if mode not in DIRECTIONS:
            raise ModeInvalid(f"{mode[:50]!r} is no mode.", remedy=f"Known: {', '.join(DIRECTIONS)}.")
        if subject:
            _check_subject(subject)

        async def put(tx: Transaction) -> None:
            await tx.write(sql.PUT_MODE, {"subject": subject, "compatibility": mode})

        await self._database.write("schema_mode", put)
        return mode

    async def unset_mode(self, subject: str = EVERYWHERE) -> str:
        """Let a subject follow the mode for all again, or all the default; give what held. Raises ModeUnset."""
        old = await self.mode(subject)

        async def remove(tx: Transaction) -> None:
            await tx.write(sql.REMOVE_MODE, {"of_subject": subject})

        await self._database.write("schema_mode", remove)
        return old

    async def publish(self, schemas: Sequence[EventSchema]) -> list[EventSchema]:
        """Make sure that the program's own schemas are registered, each under its number; give all with such numbers.

        Among them may be those of a newer program that worked in this home. Raises Conflict when a number means another
        schema here.
        """
        found = await self._numbered()
        missing = [one for one in schemas if (one.number, one.subject) not in {(f.number, f.subject) for f in found}]
        if missing:
            await self._database.write("event_schemas", lambda tx: self._publish(tx, missing))
            found = await self._numbered()
        texts = {one.number: one.text for one in found}
        for one in schemas:
            if canonical(texts[one.number]) != canonical(one.text):
                raise Conflict(
                    f"Schema {one.number} of {one.subject} is another one in this home.",
                    remedy="A schema that was published never changes: give the new one a new number.",
                )
        return found

    async def _numbered(self) -> list[EventSchema]:
        rows = await self._database.read(sql.NUMBERED, {"below": FIRST_FREE})
        return [EventSchema(one.schema.id, one.subject, one.schema.text) for one in map(_version, rows)]

    async def _publish(self, tx: Transaction, schemas: Sequence[EventSchema]) -> None:
        at = timestamp(self._clock.now())
        for number, subject, text in schemas:
            if not await tx.read(sql.BY_ID, {"wanted": number}):
                row = _row(Given(text), fingerprint(Given(text)), at)
                await tx.write(sql.ADD_SCHEMA, {**row, "id": number})
            await self._place(tx, subject, number)
            await tx.write(sql.PUT_MODE, {"subject": subject, "compatibility": EVENT_MODE})

    async def _add(self, subject: str, given: Given, mark: str, known: list[int]) -> int:
        """Add the version unless the subject is no longer what it was. Raises _Overtaken, KeyTaken."""
        at = timestamp(self._clock.now())

        async def add(tx: Transaction) -> int:
            if [row[1] for row in await tx.read(sql.VERSIONS, {"of_subject": subject})] != known:
                raise _Overtaken
            found = await tx.read(sql.BY_FINGERPRINT, {"wanted": mark})
            if found:
                number = int(found[0][0])
            else:
                ((highest,),) = await tx.read(sql.HIGHEST)
                number = max(int(highest or 0) + 1, FIRST_FREE)
                await tx.write(sql.ADD_SCHEMA, {**_row(given, mark, at), "id": number})
            await self._place(tx, subject, number)
            return number

        return await self._database.write("register_schema", add)

    async def _place(self, tx: Transaction, subject: str, number: int) -> None:
        """Give a schema the next version of a subject: one more than the subject ever had."""
        last = await tx.read(sql.LAST_VERSION, {"wanted": subject})
        version = int(last[0][0]) + 1 if last else 1
        await tx.write(sql.PUT_SUBJECT, {"name": subject, "last_version": version})
        row = {"subject": subject, "version": version, "schema_id": number, "deleted": False}
        await tx.write(sql.ADD_VERSION, row)

    async def _delete(self, versions: Sequence[Version], *, permanent: bool) -> None:
        statement = sql.REMOVE_VERSION if permanent else sql.HIDE_VERSION
        going = {(one.subject, one.version) for one in versions}

        async def remove(tx: Transaction) -> None:
            for subject, version, refers in await tx.read(sql.REFERRING):
                for _, used, at in _references(refers):
                    if (used, at) in going and (subject, version) not in going:
                        raise Referred(
                            f"Version {version} of {subject} refers to version {at} of {used}.",
                            remedy="Delete what refers to it first.",
                        )
            await tx.write_many(
                statement, [{"of_subject": subject, "of_version": version} for subject, version in sorted(going)]
            )

        await self._database.write("delete_schema", remove)

    async def _all(self, subject: str) -> list[Version]:
        return [_version(row) for row in await self._database.read(sql.VERSIONS, {"of_subject": subject})]

    async def _own_mode(self, subject: str) -> str:
        rows = await self._database.read(sql.MODE, {"of_subject": subject})
        return str(rows[0][0]) if rows else ""

    async def _mode_of(self, subject: str) -> str:
        return await self._own_mode(subject) or await self._own_mode(EVERYWHERE) or DEFAULT_MODE

    async def used(self, given: Given) -> list[str]:
        """Give the texts of the schemas that a schema refers to, each after those that it needs itself.

        Raises SchemaInvalid for too many, SubjectUnknown, VersionUnknown.
        """
        texts: dict[tuple[str, int], str] = {}

        async def gather(references: Iterable[Reference]) -> None:
            for one in references:
                if (one.subject, one.version) in texts:
                    continue
                if len(texts) >= MAX_REFERENCES:
                    raise SchemaInvalid(f"More than {MAX_REFERENCES} schemas are referred to.", remedy="Join some.")
                found = (await self.version(one.subject, str(one.version))).schema
                await gather(found.references)
                texts[one.subject, one.version] = found.text

        await gather(given.references)
        return list(texts.values())

    async def _problems(self, given: Given, known: Sequence[Version], mode: str) -> list[str]:
        """Say why a schema may not follow the versions, the newest first."""
        backward, forward = DIRECTIONS[mode]
        wanted = known if mode.endswith("_TRANSITIVE") else known[-1:]
        problems: list[str] = []
        for one in reversed(wanted) if backward or forward else ():
            if one.schema.kind != given.kind:
                problems.append(f"version {one.version} is {one.schema.kind}, not {given.kind}")
                continue
            new = parsed(given, await self.used(given))
            old = parsed(one.schema.given, await self.used(one.schema.given))
            if backward:
                problems += [f"cannot read version {one.version}: {each}" for each in obstacles(new, old)]
            if forward:
                problems += [f"version {one.version} cannot read it: {each}" for each in obstacles(old, new)]
        return problems


class _Overtaken(Exception):
    """Another version came in between."""


def _row(given: Given, mark: str, at: str) -> dict[str, object]:
    refers = msgspec.json.encode(given.references).decode()
    return {"fingerprint": mark, "kind": given.kind, "text": given.text, "refers": refers, "created_at": at}


def _stored(row: Row) -> Stored:
    number, mark, kind, text, refers = row
    return Stored(number, mark, kind, text, tuple(_references(refers)))


def _version(row: Row) -> Version:
    subject, version, deleted, *schema = row
    return Version(subject, version, bool(deleted), _stored(tuple(schema)))


def _no_subject(subject: str) -> SubjectUnknown:
    return SubjectUnknown(f"There is no subject {subject}.", remedy="List the subjects for those there are.")


def _check_subject(subject: str) -> None:
    if not 0 < len(subject) <= MAX_SUBJECT or not subject.isprintable():
        raise SchemaInvalid(f"{subject[:50]!r} is no subject.", remedy=f"Give 1 to {MAX_SUBJECT} printable characters.")


def _version_number(text: str) -> int | None:
    """Give the number; None for the latest. Raises VersionInvalid."""
    if text in {LATEST, "-1"}:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise VersionInvalid(f"{text[:50]!r} is no version.", remedy="Give a number from 1 on, or latest.")
    return int(text)


_references = msgspec.json.Decoder(list[Reference]).decode
