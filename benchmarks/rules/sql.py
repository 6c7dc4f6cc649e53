"""The default rulebook by DuckDB: ten million rows from Parquet to purchase-order lines, a hundred million made up.

    python -m benchmarks.rules.sql          in a temporary folder, 130 MB of which is the catalogue

The catalogue is read as DECIMAL and whole numbers, completed and checked, decided, and the lines to order (28 of 100) are
written to Parquet with product, supplier, quantities, amounts and status. The hundred million rows come from range(), with
the same checks, and give the number of orders and their money. Each in a process of its own, so that the memory is its own.
Ratios are to the row function on the same products in the same run, from scaled numbers and without the conversions.

What was tried, in CPU seconds for ten million rows of the first run: the first layout took 3.6 for the rules alone. One
division for a rounding instead of quotient and remainder, bool outputs as AND and OR instead of CASE, one test a column
instead of CASE and COALESCE, one bool `decided` instead of the number of the trouble: 1.8 to 2.3. What a rule writes is NULL
where it does not fire, so divisions run for a third of the rows. DuckDB drops the checks of inputs that the statistics of
the Parquet file answer. Filters pushed down through the layers repeat every expression, so that optimizer is off. All 29
columns instead of ten cost 1.8 more, to write them. Parquet uncompressed or with LZ4 is no quicker than with Snappy, ZSTD a
third slower; giving up the order of rows, or larger row groups, saves nothing. The wall time of a free machine is half the
CPU time on two cores; a busy one shows it in the figure for CPU.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import restock
from benchmarks.report import line, machine
from restock.engine.rules import Rulebook
from restock.engine.rules.errors import SourceText
from restock.engine.rules.facts import scaled
from restock.engine.rules.sql import SqlRunner
from restock.engine.rules.sql.duck import connected
from restock.engine.rules.sql.inputs import Column
from restock.engine.rules.sql.query import Wanted, compile_sql

ROWS = 10_000_000
MADE_UP = 100_000_000
SAMPLE = 20_000
"""Products for the row function: it takes the same time for each."""

BAR_ROWS_S, BAR_ROWS_MIB = 3.0, 1024
BAR_MADE_UP_S, BAR_MADE_UP_MIB = 8.0, 512

RULEBOOK = Path(restock.__file__).parent / "decisions" / "rulebooks" / "purchasing.grl"

OUTPUTS = ("order_qty", "purchase_qty", "total_amount", "discount_amount", "tax_amount", "grand_total")
OUTPUTS += ("po_status", "should_send_po")

CATALOGUE = """
    SELECT n AS product_id, CAST(n // 200 AS INTEGER) AS supplier_id,
        CAST(CAST(1 + hash(n) % 400 AS INTEGER) * 0.1 AS DECIMAL(9, 2)) AS avg_daily_demand,
        CAST(3 + hash(n + 5) % 20 AS SMALLINT) AS lead_time_days,
        CAST(hash(n + 9) % 50 AS INTEGER) AS safety_stock,
        CAST(hash(n + 11) % 900 AS INTEGER) AS available_qty,
        CAST(hash(n + 15) % 10 * (hash(n + 16) % 3) AS INTEGER) AS on_order_qty,
        CAST([0, 1, 10, 20, 50, 100, 500][CAST(1 + hash(n + 3) % 7 AS INTEGER)] AS INTEGER) AS moq,
        CAST([1, 1, 1, 5, 10][CAST(1 + hash(n + 4) % 5 AS INTEGER)] AS INTEGER) AS order_multiple,
        CAST([1, 1, 1, 12][CAST(1 + hash(n + 8) % 4 AS INTEGER)] AS INTEGER) AS purchase_factor,
        CAST(CAST(1 + hash(n + 2) % 20000 AS INTEGER) * 0.01 AS DECIMAL(9, 2)) AS unit_price,
        hash(n + 13) % 14 <> 0 AS is_active
    FROM range({rows}) AS made(n)
"""
"""A catalogue made from numbers alone: a third has a shortage, prices have two decimals, one supplier in 14 is inactive."""

RANGE = """(
    SELECT (n & 2047) * 100000 AS required_qty, ((n >> 4) & 4095) * 100000 AS available_qty, (n & 63) * 100 AS moq,
        100 + (n & 16383) * 100 AS unit_price, n & 31 <> 0 AS is_active
    FROM (FROM range({half}) AS low(n) UNION ALL FROM range({half}, {rows}) AS high(n)) AS made
) AS products"""
"""The same by bits of the number, scaled as the rules hold it: hashing so many rows would cost more than the rules. Inputs
with a default are left at it. Two ranges, because DuckDB counts one in one thread."""

GIVEN = ("required_qty", "available_qty", "moq", "unit_price", "is_active")


def book() -> Rulebook:
    """Give the default rulebook."""
    return Rulebook.parse(RULEBOOK.read_text("utf-8"), RULEBOOK.name)


def lines(folder: Path) -> dict[str, float]:
    """Decide the catalogue and write its lines to order; give seconds, memory and rows."""
    runner, keep = SqlRunner(book()), ["product_id", "supplier_id"]
    start, used = time.perf_counter(), time.process_time()
    source, out = folder / "catalogue.parquet", folder / "lines.parquet"
    done = runner.run(source, out, keep=keep, only="should_create_po", outputs=OUTPUTS, fired=False)
    assert not done.troubles
    return measured(start, used) | {"lines": done.rows}


def aggregate(_folder: Path) -> dict[str, float]:
    """Decide made-up rows and add their money up; give seconds, memory and orders."""
    rules = book()
    program, source = rules.program, SourceText(rules.name, rules.text)
    columns = dict.fromkeys(GIVEN, Column("scaled"))
    wanted = Wanted(people=False, fired=False, outputs=("should_create_po", "grand_total"))
    query = compile_sql(source, program, RANGE.format(rows=MADE_UP, half=MADE_UP // 2), columns, wanted)
    start, used = time.perf_counter(), time.process_time()
    added = "SELECT count(*) FILTER (WHERE should_create_po), sum(grand_total), max(trouble) FROM ({})"
    with closing(connected()) as connection:
        orders, money, trouble = connection.execute(added.format(query.text)).fetchall()[0]
    assert not trouble and money
    return measured(start, used) | {"lines": orders}


def measured(start: float, used: float) -> dict[str, float]:
    """Give what this process took since then."""
    return {
        "wall": time.perf_counter() - start,
        "cpu": time.process_time() - used,
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def row_function(folder: Path) -> float:
    """Give CPU seconds a row of the row function, and check that it orders what SQL orders."""
    rules = book()
    row = rules.row()
    with closing(connected()) as connection:
        source = folder / "catalogue.parquet"
        found = connection.execute(f"FROM '{source}' LIMIT {SAMPLE}")
        names = [each[0] for each in found.description]
        facts = [dict(zip(names, each, strict=True)) for each in found.fetchall()]
        text = f"SELECT product_id, order_qty FROM '{folder / 'lines.parquet'}' WHERE product_id < {SAMPLE}"
        ordered = dict(connection.execute(text).fetchall())
    complete = [rules.facts(each) for each in facts]
    arguments = [tuple(scaled(one, each[one.name]) for one in row.inputs) for each in complete]
    function = row.function
    start = time.process_time()
    results = [function(*each) for each in arguments]
    seconds = (time.process_time() - start) / len(arguments)
    wanted, quantity = ([one.name for one in row.outputs].index(name) for name in ("should_create_po", "order_qty"))
    unit = 10 ** row.outputs[quantity].decimals
    expected = {fact["product_id"]: made[quantity] for fact, made in zip(facts, results, strict=True) if made[wanted]}
    assert expected == {product: int(number * unit) for product, number in ordered.items()}, "SQL orders otherwise"
    return seconds


def apart(work: str, folder: Path) -> dict[str, float]:
    """Run one measurement in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.rules.sql", work, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print both runs beside their bars; end with an error when one is missed."""
    print(f"rules by SQL: {machine()}")
    with tempfile.TemporaryDirectory(prefix="restock-") as name:
        folder = Path(name)
        with closing(connected()) as connection:
            made = f"COPY ({CATALOGUE.format(rows=ROWS)}) TO '{folder / 'catalogue.parquet'}' (FORMAT parquet)"
            connection.execute(made)
        first, second = apart("lines", folder), apart("aggregate", folder)
        row = row_function(folder)
    for what, rows, found, seconds, memory in (
        ("Parquet to purchase-order lines", ROWS, first, BAR_ROWS_S, BAR_ROWS_MIB),
        ("made-up rows, decided and added", MADE_UP, second, BAR_MADE_UP_S, BAR_MADE_UP_MIB),
    ):
        line(f"{rows // 10**6} M rows, {what}", f"{found['wall']:.2f} s", f"< {seconds:.0f} s")
        line("  memory of the process", f"{found['mib']:.0f} MiB", f"< {memory} MiB")
        line("  CPU, and lines to order", f"{found['cpu']:.2f} s, {found['lines']:,.0f}")
        line("  quicker than the row function, per core", f"{row * rows / found['cpu']:.1f} times")
    line("row function", f"{row * 1e6:.2f} us a row")
    missed = first["wall"] > BAR_ROWS_S or second["wall"] > BAR_MADE_UP_S
    if missed or first["mib"] > BAR_ROWS_MIB or second["mib"] > BAR_MADE_UP_MIB:
        raise SystemExit("A bar is missed.")


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps({"lines": lines, "aggregate": aggregate}[sys.argv[1]](Path(sys.argv[2]))))
    else:
        main()
