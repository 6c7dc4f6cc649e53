"""The tables and statements of the embedded log. Topics have numbers, so that a record's key is three small integers."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from restock.engine.database import Statement
from restock.engine.database.columns import count, document, flag, label, moment
from restock.engine.stream.tables import BATCH_ROOM

METADATA = MetaData()

NEVER = -1
"""The next offset of a partition that was owned and never committed."""


def _part(name: str) -> Column[int]:
    return Column(name, BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)


TOPIC = Table(
    "topic",
    METADATA,
    label("name", primary_key=True),
    count("id", unique=True),
    count("partitions"),
    moment("created_at"),
    count("retention_ms"),
    count("retention_bytes"),
    flag("keep_unread"),
)
PARTITION = Table(
    "partition", METADATA, _part("topic"), _part("partition"), count("low"), count("high"), count("bytes")
)
BATCH = Table(
    "record_batch",
    METADATA,
    _part("topic"),
    _part("partition"),
    _part("base"),
    count("records"),
    Column("batch", LargeBinary(BATCH_ROOM), nullable=False),
    moment("at"),
)
COMMITTED = Table(
    "committed",
    METADATA,
    label("consumer_group", primary_key=True),
    _part("topic"),
    _part("partition"),
    Column("next", BigInteger, nullable=False, default=NEVER),
    Column("owner", String(36), nullable=False, default=""),
    Column("epoch", BigInteger, nullable=False, default=0),
)
"""How far a group has come in a partition, who owns it, and how often the owner changed."""

MEMBER = Table(
    "member",
    METADATA,
    label("consumer_group", primary_key=True),
    Column("member_id", String(36), primary_key=True),
    document("topics"),
)

ALL_TOPICS = Statement(select(TOPIC.c.name, TOPIC.c.id, TOPIC.c.partitions).order_by(TOPIC.c.name))
ONE_TOPIC = Statement(select(TOPIC.c.id, TOPIC.c.partitions).where(TOPIC.c.name == bindparam("wanted")))
FACTS = Statement(
    select(
        TOPIC.c.partitions,
        TOPIC.c.created_at,
        select(func.sum(PARTITION.c.bytes)).where(PARTITION.c.topic == TOPIC.c.id).scalar_subquery(),
        TOPIC.c.retention_ms,
        TOPIC.c.retention_bytes,
        TOPIC.c.keep_unread,
    ).where(TOPIC.c.name == bindparam("wanted"))
)
ADD_TOPIC = Statement(insert(TOPIC))
ADD_PARTITION = Statement(insert(PARTITION))
WATERMARKS = Statement(
    select(PARTITION.c.partition, PARTITION.c.low, PARTITION.c.high)
    .where(PARTITION.c.topic == bindparam("wanted"))
    .order_by(PARTITION.c.partition)
)
HIGHS = Statement(
    select(PARTITION.c.partition, PARTITION.c.high)
    .where(PARTITION.c.topic == bindparam("wanted"), PARTITION.c.partition.in_(bindparam("partitions", expanding=True)))
    .order_by(PARTITION.c.partition)
    .with_for_update()  # says nothing to SQLite, which has one writer anyway; elsewhere it keeps offsets dense
)
RAISE_HIGH = Statement(
    update(PARTITION)
    .where(PARTITION.c.topic == bindparam("of_topic"), PARTITION.c.partition == bindparam("of_partition"))
    .values(high=bindparam("new_high"), bytes=PARTITION.c.bytes + bindparam("more"))
)
ADD_BATCH = Statement(insert(BATCH))
_HOLDS = BATCH.alias("holds")
READ = Statement(
    select(BATCH.c.base, BATCH.c.records, BATCH.c.batch, BATCH.c.at)
    .where(
        BATCH.c.topic == bindparam("wanted"),
        BATCH.c.partition == bindparam("of_partition"),
        BATCH.c.base
        >= func.coalesce(  # the batch that holds the first record asked for
            select(func.max(_HOLDS.c.base))
            .where(
                _HOLDS.c.topic == bindparam("wanted"),
                _HOLDS.c.partition == bindparam("of_partition"),
                _HOLDS.c.base <= bindparam("start"),
            )
            .scalar_subquery(),
            0,
        ),
        BATCH.c.base < bindparam("end"),
    )
    .order_by(BATCH.c.base)
    .limit(bindparam("most"))
)
WATERMARKS_OF = Statement(
    select(TOPIC.c.name, PARTITION.c.partition, PARTITION.c.low, PARTITION.c.high)
    .select_from(PARTITION.join(TOPIC, TOPIC.c.id == PARTITION.c.topic))
    .where(TOPIC.c.name.in_(bindparam("names", expanding=True)))
)
FIRST_AT = Statement(
    select(BATCH.c.partition, func.min(BATCH.c.base))
    .where(BATCH.c.topic == bindparam("wanted"), BATCH.c.at >= bindparam("moment"))
    .group_by(BATCH.c.partition)
)
FIRST_KEPT = Statement(
    select(func.min(BATCH.c.base)).where(
        BATCH.c.topic == bindparam("wanted"),
        BATCH.c.partition == bindparam("of_partition"),
        BATCH.c.base + BATCH.c.records > bindparam("before"),
    )
)
DROPPED_BYTES = Statement(
    select(func.coalesce(func.sum(func.length(BATCH.c.batch)), 0)).where(
        BATCH.c.topic == bindparam("of_topic"),
        BATCH.c.partition == bindparam("of_partition"),
        BATCH.c.base < bindparam("new_low"),
    )
)
DROP_BATCHES = Statement(
    delete(BATCH).where(
        BATCH.c.topic == bindparam("of_topic"),
        BATCH.c.partition == bindparam("of_partition"),
        BATCH.c.base < bindparam("new_low"),
    )
)
RAISE_LOW = Statement(
    update(PARTITION)
    .where(PARTITION.c.topic == bindparam("of_topic"), PARTITION.c.partition == bindparam("of_partition"))
    .values(low=bindparam("new_low"), bytes=PARTITION.c.bytes - bindparam("less"))
)
RETAIN = Statement(
    update(TOPIC)
    .where(TOPIC.c.name == bindparam("wanted"))
    .values(retention_ms=bindparam("ms"), retention_bytes=bindparam("size"), keep_unread=bindparam("unread"))
)
LIMITED = Statement(
    select(TOPIC.c.id, PARTITION.c.partition, TOPIC.c.retention_ms, TOPIC.c.retention_bytes, TOPIC.c.keep_unread)
    .select_from(PARTITION.join(TOPIC, TOPIC.c.id == PARTITION.c.topic))
    .where(or_(TOPIC.c.retention_ms >= 0, TOPIC.c.retention_bytes >= 0), PARTITION.c.low < PARTITION.c.high)
    .order_by(TOPIC.c.id, PARTITION.c.partition)
)
SIZE = Statement(
    select(PARTITION.c.bytes).where(
        PARTITION.c.topic == bindparam("wanted"), PARTITION.c.partition == bindparam("of_partition")
    )
)
OLDEST = Statement(
    select(BATCH.c.base, BATCH.c.records, func.length(BATCH.c.batch), BATCH.c.at)
    .where(BATCH.c.topic == bindparam("wanted"), BATCH.c.partition == bindparam("of_partition"))
    .order_by(BATCH.c.base)
    .limit(bindparam("most"))
)
FOLLOWED = Statement(
    select(COMMITTED.c.consumer_group, COMMITTED.c.partition, COMMITTED.c.next).where(
        COMMITTED.c.topic == bindparam("wanted")
    )
)
COMMITS = Statement(
    select(COMMITTED.c.topic, COMMITTED.c.partition, COMMITTED.c.next).where(
        COMMITTED.c.consumer_group == bindparam("of_group"), COMMITTED.c.next != NEVER
    )
)
KNOWN = Statement(
    select(COMMITTED.c.topic, COMMITTED.c.partition).where(COMMITTED.c.consumer_group == bindparam("of_group"))
)
ADD_COMMIT = Statement(insert(COMMITTED))
GROUPS = Statement(select(COMMITTED.c.consumer_group).distinct())
DROP_COMMITS = Statement(delete(COMMITTED).where(COMMITTED.c.consumer_group == bindparam("of_group")))
DROP_MEMBERS = Statement(delete(MEMBER).where(MEMBER.c.consumer_group == bindparam("of_group")))
SET_COMMIT = Statement(
    update(COMMITTED)
    .where(
        COMMITTED.c.consumer_group == bindparam("of_group"),
        COMMITTED.c.topic == bindparam("of_topic"),
        COMMITTED.c.partition == bindparam("of_partition"),
    )
    .values(next=bindparam("new_next"))
)
MEMBERS = Statement(select(MEMBER.c.member_id, MEMBER.c.topics).where(MEMBER.c.consumer_group == bindparam("of_group")))
ADD_MEMBER = Statement(insert(MEMBER))
DROP_MEMBER = Statement(
    delete(MEMBER).where(MEMBER.c.consumer_group == bindparam("of_group"), MEMBER.c.member_id == bindparam("gone"))
)
OWNERS = Statement(
    select(TOPIC.c.name, COMMITTED.c.partition, COMMITTED.c.next, COMMITTED.c.owner, COMMITTED.c.epoch)
    .select_from(COMMITTED.join(TOPIC, TOPIC.c.id == COMMITTED.c.topic))
    .where(COMMITTED.c.consumer_group == bindparam("of_group"))
)
OWN = Statement(
    update(COMMITTED)
    .where(
        COMMITTED.c.consumer_group == bindparam("of_group"),
        COMMITTED.c.topic == bindparam("of_topic"),
        COMMITTED.c.partition == bindparam("of_partition"),
    )
    .values(owner=bindparam("new_owner"), epoch=COMMITTED.c.epoch + 1)
)
COMMIT_OWNED = Statement(
    update(COMMITTED)
    .where(
        and_(
            COMMITTED.c.consumer_group == bindparam("of_group"),
            COMMITTED.c.topic == bindparam("of_topic"),
            COMMITTED.c.partition == bindparam("of_partition"),
            COMMITTED.c.owner == bindparam("me"),
            COMMITTED.c.epoch == bindparam("seen"),
        )
    )
    .values(next=case((COMMITTED.c.next < bindparam("new_next"), bindparam("same_next")), else_=COMMITTED.c.next))
)
RAISE_COMMIT = Statement(
    update(COMMITTED)
    .where(
        COMMITTED.c.consumer_group == bindparam("of_group"),
        COMMITTED.c.topic == bindparam("of_topic"),
        COMMITTED.c.partition == bindparam("of_partition"),
        COMMITTED.c.next < bindparam("new_next"),
    )
    .values(next=bindparam("new_next"))
)
