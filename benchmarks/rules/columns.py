"""A whole catalogue through the fifteen published rules: columns in Polars and in NumPy against the row function.

    python -m benchmarks.rules.columns

In-memory int64 columns in, output columns out: seven amounts, four flags, three statuses as codes of one byte, the mask of
fired rules. 1 M and 10 M rows. Bars: at least 20 times the row function of the same run, per second of CPU time; 10 M rows
in less than 0.4 s of wall time; at most 200 bytes a row of extra memory. Every row of the small run is compared with the
row function.

Tried, about 19 ns a row in all: the mask as a choice between two 16-bit numbers a rule 2.3 ns, packed in bytes 1.6, as a
cast and a product 10. Batches of 16,000 rows instead of Polars' own 125,000: a third slower; of 65,000: the same. Without
its elimination of common parts: the same. In memory instead of streaming: the same or slower by a third. Inputs as int32
where ranges allow: 15 % quicker when the caller has them so, 20 % slower when they must be cast; left out. A nested choice
of 1,500 rules took 4 s to plan, choices of 32 take 0.3 s.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.rules.row import RULEBOOKS
from restock.engine.rules import Rulebook
from restock.engine.rules.columns import ColumnsProgram
from restock.engine.rules.columns_inputs import Given
from restock.engine.rules.columns_numpy import NumpyColumns
from restock.engine.rules.columns_polars import CAREFUL, PolarsColumns

ROWS = (1_000_000, 10_000_000)
ROW_FUNCTION = 100_000
"""Rows for the row function: a twentieth of a second each round."""

ROUNDS = 5
"""Rounds of 10 M rows; 1 M rows get five times as many, for they are as short as a neighbour's interruption."""
TIMES_BAR = 20
WALL_BAR_S = 0.4
BYTES_BAR = 200

RANGES = """
input required_qty: decimal(9,2) in 0..100000;
input available_qty: decimal(9,2) in -100000..100000;
input is_active: bool;
input moq: decimal(9,2) in 0..10000;
input unit_price: decimal(9,2) in 0..10000;
"""


def catalogue(rows: int) -> Any:
    """Make scaled columns as `benchmarks.rules.row` makes products: one in fourteen suppliers is inactive."""
    import numpy
    import polars

    random = numpy.random.default_rng(1)
    return polars.DataFrame(
        {
            "required_qty": random.integers(0, 200_000, rows),
            "available_qty": random.integers(0, 1_500, rows) * 100,
            "is_active": random.random(rows) > 0.07,
            "moq": random.choice([0, 1, 10, 20, 50, 100, 500], rows) * 100,
            "unit_price": random.integers(1, 20_000, rows),
        }
    )


def measured(work: Callable[[], Any], rounds: int = ROUNDS) -> tuple[float, float]:
    """Give the least CPU and wall seconds of several runs."""
    found = []
    for _ in range(rounds):
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        found.append((time.process_time() - cpu, time.perf_counter() - wall))
    return min(cpu for cpu, _ in found), min(wall for _, wall in found)


def row_pace(book: Rulebook, frame: Any) -> float:
    """Give decisions a second of the row function."""
    row = book.row()
    arguments = list(frame.select([one.name for one in row.inputs]).head(ROW_FUNCTION).iter_rows())

    def run() -> None:
        function = row.function
        for a, b, c, d, e in arguments:
            function(a, b, c, d, e)

    return ROW_FUNCTION / measured(run)[0]


def by_polars(program: ColumnsProgram, frame: Any) -> Callable[[], Any]:
    """Give the decision of scaled columns with Polars as something to call."""
    import polars

    compiled = PolarsColumns(program, {one.name: Given(polars.col(one.name), inside=True) for one in program.inputs})
    return lambda: compiled.decide(frame.lazy()).collect(engine="streaming")


def by_numpy(program: ColumnsProgram, frame: Any) -> Callable[[], Any]:
    """Give the decision of scaled columns with NumPy as something to call."""
    compiled = NumpyColumns(program, {one.name: False for one in program.inputs}, inside=True)
    columns = {one.name: frame[one.name].to_numpy() for one in program.inputs}
    return lambda: compiled.run(columns, {}, len(frame))


def differing(book: Rulebook, program: ColumnsProgram, frame: Any) -> int:
    """Count the rows in which Polars or NumPy differ from the row function."""
    row, known = book.row(), program.texts.known
    wanted = [row.function(*one) for one in frame.select([one.name for one in row.inputs]).iter_rows()]
    done, arrays = by_polars(program, frame)(), by_numpy(program, frame)()
    assert not done[CAREFUL].any()

    def rows(column: Callable[[str], list[Any]], mask: list[int]) -> list[tuple[Any, ...]]:
        columns = [
            [known[code] for code in column(one.name)] if program.coded(one) else column(one.name)
            for one in program.outputs
        ]
        return list(zip(*columns, mask, strict=True))

    polars_rows = rows(lambda name: done[name].to_list(), done["fired"].to_list())
    numpy_rows = rows(lambda name: arrays.outputs[name].tolist(), arrays.words[0].tolist())
    return sum(not one == other == want for one, other, want in zip(polars_rows, numpy_rows, wanted, strict=True))


def extra_bytes(work: Callable[[], Any], rows: int) -> float:
    """Give by how many bytes a row the process grows at its highest; Linux only, as the files in /proc are."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _memory("VmRSS")
    kept = work()
    after = _memory("VmHWM")
    del kept
    return (after - before) * 1024 / rows


def _memory(what: str) -> int:
    """Give a figure of the process in kibibytes."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what))


def report(book: Rulebook, program: ColumnsProgram, rows: int) -> list[str]:
    """Print one size; give the bars that were missed."""
    frame = catalogue(rows)
    pace = row_pace(book, frame)
    polars = by_polars(program, frame)
    grown = extra_bytes(polars, rows)
    cpu, wall = measured(polars, ROUNDS * ROWS[-1] // rows // 2 if rows < ROWS[-1] else ROUNDS)
    numpy_cpu, numpy_wall = measured(by_numpy(program, frame), 2)
    times = rows / cpu / pace
    print(f"{rows:,} rows; row function {pace / 1e6:.2f} M decisions/s per core")
    for name, seconds, whole in (("Polars", cpu, wall), ("NumPy", numpy_cpu, numpy_wall)):
        speed = rows / seconds
        print(
            f"  {name:7} {speed / 1e6:6.1f} Mrow/s per CPU second, {speed / pace:5.1f} times; {whole:.3f} s of wall time"
        )
    print(f"  Polars grows by {grown:.0f} bytes a row")
    missed = [f"{times:.1f} times the row function, bar {TIMES_BAR}"] if times < TIMES_BAR else []
    if rows == ROWS[-1] and wall > WALL_BAR_S:
        missed.append(f"{wall:.2f} s for {rows:,} rows, bar {WALL_BAR_S}")
    return missed + ([f"{grown:.0f} bytes a row, bar {BYTES_BAR}"] if grown > BYTES_BAR else [])


def main() -> None:
    """Print both sizes; end with an error when a bar is missed or a row differs."""
    book = Rulebook.parse(RANGES + (RULEBOOKS / "published.grl").read_text("utf-8"), "published.grl")
    program = book.columns()
    print(f"differing rows of 200,000: {differing(book, program, catalogue(200_000))}")
    missed = [line for rows in ROWS for line in report(book, program, rows)]
    if missed:
        raise SystemExit(f"The columns engine misses: {'; '.join(missed)}.")


if __name__ == "__main__":
    main()
