"""The text for other engines: it parses in each dialect, and where an engine is at hand it decides as ours do."""

from __future__ import annotations

import importlib
import os
import sqlite3
import subprocess
from collections.abc import Sequence
from decimal import Decimal
from random import Random
from secrets import token_hex
from urllib.parse import urlsplit

import pytest
import sqlglot
from rules_world import PURCHASING, one
from test_differential import random_product

from restock.core.errors import InvalidInput
from restock.engine.rules import Decision, Rulebook
from restock.engine.rules.errors import SourceText
from restock.engine.rules.facts import scaled as scaled_value
from restock.engine.rules.ir import Field
from restock.engine.rules.sql import SqlEngine, SqlRefused, printed_sql

TEXTS = one(
    "input t: text;\ninput p: text;\ninput a: decimal(8,3);\ninput b: decimal(5,1) in -99..99;\n"
    "output up: text;\noutput low: text;\noutput all: text;\noutput n: decimal(4,0);\noutput has: bool;\n"
    "output starts: bool;\noutput ends: bool;\noutput same: bool;\n"
    "output c: decimal(9,2);\noutput d: decimal(9,2);\noutput e: decimal(9,0);\noutput f: decimal(9,3);\n"
    'output word: text default "none";\noutput big: decimal(8,3);\n'
    "rule Texts no-loop { when true then up = upper(t); low = lower(t); all = t + p; n = length(t); }\n"
    "rule Has no-loop { when t contains p then has = true; }\n"
    "rule Starts no-loop { when t startsWith p then starts = true; }\n"
    "rule Ends no-loop { when t endsWith p then ends = true; }\n"
    'rule Same no-loop { when t == p then same = true; word = "it\'s \\\\same"; }\n'
    "rule Round no-loop { when b != 0 then c = round(a / b, 2, half_even); d = round(a, 2, half_up); }\n"
    "rule Whole no-loop { when b != 0 then e = ceil(a / b) + floor(a); f = a % b; big = max(a, b, abs(b)); }\n"
)
WORDS = ("", "a", "A", "a ", "ab", "Ab", "é", "a'b", "x\\", "%", "_b")


def text_facts() -> list[dict[str, object]]:
    random = Random(3)
    return [
        {"t": t, "p": p, "a": Decimal(random.randrange(-9999, 9999)).scaleb(-3), "b": random.choice((0, 1, -2, "0.3"))}
        for t in WORDS
        for p in WORDS
    ]


def product_facts() -> list[dict[str, object]]:
    random = Random(4)
    rows: list[dict[str, object]] = [random_product(random) for _ in range(300)]
    rows += [row | {"required_qty": None, "avg_daily_demand": "3.25", "lead_time_days": 7} for row in rows[:20]]
    return [*rows, {**rows[0], "moq": -1}, {**rows[1], "unit_price": None}, {**rows[2], "moq": None}]


CASES = [(TEXTS, text_facts()), (PURCHASING, product_facts())]
NAMES = ["texts", "purchasing"]


def literal(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "NULL", True: "TRUE", False: "FALSE"}[value]
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def table_sql(book: Rulebook, rows: Sequence[dict[str, object]], types: dict[str, str], quote: str = '"') -> str:
    """The statements that make and fill a table of natural values."""
    columns = [f"{quote}{each.name}{quote} {types[each.kind]}" for each in book.inputs]
    text = f"CREATE TABLE products (id INTEGER, {', '.join(columns)});\n"
    for number, row in enumerate(rows):
        values = [row.get(each.name) for each in book.inputs]
        held = [
            Decimal(str(value)) if each.kind == "number" and value is not None else value
            for each, value in zip(book.inputs, values, strict=True)
        ]
        text += f"INSERT INTO products VALUES ({number}, {', '.join(map(literal, held))});\n"
    return text


