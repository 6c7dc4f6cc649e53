"""Reading tables: nothing is lost, everything that is wrong is named."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restock.core.errors import InvalidInput, NotFound
from restock.edge.files.cells import original, safe
from restock.edge.files.line import Line
from restock.edge.files.tabular import mapping_of, read
from restock.edge.files.text_lines import MAX_LINE_BYTES


def lines(path: Path, content: bytes | str, encoding: str = "utf-8", **mapping: str) -> list[Line]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read(path, mapping, ["a"], encoding))


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    return tmp_path / "t.csv"


def seen(found: list[Line]) -> list[tuple[int, str]]:
    """Give number and value or reason of each line."""
    return [(line.number, line.problem.reason if line.problem else line.row["a"]) for line in found]


@pytest.mark.parametrize(
    "text", ["a,b\n1,2\n3,4\n", "a,b\r\n1,2\r\n3,4", "a;b\n1;2\n3;4\n", "a\tb\n1\t2\n3\t4\n", " a ,b\n1,2\n3,4\n"]
)
def test_ends_of_lines_and_delimiters(csv: Path, text: str) -> None:
    assert [line.row for line in lines(csv, text)] == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


def test_a_byte_order_mark_is_no_part_of_a_name(csv: Path) -> None:
    assert seen(lines(csv, b"\xef\xbb\xbfa,b\n1,2\n")) == [(2, "1")]


def test_a_quoted_field_may_span_lines(csv: Path) -> None:
    found = lines(csv, 'a,b\n"x\ny",1\nz,2\n')
    assert seen(found) == [(2, "x\ny"), (4, "z")]
    assert found[0].original == '"x\ny",1'


def test_a_wrong_number_of_fields_is_one_reject(csv: Path) -> None:
    found = lines(csv, "a,b\n1\n2,2\n3,3,3\n\n4,4\n")
    assert seen(found) == [(2, "field-count"), (3, "2"), (4, "field-count"), (5, "empty-line"), (6, "4")]
    assert found[0].original == "1"


def test_a_quotation_mark_that_nobody_closes_costs_one_line(csv: Path) -> None:
    rest = "".join(f"{number},x\n" for number in range(500))
    found = seen(lines(csv, f'a,b\n"open,1\n{rest}'))
    assert found[0] == (2, "bad-csv")
    assert found[1:] == [(number + 3, str(number)) for number in range(500)]


def test_a_quotation_mark_closed_by_the_next_one_costs_one_line(csv: Path) -> None:
    found = seen(lines(csv, 'a,b\n"open,1\n2,2\n3,"x"\n4,4\n'))
    assert found == [(2, "bad-csv"), (3, "2"), (4, "3"), (5, "4")]


def test_a_nul_byte_is_a_reject(csv: Path) -> None:
    assert seen(lines(csv, b'a,b\n1,\0\n2,2\n"x\n\0",3\n4,4\n')) == [
        (2, "nul-byte"), (3, "2"), (4, "bad-csv"), (5, "nul-byte"), (6, "4")
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["big.csv", "big.csv.gz"])
def test_a_line_of_100_mb_is_refused_without_reading_it_into_memory(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with gzip.open(path, "wb", 1) if name.endswith("gz") else path.open("wb") as file:
        file.write(b"a,b\n1,1\n")
        for _ in range(100):
            file.write(b"x" * (1 << 20))
        file.write(b"\n2,2\n")
    tracemalloc.start()
    found = list(read(path, {}, ["a"]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen(found) == [(2, "1"), (3, "too-long"), (4, "2")]
    assert str((100 << 20) + 1) in (found[1].problem.what if found[1].problem else "")
    assert peak < 8 * MAX_LINE_BYTES


def test_a_wrong_encoding_names_line_and_byte(csv: Path) -> None:
    text = "a,b\n1,2\nCAFÉ,3\n".encode("latin-1")
    with pytest.raises(InvalidInput) as caught:
        lines(csv, text)
    assert caught.value.field == "t.csv:3"
    assert "Byte 4" in caught.value.what and "latin-1" in caught.value.remedy
    assert seen(lines(csv, text, "latin-1"))[1] == (3, "CAFÉ")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b"\n1,2\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        (b"A,b\n1,2\n", "'a' is missing. Did you mean 'A'"),
        (b"b,c\n1,2\n", "'a' is missing"),
        (b"a,b,b\n1,2,3\n", "'b' stands twice"),
        (b'"a,b\n', "first line"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(csv: Path, content: bytes, what: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        lines(csv, content)
    assert what in str(caught.value)
    assert caught.value.field.startswith("t.csv")


def test_a_damaged_archive_names_the_line(tmp_path: Path) -> None:
    whole = gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * 7919) for n in range(200_000)))
    with pytest.raises(InvalidInput) as caught:
        lines(tmp_path / "t.csv.gz", whole[: len(whole) // 2])
    assert "damaged" in caught.value.remedy
    with pytest.raises(InvalidInput):
        lines(tmp_path / "t.csv.gz", b"a,b\n1,2\n")


def test_columns_are_mapped(csv: Path) -> None:
    assert seen(lines(csv, "SKU,b\n1,2\n", SKU="a")) == [(2, "1")]
    with pytest.raises(InvalidInput, match="no column 'Sku'"):
        lines(csv, "SKU,b\n1,2\n", Sku="a")
    assert mapping_of(["Unit = Price=price", "b=c"], ["price", "c"]) == {"Unit = Price": "price", "b": "c"}
    for wrong in ("price", "b=prize"):
        with pytest.raises(InvalidInput):
            mapping_of([wrong], ["price"])


def test_a_column_that_was_mapped_away_is_not_offered(csv: Path) -> None:
    with pytest.raises(InvalidInput, match="The file has b"):
        lines(csv, "a,b\n1,2\n", a="c")


@pytest.mark.parametrize("name", ["t.xlsx", "missing.csv"])
def test_other_files_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "t.xlsx").touch()
    with pytest.raises((InvalidInput, NotFound)) as caught:
        read(tmp_path / name, {}, [])
    assert caught.value.field == name


def test_parquet_is_read_as_text(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    polars.DataFrame({"a": ["x", None], "n": [1.25, 3.0], "d": [True, False]}).write_parquet(path)
    found = list(read(path, {}, ["a"]))
    assert [line.row for line in found] == [{"a": "x", "n": "1.25", "d": "true"}, {"a": "", "n": "3.0", "d": "false"}]
    assert [line.number for line in found] == [1, 2]
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(InvalidInput, match="not Parquet"):
        read(path, {}, [])
    polars.DataFrame({"a": []}).write_parquet(path)
    with pytest.raises(InvalidInput, match="empty"):
        read(path, {}, [])


@pytest.mark.parametrize("text", ["=1+1", "+x", "-x", "@SUM(A1)", "\tx", "\rx", "'=x", "''@x", "=cmd|' /C calc'!A0"])
def test_formulas_are_made_harmless_and_come_back(text: str) -> None:
    assert safe(text) == f"'{text}"
    assert original(safe(text)) == text


@pytest.mark.parametrize("text", ["-1", "+2.50", "x=1", "'x", "", "12"])
def test_numbers_and_plain_text_stay(text: str) -> None:
    assert safe(text) == text == original(text)


@given(st.text("'=+-@\t\r1.x", max_size=6))
def test_every_text_comes_back(text: str) -> None:
    assert original(safe(text)) == text


@given(st.lists(st.text('ab,;"\n\r 1', max_size=12), max_size=30))
def test_no_physical_line_is_lost(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    path = tmp_path_factory.mktemp("lost") / "t.csv"
    text = "a,b\n" + "\n".join(parts)
    path.write_bytes(text.encode())
    found = list(read(path, {}, ["a"]))
    rest = [line.rstrip(b"\r\n").decode() for line in path.read_bytes().split(b"\n")[1:]]
    if rest and not rest[-1]:
        rest.pop()
    told = [piece.rstrip("\r") for line in found for piece in line.original.split("\n")]
    assert len(told) >= len([line for line in rest if line])
    assert "".join(told).replace("\r", "") == "".join(rest).replace("\r", "")
