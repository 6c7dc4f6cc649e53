"""What the registry keeps and what it refuses, in the numbers that clients of a Confluent registry know.

::

    RegistryRefusal
    ├── SubjectUnknown        40401   SubjectStillThere   40405   ModeUnset  40408
    ├── VersionUnknown        40402   VersionStillThere   40407
    ├── SchemaUnknown         40403
    ├── Incompatible          409
    ├── SchemaInvalid         42201   VersionInvalid      42202   ModeInvalid  42203
    └── Referred              42206
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from restock.core.errors import RestockError

AVRO, JSON = "AVRO", "JSON"
KINDS = (AVRO, JSON)
"""The kinds of schema that are kept."""

DIRECTIONS: Mapping[str, tuple[bool, bool]] = {
    "NONE": (False, False),
    "BACKWARD": (True, False),
    "BACKWARD_TRANSITIVE": (True, False),
    "FORWARD": (False, True),
    "FORWARD_TRANSITIVE": (False, True),
    "FULL": (True, True),
    "FULL_TRANSITIVE": (True, True),
}
"""By mode: must the new schema read what older ones wrote; must older ones read what the new one writes."""

DEFAULT_MODE = "BACKWARD_TRANSITIVE"
"""The log keeps old records and is replayed from its start, so a reader must understand every version, not only the last."""

MAX_SCHEMA_BYTES = 1 << 20
"""A schema is read by every client that meets its number; the largest that people publish have some 100 KB."""

MAX_SUBJECT = 128
"""Length of a subject: what a name column holds; a topic's name and `-value`."""


class Reference(NamedTuple):
    """Another schema that a schema uses under a name."""

    name: str
    subject: str
    version: int


class Given(NamedTuple):
    """A schema as a client gives it."""

    text: str
    kind: str = AVRO
    references: tuple[Reference, ...] = ()


class Stored(NamedTuple):
    """A schema with its number."""

    id: int
    fingerprint: str
    kind: str
    text: str
    references: tuple[Reference, ...]

    @property
    def given(self) -> Given:
        """What was given to get it."""
        return Given(self.text, self.kind, self.references)


class Version(NamedTuple):
    """A schema at its place in a subject."""

    subject: str
    version: int
    deleted: bool
    schema: Stored


class RegistryRefusal(RestockError):
    """The registry says no; `number` is what clients tell cases apart by."""

    number: ClassVar[int] = 50001


class SubjectUnknown(RegistryRefusal):
    """There is no such subject."""

    status, exit_code, code, number = 404, 4, "subject-unknown", 40401


class VersionUnknown(RegistryRefusal):
    """The subject has no such version."""

    status, exit_code, code, number = 404, 4, "version-unknown", 40402


class SchemaUnknown(RegistryRefusal):
    """There is no such schema, or the subject does not hold it."""

    status, exit_code, code, number = 404, 4, "schema-unknown", 40403


class SubjectStillThere(RegistryRefusal):
    """Only what was deleted can be deleted for good."""

    status, exit_code, code, number = 404, 4, "subject-not-deleted", 40405


class VersionStillThere(RegistryRefusal):
    """Only what was deleted can be deleted for good."""

    status, exit_code, code, number = 404, 4, "version-not-deleted", 40407


class ModeUnset(RegistryRefusal):
    """The subject has no mode of its own."""

    status, exit_code, code, number = 404, 4, "mode-unset", 40408


class Incompatible(RegistryRefusal):
    """The schema may not follow those that are there."""

    status, exit_code, code, number = 409, 5, "incompatible", 409


class SchemaInvalid(RegistryRefusal):
    """The text is no schema."""

    status, exit_code, code, number = 422, 2, "schema-invalid", 42201


class VersionInvalid(RegistryRefusal):
    """The text is no version."""

    status, exit_code, code, number = 422, 2, "version-invalid", 42202


class ModeInvalid(RegistryRefusal):
    """There is no such mode."""

    status, exit_code, code, number = 422, 2, "mode-invalid", 42203


class Referred(RegistryRefusal):
    """Another schema uses it."""

    status, exit_code, code, number = 422, 2, "schema-referred", 42206