def compare(book: Rulebook, rows: Sequence[dict[str, object]], got: Sequence[Sequence[object]]) -> None:
    """What an engine answered, ordered by id, is what ours decide; a row in trouble is an error of ours."""
    assert len(got) == len(rows)
    for made, answer in zip(book.decide_many(rows), got, strict=True):
        trouble = answer[-1] not in (None, "", "NULL", 0)
        if not isinstance(made, Decision):
            assert trouble
        elif not (trouble and "beyond ASCII" in str(answer[-1])):
            assert not trouble, answer[-1]
            for at, field in enumerate(book.outputs, 1):
                assert _value(field, answer[at]) == made.outputs[field.name], field.name


def _value(field: Field, given: object) -> object:
    if field.kind == "bool":
        return given in (True, 1, "1", "t", "true")
    if field.kind == "number":
        return Decimal(str(given))
    return given


@pytest.mark.parametrize("dialect", ["duckdb", "spark", "mysql", "postgres"])
@pytest.mark.parametrize("book", [TEXTS, PURCHASING], ids=NAMES)
def test_the_text_parses_in_its_dialect(book: Rulebook, dialect: str) -> None:
    query = printed_sql(book, dialect=dialect, table="shop.products", keep=["id"])
    assert len(sqlglot.parse(query.text, read=dialect)) == 1
    assert "HUGEINT" not in query.text or dialect == "duckdb"
    assert "DOUBLE" not in query.text and "DIV(" not in query.text


@pytest.mark.parametrize(("book", "rows"), CASES, ids=NAMES)
def test_sqlite_decides_scaled_whole_numbers_as_ours_do(book: Rulebook, rows: list[dict[str, object]]) -> None:
    rows = [row for row in rows if isinstance(book.decide_many([row])[0], Decision)]
    names = [each.name for each in book.row().inputs]
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE TABLE products (id, {', '.join(names)})")
    for number, row in enumerate(rows):
        facts = book.facts(row)
        values = [scaled_value(each, facts[each.name]) for each in book.row().inputs]
        connection.execute(f"INSERT INTO products VALUES (?{', ?' * len(names)})", [number, *values])
    query = printed_sql(book, dialect="sqlite", keep=["id"], scaled=True)
    got = connection.execute(query.text + "ORDER BY id").fetchall()
    numbers = {at: each.decimals for at, each in enumerate(query.outputs, 1) if each.kind == "number"}
    beyond = [at for at, row in enumerate(got) if row[-1]]
    assert all(not rows[at]["t"].isascii() for at in beyond)  # type: ignore[attr-defined]
    plain = [
        [Decimal(value).scaleb(-numbers[at]) if at in numbers else value for at, value in enumerate(row)] for row in got
    ]
    for row in plain:
        row[-1] = row[-1] and "beyond ASCII"
    compare(book, rows, plain)
    masks = [query.fired(row[1 + len(query.outputs) : -1]) for row in got]
    for at, made in enumerate(book.decide_many(rows)):
        assert at in beyond or (isinstance(made, Decision) and masks[at] == made.fired)
    connection.close()


def test_sqlite_is_refused_where_it_would_lose_digits() -> None:
    with pytest.raises(SqlRefused, match="binary fractions"):
        printed_sql(PURCHASING, dialect="sqlite")


def test_what_a_dialect_cannot_say_exactly_is_refused_by_name() -> None:
    trims = one("input t: text;\noutput x: text;\nrule R no-loop { when true then x = trim(t); }")
    with pytest.raises(SqlRefused, match=r"mysql cannot run test\.grl: trim on line 3"):
        printed_sql(trims, dialect="mysql")
    text = "input a: decimal(15,0);\ninput b: decimal(12,6) in 1000..100000;\noutput c: decimal(15,0);\n"
    wide = one(text + "rule R no-loop { when round(a / b, 0) >= 7 then c = round(a / b, 0, half_even); }")
    facts: list[dict[str, object]] = [
        {"a": a, "b": b} for a in (-(10**15) + 1, 7500, 10**15 - 1) for b in (1000, "1000.5")
    ]
    made = SqlEngine(SourceText(wide.name, wide.text), wide.program).decide_many(facts)
    assert made == wide.decide_many(facts, engine="reference")
    assert "HUGEINT" in printed_sql(wide).text
    with pytest.raises(SqlRefused, match="only DuckDB has a wider whole number"):
        printed_sql(wide, dialect="postgres")
    with pytest.raises(InvalidInput, match="Did you mean postgres"):
        printed_sql(PURCHASING, dialect="postgress")


