"""The event stream: the port, the embedded log, and outbox and inbox, which together give each event its effect once.

A context writes events into its `Outbox` in the unit that makes a change; a `Relay` publishes them; a `Subscriber` hands
them to a consumer with an `Inbox`. `EmbeddedLog` needs no server.
"""

from restock.engine.stream.codec import Sealed, decode, encode, encode_all, encode_known
from restock.engine.stream.dead_letters import DeadLetter, DeadLetters
from restock.engine.stream.inbox import Inbox
from restock.engine.stream.log import SCHEMA, EmbeddedLog
from restock.engine.stream.murmur2 import partition_for
from restock.engine.stream.outbox import Backlog, Outbox, Packed, Relay, Waiting
from restock.engine.stream.port import (
    EVENT_ID_HEADER,
    Listener,
    Message,
    Position,
    Record,
    Retention,
    Stream,
    TopicFacts,
    TopicPartition,
    Watermarks,
)
from restock.engine.stream.retention import Retainer
from restock.engine.stream.rough import RoughLog
from restock.engine.stream.subscriber import Subscriber, Unfit
from restock.engine.stream.tables import (
    block_table,
    create_blocks,
    create_inbox,
    create_outbox,
    inbox_table,
    outbox_table,
)

__all__ = [
    "EVENT_ID_HEADER",
    "SCHEMA",
    "Backlog",
    "DeadLetter",
    "DeadLetters",
    "EmbeddedLog",
    "Inbox",
    "Listener",
    "Message",
    "Outbox",
    "Packed",
    "Position",
    "Record",
    "Relay",
    "Retainer",
    "Retention",
    "RoughLog",
    "Sealed",
    "Stream",
    "Subscriber",
    "TopicFacts",
    "TopicPartition",
    "Unfit",
    "Waiting",
    "Watermarks",
    "block_table",
    "create_blocks",
    "create_inbox",
    "create_outbox",
    "decode",
    "encode",
    "encode_all",
    "encode_known",
    "inbox_table",
    "outbox_table",
    "partition_for",
]
