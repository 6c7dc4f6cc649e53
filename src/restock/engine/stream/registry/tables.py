"""The tables and statements of the schema registry, beside those of the embedded log."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    cast,
    delete,
    func,
    insert,
    select,
    update,
)

from restock.engine.database import Statement
from restock.engine.database.columns import count, document, flag, label, moment
from restock.engine.database.migrate import Schema
from restock.engine.database.statement import Upsert

SCHEMA = Schema("registry", Path(__file__).parent / "migrations")
"""The registry's tables, for the folder of databases."""

METADATA = MetaData()


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)


SUBJECT = Table("subject", METADATA, label("name", primary_key=True), count("last_version"))
_SCHEMA = Table(
    "schema",
    METADATA,
    _number("id"),
    label("fingerprint", unique=True),
    label("kind"),
    Column("text", Text, nullable=False),
    document("refers"),
    moment("created_at"),
)
VERSION = Table(
    "version",
    METADATA,
    label("subject", primary_key=True),
    _number("version"),
    count("schema_id"),
    flag("deleted"),
    Index("version_of_schema", "schema_id"),
)
CONFIG = Table("config", METADATA, label("subject", primary_key=True), label("compatibility"))

_V, _S = VERSION.c, _SCHEMA.c
_JOINED = VERSION.join(_SCHEMA, _V.schema_id == _S.id)
_SHOWN = (_V.subject, _V.version, _V.deleted, _S.id, _S.fingerprint, _S.kind, _S.text, _S.refers)

SUBJECTS = Statement(select(_V.subject, func.min(cast(_V.deleted, Integer))).group_by(_V.subject).order_by(_V.subject))
VERSIONS = Statement(
    select(*_SHOWN).select_from(_JOINED).where(_V.subject == bindparam("of_subject")).order_by(_V.version)
)
NUMBERED = Statement(select(*_SHOWN).select_from(_JOINED).where(_S.id < bindparam("below")).order_by(_S.id, _V.subject))
PLACES = Statement(
    select(_V.subject, _V.version)
    .where(_V.schema_id == bindparam("of_schema"), _V.deleted.is_(False))
    .order_by(_V.subject, _V.version)
)
REFERRING = Statement(
    select(_V.subject, _V.version, _S.refers)
    .select_from(_JOINED)
    .where(_S.refers != "[]", _V.deleted.is_(False))
    .order_by(_V.subject, _V.version)
)
BY_ID = Statement(select(_S.id, _S.fingerprint, _S.kind, _S.text, _S.refers).where(_S.id == bindparam("wanted")))
BY_FINGERPRINT = Statement(select(_S.id).where(_S.fingerprint == bindparam("wanted")))
HIGHEST = Statement(select(func.max(_S.id)))
ADD_SCHEMA = Statement(insert(_SCHEMA))
LAST_VERSION = Statement(select(SUBJECT.c.last_version).where(SUBJECT.c.name == bindparam("wanted")))
PUT_SUBJECT = Upsert(SUBJECT, ("name",))
ADD_VERSION = Statement(insert(VERSION))
HIDE_VERSION = Statement(
    update(VERSION)
    .where(_V.subject == bindparam("of_subject"), _V.version == bindparam("of_version"))
    .values(deleted=True)
)
REMOVE_VERSION = Statement(
    delete(VERSION).where(_V.subject == bindparam("of_subject"), _V.version == bindparam("of_version"))
)
MODE = Statement(select(CONFIG.c.compatibility).where(CONFIG.c.subject == bindparam("of_subject")))
PUT_MODE = Upsert(CONFIG, ("subject",))
REMOVE_MODE = Statement(delete(CONFIG).where(CONFIG.c.subject == bindparam("of_subject")))
