"""The fifteen published rules in our engines and in others, on the same random and threshold rows, all in one run.

    python -m benchmarks beside

Threshold rows lie exactly on a shortage of 0 or of the minimum and on totals of 10,000 and 50,000. Every engine gets demand
and lead time and computes the requirement. Microseconds are processor time for one decision, all threads of the process
together; whole tables are the same rows many times. A row is wrong when one of fourteen outputs has another word, flag or
cent than the reference has; rows with another digit anywhere, as binary fractions have, are counted beside it.
clipspy and zen-engine come with the extra `dev`; json-rules-engine is tried where node finds the package (NODE_PATH).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from benchmarks.report import machine
from benchmarks.rules import beside_others
from benchmarks.rules.row import RULEBOOKS, by_float
from restock.engine.rules.facts import scaled
from restock.rules import Decision, FactRulebook, Keyed, Network, RestockError, Rulebook, SqlRunner, Value

RANDOM = THRESHOLD = 2_000
TABLE = 500_000
"""Rows of a whole table."""

ROUNDS = 5

DECLARED = """
input avg_daily_demand: decimal(7,2) in 0..10000;
input lead_time_days: integer in 0..365;
input required_qty: decimal(9,2) in 0..4000000 default avg_daily_demand * lead_time_days;
input available_qty: decimal(9,2) in -1000000..4000000;
input moq: decimal(9,2) in 0..1000000;
input unit_price: decimal(9,2) in 0..100000;
input is_active: bool;
"""
"""Inputs with their ranges, as columns, SQL and the row function want them."""

Facts = Mapping[str, Any]
Row = Mapping[str, Value]


class Result(NamedTuple):
    """An engine's name, microseconds of a decision, rows with another word, flag or cent, rows with any other digit."""

    name: str
    microseconds: float
    wrong: int
    digits: int


def rows(random: Random) -> list[dict[str, Any]]:
    """Make products at random, then products that lie exactly on a threshold."""
    found = [_product(random) for _ in range(RANDOM)]
    for at in range(THRESHOLD):
        one = _product(random) | {"is_active": True}
        required = one["avg_daily_demand"] * one["lead_time_days"]
        if at % 4 == 0:
            one["available_qty"] = required
        elif at % 4 == 1:
            one["available_qty"] = required - one["moq"]
        else:
            total = (10_000, 50_000)[at % 2]
            one["unit_price"] = price = random.choice(
                [Decimal(n) / 100 for n in (32, 50, 64, 125, 160, 320, 625, 1250)]
            )
            one["available_qty"] = required - total / price
            one["moq"] = min(one["moq"], int(total / price))
        found.append(one)
    return found


def _product(random: Random) -> dict[str, Any]:
    return {
        "avg_daily_demand": Decimal(random.randrange(1, 10_000)).scaleb(-2),
        "lead_time_days": random.randrange(1, 60),
        "available_qty": Decimal(random.randrange(0, 300_000)).scaleb(-2),
        "moq": random.choice((0, 1, 10, 20, 39, 50, 100, 500)),
        "unit_price": Decimal(random.randrange(1, 20_000)).scaleb(-2),
        "is_active": random.random() > 0.07,
    }


