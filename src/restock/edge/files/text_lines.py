"""The physical lines of a text file: decoded, bounded in length, counted; compressed or not."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from restock.core.errors import InvalidInput

MAX_LINE_BYTES = 1 << 20
"""A longer line is rejected and skipped without being read into memory."""

SHOWN_BYTES = 200
"""How much of a line that is too long stands in the rejects file."""

ENCODINGS = {"utf-8": "utf-8", "latin-1": "latin-1"}

_PIECE = 1 << 16
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class TextLine(NamedTuple):
    """A physical line with its end; `size` is its bytes, above the limit when only its beginning is here."""

    number: int
    text: str
    size: int


class TextLines:
    """The lines of a file, once. `position` of `size` tells how far reading is."""

    def __init__(self, path: Path, encoding: str = "utf-8") -> None:
        if encoding not in ENCODINGS:
            raise InvalidInput(f"{encoding!r} is not an encoding.", field="encoding", remedy="Give utf-8 or latin-1.")
        self._path = path
        self._encoding = encoding
        try:
            self._raw = path.open("rb")
        except OSError as error:
            raise InvalidInput(f"{path} cannot be read: {error.strerror}.", field=path.name) from error
        self.size = path.stat().st_size
        self._binary = self._raw if path.suffix.lower() != ".gz" else _unzipped(self._raw)

    @property
    def position(self) -> int:
        """Bytes of the file, as it lies on the disk, that were read."""
        return self.size if self._raw.closed else self._raw.tell()

    def close(self) -> None:
        """Let go of the file."""
        self._raw.close()

    def __iter__(self) -> Iterator[TextLine]:
        readline, number = self._binary.readline, 0
        with self._raw:
            while raw := self._read(readline, number + 1):
                number += 1
                size = len(raw)
                if size > MAX_LINE_BYTES and not raw.endswith(b"\n"):
                    size += self._skip(readline, number)
                    raw = raw[:SHOWN_BYTES]
                    yield TextLine(number, raw.decode(self._encoding, "replace"), size)
                    continue
                if number == 1:
                    raw = self._without_mark(raw)
                yield TextLine(number, self._decoded(raw, number), size)

    def _read(self, readline: Callable[[int], bytes], number: int) -> bytes:
        try:
            return readline(MAX_LINE_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise InvalidInput(
                f"The file cannot be read on: {error}.",
                field=f"{self._path.name}:{number}",
                remedy="It is damaged or was cut off; get it again.",
            ) from error

    def _skip(self, readline: Callable[[int], bytes], number: int) -> int:
        """Read to the end of a line that is too long, in pieces; give the bytes skipped."""
        skipped = 0
        while True:
            piece = self._read(readline, number)
            skipped += len(piece)
            if not piece or piece.endswith(b"\n"):
                return skipped

    def _without_mark(self, raw: bytes) -> bytes:
        if raw.startswith(_UTF16):
            raise InvalidInput(
                "The file is UTF-16, not UTF-8.", field=f"{self._path.name}:1", remedy="Save it as UTF-8."
            )
        return raw.removeprefix(_BOM)

    def _decoded(self, raw: bytes, number: int) -> str:
        try:
            return raw.decode(self._encoding)
        except UnicodeDecodeError as error:
            raise InvalidInput(
                f"Byte {error.start + 1} of the line (0x{raw[error.start]:02x}) is not UTF-8.",
                field=f"{self._path.name}:{number}",
                remedy="Save the file as UTF-8, or ask for encoding latin-1.",
            ) from error


def _unzipped(raw: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(gzip.GzipFile(fileobj=raw), _PIECE))
