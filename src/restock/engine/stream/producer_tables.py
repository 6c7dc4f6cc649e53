"""The tables and statements of producers and their transactions, in the database of the embedded log."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from restock.engine.database import Statement
from restock.engine.database.columns import count, identifier, label, moment, sequence
from restock.engine.stream.log_tables import METADATA
from restock.engine.stream.tables import BATCH_ROOM


def _key(name: str) -> Column[int]:
    return Column(name, BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)


PRODUCER = Table(
    "producer",
    METADATA,
    sequence("id"),
    label("transactional_id"),
    count("epoch"),
    moment("used_at"),
    Index("producer_by_name", "transactional_id"),
)
SEQUENCE = Table(
    "producer_sequence",
    METADATA,
    _key("producer"),
    _key("topic"),
    _key("partition"),
    count("next"),
    count("records"),
    count("last_offset"),
)
"""The next sequence of a producer in a partition, and of its last batch the records and the last offset."""

TRANSACTION = Table(
    "producer_transaction",
    METADATA,
    identifier("id", primary_key=True),
    count("producer"),
    label("state"),
    moment("at"),
    count("records"),
    count("bytes"),
    Index("transaction_by_producer", "producer"),
)
"""`at` is when an open one ends by itself, and when another one ended."""

WAITING = Table(
    "transaction_batch",
    METADATA,
    Column("transaction_id", String(36), primary_key=True),
    _key("place"),
    count("topic"),
    count("partition"),
    Column("batch", LargeBinary(BATCH_ROOM), nullable=False),
)

_OF: BindParameter[int] = bindparam("of_producer")

ADD = Statement(insert(PRODUCER).values({name: bindparam(name) for name in ("transactional_id", "epoch", "used_at")}))
NEWEST = Statement(select(func.max(PRODUCER.c.id)))
BY_NAME = Statement(select(PRODUCER.c.id, PRODUCER.c.epoch).where(PRODUCER.c.transactional_id == bindparam("wanted")))
EPOCH = Statement(select(PRODUCER.c.epoch).where(PRODUCER.c.id == _OF))
USED = Statement(
    update(PRODUCER).where(PRODUCER.c.id == _OF).values(epoch=bindparam("new_epoch"), used_at=bindparam("now"))
)
UNUSED = Statement(select(PRODUCER.c.id).where(PRODUCER.c.used_at < bindparam("before")).limit(bindparam("most")))
FORGET = Statement(delete(PRODUCER).where(PRODUCER.c.id == _OF))
FORGET_SEQUENCES = Statement(delete(SEQUENCE).where(SEQUENCE.c.producer == _OF))

_PLACE = (
    SEQUENCE.c.producer == _OF,
    SEQUENCE.c.topic == bindparam("of_topic"),
    SEQUENCE.c.partition == bindparam("of_partition"),
)
REACHED = Statement(select(SEQUENCE.c.next, SEQUENCE.c.records, SEQUENCE.c.last_offset).where(*_PLACE))
ADD_REACHED = Statement(insert(SEQUENCE))
SET_REACHED = Statement(
    update(SEQUENCE)
    .where(*_PLACE)
    .values(next=bindparam("new_next"), records=bindparam("new_records"), last_offset=bindparam("new_last"))
)

_WHICH = TRANSACTION.c.id == bindparam("wanted")
BEGIN = Statement(insert(TRANSACTION))
ONE = Statement(
    select(
        TRANSACTION.c.producer, TRANSACTION.c.state, TRANSACTION.c.at, TRANSACTION.c.records, TRANSACTION.c.bytes
    ).where(_WHICH)
)
OF_PRODUCER = Statement(
    select(TRANSACTION.c.id, TRANSACTION.c.state, TRANSACTION.c.at).where(TRANSACTION.c.producer == _OF)
)
END = Statement(update(TRANSACTION).where(_WHICH).values(state=bindparam("new_state"), at=bindparam("now")))
GROW = Statement(
    update(TRANSACTION).where(_WHICH).values(records=bindparam("new_records"), bytes=bindparam("new_bytes"))
)
FORGET_ENDED = Statement(delete(TRANSACTION).where(_WHICH))
WAIT = Statement(insert(WAITING))
PLACES = Statement(select(func.count()).select_from(WAITING).where(WAITING.c.transaction_id == bindparam("wanted")))
WAITING_OF = Statement(
    select(WAITING.c.topic, WAITING.c.partition, WAITING.c.batch)
    .where(WAITING.c.transaction_id == bindparam("wanted"))
    .order_by(WAITING.c.place)
)
DROP_WAITING = Statement(delete(WAITING).where(WAITING.c.transaction_id == bindparam("wanted")))
