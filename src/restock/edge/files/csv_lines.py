"""Records of a CSV file, with the number of the line each begins on. Nothing is lost and nothing guessed.

A record that cannot be read is rejected with its first line only, and reading goes on with the next line: a quotation mark
that nobody closes must not swallow the lines behind it.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from restock.core.errors import InvalidInput
from restock.edge.files.header import fields_of
from restock.edge.files.line import Line, Problem, Row
from restock.edge.files.text_lines import MAX_LINE_BYTES, TextLine, TextLines

MAX_RECORD_LINES = 100
"""Lines that one quoted field may span: an address has a few; a forgotten quotation mark would take the rest of the file."""

DELIMITERS = (",", ";", "\t")

_NOTHING: Row = {}


class CsvLines:
    """The records of a file, once. Raises InvalidInput for an empty file, missing columns, a wrong encoding."""

    def __init__(
        self, path: Path, mapping: Mapping[str, str], required: Collection[str], encoding: str = "utf-8"
    ) -> None:
        self.file = path.name
        self._text = TextLines(path, encoding)
        self._source: Iterator[TextLine] = iter(self._text)
        self._back: deque[TextLine] = deque()
        self._record: list[TextLine] = []
        try:
            first = next(self._source, None)
            if first is None or not first.text.strip():
                raise InvalidInput(
                    "The file is empty.", field=f"{self.file}:1", remedy="Its first line names the columns."
                )
            self._delimiter = max(DELIMITERS, key=first.text.count)
            self._reader = self._new_reader()
            self._back.append(first)
            header = self._read()
            if isinstance(header, Problem):
                raise InvalidInput(f"The first line cannot be read: {header.what}", field=f"{self.file}:1")
            self.fields = fields_of(header or [], mapping, required, self.file)
        except InvalidInput:
            self.close()
            raise

    @property
    def progress(self) -> tuple[int, int]:
        """How many bytes of how many were read."""
        return self._text.position, self._text.size

    def close(self) -> None:
        """Let go of the file."""
        self._text.close()

    def __iter__(self) -> Iterator[Line]:
        fields, count = self.fields, len(self.fields)
        while True:
            values = self._read()
            if values is None:
                return
            record = self._record
            if isinstance(values, Problem):
                yield self._rejected(values)
            elif len(values) == count:
                original = record[0].text if len(record) == 1 else "".join(one.text for one in record)
                yield Line(record[0].number, dict(zip(fields, values, strict=True)), original.rstrip("\r\n"))
            elif values:
                found = f"The line has {len(values)} fields, the header {count}."
                yield self._rejected(Problem("field-count", "", found))
            else:
                yield self._rejected(Problem("empty-line", "", "The line is empty."))

    def _read(self) -> list[str] | Problem | None:
        """Give the values of the next record, or why there are none; `_record` holds its lines."""
        self._record.clear()
        try:
            return next(self._reader)
        except StopIteration:
            self._reader = self._new_reader()
            return None
        except csv.Error as error:
            self._reader = self._new_reader()
            return self._problem(str(error))

    def _problem(self, error: str) -> Problem:
        first = self._record[0]
        if first.size > MAX_LINE_BYTES:
            return Problem("too-long", "", f"The line has {first.size} bytes, more than {MAX_LINE_BYTES}.")
        if "\0" in first.text:
            return Problem("nul-byte", "", f"Character {first.text.index(chr(0)) + 1} of the line is a NUL byte.")
        return Problem("bad-csv", "", f"The line is not CSV: {error}.")

    def _rejected(self, problem: Problem) -> Line:
        """Reject the first line of the record and read the others again."""
        first, *others = self._record
        self._back.extendleft(reversed(others))
        return Line(first.number, _NOTHING, first.text.rstrip("\r\n"), problem)

    def _new_reader(self) -> Iterator[list[str]]:
        return csv.reader(self._lines(), delimiter=self._delimiter, strict=True)

    def _lines(self) -> Iterator[str]:
        """Feed the CSV reader, remembering the lines of the record it is in."""
        record, back, source = self._record, self._back, self._source
        while True:
            line = back.popleft() if back else next(source, None)
            if line is None:
                return
            record.append(line)
            if line.size > MAX_LINE_BYTES or "\0" in line.text:
                if len(record) == 1:
                    raise csv.Error("a line that cannot be read")
                raise csv.Error("a quotation mark is not closed")
            if len(record) > MAX_RECORD_LINES:
                raise csv.Error(f"a quotation mark is not closed within {MAX_RECORD_LINES} lines")
            yield line.text
