"""What every stream refuses, and what it says then: names, sizes, headers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from restock.core.errors import InvalidInput
from restock.engine.stream.port import (
    MAX_BYTES,
    MAX_KEY_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_NAME,
    MAX_PARTITIONS,
    MAX_RETENTION_MS,
    Message,
    Retention,
)

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def checked_name(name: str, what: str) -> str:
    """Give back a topic or group name that every adapter accepts. Raises InvalidInput."""
    if len(name) > MAX_NAME or not _NAME.fullmatch(name) or name in {".", ".."}:
        raise InvalidInput(
            f"{name[:MAX_NAME]!r} is not a name for a {what}.",
            field=what,
            remedy=f"Use 1 to {MAX_NAME} letters, digits, dots, dashes and underscores.",
        )
    return name


def checked_partitions(partitions: int) -> int:
    """Give back a number of partitions within the limit. Raises InvalidInput."""
    if not 1 <= partitions <= MAX_PARTITIONS:
        raise InvalidInput(
            f"A topic cannot have {partitions} partitions.", field="partitions", remedy=f"Give 1 to {MAX_PARTITIONS}."
        )
    return partitions


def checked_retention(retention: Retention) -> Retention:
    """Give back what every adapter can keep to. Raises InvalidInput naming what is wrong."""
    for field, value, most in (
        ("retention_ms", retention.ms, MAX_RETENTION_MS),
        ("retention_bytes", retention.bytes, MAX_BYTES),
    ):
        if not -1 <= value <= most:
            raise InvalidInput(f"{value} is no limit.", field=field, remedy=f"Give 0 to {most}, or -1 for none.")
    return retention


def headers_bytes(topic: str, headers: Mapping[str, str]) -> int:
    """Give the length of all headers in UTF-8. Raises InvalidInput for other than text."""
    size = 0
    for name, text in headers.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise InvalidInput(
                f"A message for topic {topic} has headers that are not text: {name!r} is {text!r}.", field="headers"
            )
        try:
            size += text_bytes(name) + text_bytes(text)
        except UnicodeEncodeError as error:
            raise InvalidInput(
                f"A message for topic {topic} has headers that are not text: {error}.", field="headers"
            ) from error
    return size


def text_bytes(text: str) -> int:
    """Give the length of the text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def check_messages(messages: Sequence[Message]) -> None:
    """Refuse what no adapter would store, with one look at all where they are as usual. Raises InvalidInput."""
    keys = [one.key for one in messages]
    values = [one.value for one in messages if one.value is not None]
    texts = [text for one in messages for header in one.headers.items() for text in header]
    try:
        most = max((len(one.headers) for one in messages), default=0) * 2 * max(map(len, texts), default=0)
        if (
            all(keys)
            and max(map(len, keys), default=0) <= MAX_KEY_BYTES
            and most + max(map(len, values), default=0) < MAX_MESSAGE_BYTES >> 1
            and set(map(type, values)) <= {bytes}
            and "".join(keys).isascii()
            and "".join(texts).isascii()
        ):
            return
    except TypeError:  # something is no text: the look at each says which
        pass
    for one in messages:
        check_message(one.topic, one.key, one.value, headers_bytes(one.topic, one.headers))


def check_message(topic: str, key: str, value: bytes | None, header_bytes: int) -> None:
    """Refuse what no adapter would store. Raises InvalidInput naming topic and key."""
    value = b"" if value is None else value
    small = type(value) is bytes and len(value) + header_bytes < MAX_MESSAGE_BYTES >> 1
    if small and 0 < len(key) <= MAX_KEY_BYTES and key.isascii():
        return  # nearly every message: a character is a byte, and nothing is near a limit
    try:
        key_bytes = text_bytes(key)
    except UnicodeEncodeError:
        key_bytes = 0
    if not 0 < key_bytes <= MAX_KEY_BYTES:
        raise InvalidInput(
            f"A message for topic {topic} has the key {key[:64]!r}.",
            field="key",
            remedy=f"Give a key of 1 to {MAX_KEY_BYTES} bytes of UTF-8; it decides the partition.",
        )
    if not isinstance(value, bytes):
        raise InvalidInput(f"The value of message {key[:64]!r} for topic {topic} is not bytes.", field="value")
    size = key_bytes + len(value) + header_bytes
    if size > MAX_MESSAGE_BYTES:
        raise InvalidInput(
            f"The message {key[:64]!r} for topic {topic} has {size} bytes.",
            field="value",
            remedy=f"The limit is {MAX_MESSAGE_BYTES} bytes; publish a reference instead.",
        )
