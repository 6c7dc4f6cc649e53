"""Members of JSON objects that are given twice, of which a parser silently keeps the last."""

from __future__ import annotations

import json

import msgspec

from restock.core.once import unique_members


def refuse_twice(text: bytes, found: object = None) -> None:
    """Refuse JSON that gives a member twice. Raises InvalidInput naming the member.

    Looking at each object costs as much as answering a request. So the colons are counted first: one is lost with every
    member that a parser drops, and none is lost or won otherwise unless a text holds an escape. `found`, what was
    read of it, is written again for that, and where it leaves out what is as by default, what any parser makes of the text.
    """
    if b"\\" not in text:
        colons = text.count(b":")
        try:
            if _encode(found).count(b":") == colons or _encode(_decode(text)).count(b":") == colons:
                return
        except msgspec.DecodeError:  # a number beyond a float, which a decimal is not
            pass
    json.loads(text, object_pairs_hook=unique_members, parse_int=str, parse_float=str)


_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
