"""Any table in a file: CSV, CSV.gz or Parquet, by its name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol

from restock.core.errors import InvalidInput, NotFound
from restock.edge.files.csv_lines import CsvLines
from restock.edge.files.line import Line
from restock.edge.files.parquet_lines import ParquetLines


class Lines(Protocol):
    """The records of one file, to be walked once."""

    file: str
    fields: list[str]

    @property
    def progress(self) -> tuple[int, int]:
        """How much of how much was read."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...

    def __iter__(self) -> Iterator[Line]: ...


def read(path: Path, mapping: Mapping[str, str], required: Collection[str], encoding: str = "utf-8") -> Lines:
    """Open a table. Raises NotFound, or InvalidInput when it is empty, of an unknown kind, or lacks a required field."""
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder, not a file.", field=path.name)
    if not path.is_file():
        raise NotFound(f"There is no file {path}.", field=path.name, remedy="Check the path.")
    kind = "".join(path.suffixes[-2:]).lower()
    if kind.endswith((".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt")):
        return CsvLines(path, mapping, required, encoding)
    if kind.endswith(".parquet"):
        return ParquetLines(path, mapping, required)
    raise InvalidInput(f"{path.name} is of no known kind.", field=path.name, remedy="Give .csv, .csv.gz or .parquet.")


def mapping_of(options: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """Read `column=field` options. Raises InvalidInput, also for a field that is not known: it would be read by nobody."""
    mapping: dict[str, str] = {}
    for option in options:
        column, equals, field = (part.strip() for part in option.rpartition("="))
        if not (column and equals and field):
            raise InvalidInput(
                f"{option!r} is not column=field.", field="map", remedy="Write it like StockCode=product_id."
            )
        if field not in known:
            near = get_close_matches(field, known, 1, 0.5)
            remedy = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
            raise InvalidInput(f"There is no field {field!r}.", field="map", remedy=remedy)
        mapping[column] = field
    return mapping