def measured(
    name: str, work: Callable[[], Sequence[Row]], truth: Sequence[Row], *, many: int = 0, rounds: int = ROUNDS
) -> Result:
    """Time `work` over all rows (or `many` decisions), best of some rounds, and count rows that differ from the truth."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        made = work()
        best = min(best, time.process_time() - start)
    return compared(name, best / (many or len(truth)) * 1e6, made, truth)


def compared(name: str, microseconds: float, made: Sequence[Row], truth: Sequence[Row]) -> Result:
    """Count the rows that are not as the reference has them."""
    wrong = digits = 0
    for one, right in zip(made, truth, strict=True):
        wrong += any(_wrong(one[name], value) for name, value in right.items())
        digits += any(_differs(one[name], value) for name, value in right.items())
    return Result(name, microseconds, wrong, digits)


def _differs(value: Any, right: Value) -> bool:
    """Compare a number by its value, a float by its shortest text."""
    return bool(Decimal(str(value)) != right if isinstance(right, Decimal) else value != right)


def _wrong(value: Any, right: Value) -> bool:
    """Forgive digits behind the cent."""
    if isinstance(right, Decimal):
        return abs(Decimal(str(value)) - right) >= Decimal("0.005")
    return bool(value != right)


def ours(book: Rulebook, products: list[dict[str, Any]], truth: Sequence[Row]) -> list[Result]:
    """Measure our engines."""
    row = book.row()
    arguments = [
        tuple(scaled(one, used[one.name]) for one in row.inputs) for used in map(book.facts, products)
    ]  # fmt: skip
    raw: list[Any] = []

    def row_function() -> Sequence[Row]:
        function = row.function
        raw[:] = [function(*given) for given in arguments]
        return truth

    function = measured("row function, whole numbers in and out", row_function, truth)
    shown = [_shown(row.outputs, one) for one in raw]
    results = [compared(function.name, function.microseconds, shown, truth)]
    for engine, what in (("row", "row, facts to Decision"), ("reference", "reference over Decimal")):
        decide = partial(book.decide_many, products, engine=engine)
        results.append(measured(what, partial(_decided, decide), truth, rounds=2))
    results += whole_tables(book, products, truth)
    results.append(measured("keyed (network), facts put one by one", lambda: _keyed(book, products), truth, rounds=2))
    network = FactRulebook.parse(book.text, book.name)
    results.append(measured("network, flat facts changed", lambda: _network(network, products), truth, rounds=1))
    return results


def _shown(outputs: Sequence[Any], made: Sequence[Any]) -> Row:
    return {
        one.name: Decimal(value).scaleb(-one.decimals) if one.kind == "number" else value
        for one, value in zip(outputs, made, strict=False)
    }


def _decided(decide: Callable[[], Iterable[object]]) -> list[Row]:
    return _outputs(decide())


def _outputs(made: Iterable[object]) -> list[Row]:
    return [one.outputs for one in made if isinstance(one, Decision)]


def whole_tables(book: Rulebook, products: list[dict[str, Any]], truth: Sequence[Row]) -> list[Result]:
    """Measure columns and SQL on a table of the same rows many times."""
    import polars

    small = polars.DataFrame(products)
    times = TABLE // len(products)
    frame = polars.concat([small] * times)

    def columns() -> Sequence[Row]:
        made: Sequence[Row] = book.decide_frame(frame).head(len(products)).to_dicts()
        return made

    with TemporaryDirectory() as folder:
        source, out = Path(folder) / "in.parquet", Path(folder) / "out.parquet"
        frame.write_parquet(source)

        def sql() -> Sequence[Row]:
            SqlRunner(book).run(source, out, keep=[])
            made: Sequence[Row] = polars.read_parquet(out, n_rows=len(products)).to_dicts()
            return made

        return [
            measured("columns, a Polars frame", columns, truth, many=len(frame), rounds=3),
            measured("SQL, Parquet to Parquet by DuckDB", sql, truth, many=len(frame), rounds=3),
        ]


def _keyed(book: Rulebook, products: list[dict[str, Any]]) -> list[Row]:
    keyed = Keyed(book)
    for at, one in enumerate(products):
        keyed.put(at, one)
    outputs = book.row().outputs
    results = (keyed.result(at) for at in range(len(products)))
    return [_shown(outputs, one) for one in results if not isinstance(one, RestockError)]


def _network(book: FactRulebook, products: list[dict[str, Any]]) -> list[Row]:
    network = Network(book, products[0])
    names = [one.name for one in book.program.outputs]
    found: list[Row] = []
    for one in products:
        network.set_flat(one)
        network.fire_all()
        flat = network.state()[0]
        found.append({name: flat[name] for name in names})
    return found


def by_hand(products: list[dict[str, Any]], names: Sequence[str], truth: Sequence[Row]) -> Result:
    """Measure plain float code; like the row function it is handed the requirement, computed as it would."""
    floats = [
        (float(one["avg_daily_demand"]) * one["lead_time_days"], float(one["available_qty"]), one["is_active"],
         float(one["moq"]), float(one["unit_price"]))
        for one in products
    ]  # fmt: skip
    made: list[Any] = []

    def work() -> Sequence[Row]:
        made[:] = [by_float(*given) for given in floats]
        return truth

    timed = measured("plain float code by hand", work, truth)
    shown = [dict(zip(names, one, strict=True)) for one in made]
    return compared(timed.name, timed.microseconds, shown, truth)


def main() -> None:
    """Print the table; end with an error when one of our engines has a wrong row."""
    text = DECLARED + (RULEBOOKS / "published.grl").read_text("utf-8")
    book = Rulebook.parse(text, "published.grl")
    products = rows(Random(1))
    truth = _outputs(book.decide_many(products, engine="reference"))
    own = ours(book, products, truth)
    hand = by_hand(products, [one.name for one in book.outputs], truth)
    others = [
        compared(name, one.microseconds, one.made, truth) if one.made else Result(f"{name}: {one.why}", 0, 0, 0)
        for name, one in beside_others.all_of(products)
    ]
    print(machine())
    print(
        f"{len(products):,} rows, half of them on thresholds; whole tables {TABLE:,} rows; CPU time, best of some rounds"
    )
    print(f"  {'engine':<44} {'us a decision':>14} {'times row function':>20} {'wrong rows':>12} {'other digits':>14}")
    function = own[0].microseconds
    for one in (*own, hand, *others):
        if one.microseconds:
            figures = (
                f"{one.microseconds:>14.2f} {one.microseconds / function:>20.2f} {one.wrong:>12,} {one.digits:>14,}"
            )
            print(f"  {one.name:<44} {figures}")
        else:
            print(f"  {one.name}")
    if any(one.digits for one in own):
        raise SystemExit("Our engines differ from the reference.")


if __name__ == "__main__":
    main()
