"""Members of JSON objects that are given twice, of which a parser silently keeps the last."""

from __future__ import annotations

import json

import msgspec

from restock.core.once import unique_members


def refuse_twice(text: bytes) -> None:
    """Refuse JSON, which has been found to be JSON, that gives a member twice. Raises InvalidInput naming the member.

    Looking at each object costs as much as answering a request. So the colons are counted first: one is lost with every
    member that a parser drops, and none is lost or won otherwise unless a text holds an escape.
    """
    if b"\\" not in text:
        try:
            if _encode(_decode(text)).count(b":") == text.count(b":"):
                return
        except msgspec.DecodeError:  # a number beyond a float, which a decimal is not
            pass
    json.loads(text, object_pairs_hook=unique_members, parse_int=str, parse_float=str)


_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
