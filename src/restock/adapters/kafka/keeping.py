"""How topics are made, and what they keep: as their settings say, by which a broker forgets on its own.

They promise what the port does: the time of a record is when the broker stored it, and a message of its limit fits.
A broker asks no group, so `keep_unread` is not kept: it reads back as false where there is a limit.
"""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from restock.adapters.kafka.client import WIRE_BYTES
from restock.engine.stream.checks import checked_retention
from restock.engine.stream.port import FOREVER, Retention

MS, BYTES = "retention.ms", "retention.bytes"

TOPIC_SETTINGS = {
    "cleanup.policy": "delete",
    "message.timestamp.type": "LogAppendTime",
    "max.message.bytes": str(WIRE_BYTES),
}
"""How topics are made beside what they keep; copies and `min.insync.replicas` are the cluster's business."""


def made_with(retention: Retention) -> dict[str, str]:
    """Give the settings of a new topic. Raises InvalidInput."""
    ms, size, _ = checked_retention(retention)
    return TOPIC_SETTINGS | {MS: str(ms), BYTES: str(size)}


def asked_of(name: str, retention: Retention | None = None) -> ConfigResource:
    """Give what names a topic's settings to the admin client, with the change if there is one. Raises InvalidInput."""
    if retention is None:
        return ConfigResource(ResourceType.TOPIC, name)
    ms, size, _ = checked_retention(retention)
    changes = [
        ConfigEntry(setting, str(value), incremental_operation=AlterConfigOpType.SET)
        for setting, value in ((MS, ms), (BYTES, size))
    ]
    return ConfigResource(ResourceType.TOPIC, name, incremental_configs=changes)


def kept_by(settings: Mapping[str, ConfigEntry]) -> Retention:
    """Give what a topic's settings say."""
    ms, size = (int(settings[one].value or -1) for one in (MS, BYTES))
    return FOREVER if max(ms, size) < 0 else Retention(ms, size, keep_unread=False)