def _client(command: list[str], text: str, environment: dict[str, str]) -> list[list[str]]:
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, env=os.environ | environment, timeout=55
    )
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.mark.server("mysql")
@pytest.mark.parametrize(("book", "rows"), CASES, ids=NAMES)
def test_mysql_decides_as_ours_do(book: Rulebook, rows: list[dict[str, object]]) -> None:
    """By the client program that comes with the server, so that no driver is needed."""
    address = urlsplit(os.environ["RESTOCK_MYSQL_URL"])
    types = {"number": "DECIMAL(18,6)", "bool": "BOOLEAN", "text": "VARCHAR(1000) CHARACTER SET utf8mb4"}
    text = "SET sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES');\n"
    database = f"rules_{token_hex(6)}"  # of its own: tests run side by side
    text += f"CREATE DATABASE {database}; USE {database};\n"
    text += table_sql(book, rows, types, "`")
    text += "SET sql_mode = REPLACE(@@sql_mode, 'NO_BACKSLASH_ESCAPES', '');\n"
    text += printed_sql(book, dialect="mysql", keep=["id"]).text + f"ORDER BY id;\nDROP DATABASE {database};\n"
    command = [
        "mysql",
        "--no-defaults",
        "--protocol=tcp",
        "-h",
        address.hostname or "",
        "-P",
        str(address.port or 3306),
    ]
    command += [
        "-u",
        address.username or "",
        "--batch",
        "--raw",
        "--skip-column-names",
        "--default-character-set=utf8mb4",
    ]
    compare(book, rows, _client(command, text, {"MYSQL_PWD": address.password or ""}))


@pytest.mark.server("postgresql")
@pytest.mark.parametrize(("book", "rows"), CASES, ids=NAMES)
def test_postgresql_decides_as_ours_do(book: Rulebook, rows: list[dict[str, object]]) -> None:
    """By the client program that comes with the server, so that no driver is needed."""
    types = {"number": "DECIMAL(18,6)", "bool": "BOOLEAN", "text": "TEXT"}
    text = table_sql(book, rows, types).replace("CREATE TABLE", "CREATE TEMPORARY TABLE")
    text += printed_sql(book, dialect="postgres", keep=["id"]).text + "ORDER BY id;\n"
    command = [
        "psql",
        "-X",
        "-q",
        "-A",
        "-t",
        "-F",
        "\t",
        "-v",
        "ON_ERROR_STOP=1",
        os.environ["RESTOCK_POSTGRESQL_URL"],
    ]
    compare(book, rows, _client(command, text, {"PGCLIENTENCODING": "utf-8"}))


@pytest.mark.slow
@pytest.mark.server("spark")
@pytest.mark.timeout(180)  # its first session takes ten seconds alone, and a minute on a machine with other work
@pytest.mark.parametrize(("book", "rows"), CASES, ids=NAMES)
def test_spark_decides_as_ours_do(book: Rulebook, rows: list[dict[str, object]]) -> None:
    """By a package that only this test needs: `make install-ci`."""
    sql = importlib.import_module("pyspark.sql")
    builder = sql.SparkSession.builder.master(os.environ["RESTOCK_SPARK"])
    session = builder.config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
    session = session.config("spark.ui.enabled", "false").getOrCreate()
    kinds = {"number": "DECIMAL(18,6)", "bool": "BOOLEAN", "text": "STRING"}
    schema = ", ".join(["id INT", *(f"`{each.name}` {kinds[each.kind]}" for each in book.inputs)])
    held = [
        (number, *(Decimal(str(row[each.name])) if each.kind == "number" and row.get(each.name) is not None
                   else row.get(each.name) for each in book.inputs))
        for number, row in enumerate(rows)
    ]  # fmt: skip
    session.createDataFrame(held, schema).createOrReplaceTempView("products")
    query = printed_sql(book, dialect="spark", keep=["id"])
    compare(book, rows, [tuple(row) for row in session.sql(query.text + "ORDER BY id").collect()])
    session.stop()
