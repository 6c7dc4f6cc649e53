"""Framed events: a zero byte, the number of an Avro schema in 4 bytes, the event in Avro; any Kafka tool decodes it.

Events are JSON in every outbox; a relay that is told to frames them on their way out, so that accepting an order costs the
same in both formats. Whoever reads looks at the first byte. Numbers of schemas belong to the program (below 1000), never to
one home, so this module needs no registry to read and the process has one book of them.
"""

from __future__ import annotations

from typing import NamedTuple


class EventSchema(NamedTuple):
    """The Avro schema of a topic's events: its number for ever, the subject (`orders-value`), the text."""

    number: int
    subject: str
    text: str
