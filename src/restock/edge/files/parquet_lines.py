"""Rows of a Parquet file as text, in slices, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from restock.core.errors import InvalidInput
from restock.edge.files.header import fields_of
from restock.edge.files.line import Line

if TYPE_CHECKING:
    import polars

SLICE = 10_000
"""Rows in memory at a time."""


class ParquetLines:
    """The rows of a file, once, numbered from 1. Every value becomes text; null becomes the empty text."""

    def __init__(self, path: Path, mapping: Mapping[str, str], required: Collection[str]) -> None:
        import polars  # noqa: PLC0415 - 100 ms that CSV files do not pay

        self.file = path.name
        self._path = path
        self._done = 0
        try:
            self._rows = polars.scan_parquet(path, glob=False)
            self._columns = self._rows.collect_schema().names()
            self._count = int(self._rows.select(polars.len()).collect().item())
        except (OSError, polars.exceptions.PolarsError) as error:
            raise _unreadable(self.file, error) from error
        if not self._count:
            raise InvalidInput("The file is empty.", field=f"{self.file}:1")
        self.fields = fields_of(self._columns, mapping, required, self.file)

    @property
    def progress(self) -> tuple[int, int]:
        """How many rows of how many were read."""
        return self._done, self._count

    def close(self) -> None:
        """Nothing is held open between slices."""

    def __iter__(self) -> Iterator[Line]:
        for start in range(0, self._count, SLICE):
            for values in self._slice(start).iter_rows():
                self._done += 1
                row = dict(zip(self.fields, values, strict=True))
                yield Line(self._done, row, ",".join(values))

    def _slice(self, start: int) -> polars.DataFrame:
        import polars  # noqa: PLC0415 - as above

        try:
            text = polars.col(self._columns).cast(polars.String).fill_null("")
            return self._rows.slice(start, SLICE).select(text).collect()
        except polars.exceptions.PolarsError as error:
            raise _unreadable(self.file, error) from error


def _unreadable(file: str, error: Exception) -> InvalidInput:
    return InvalidInput(f"The file is not Parquet with plain columns: {str(error).splitlines()[0]}", field=file)
