"""One decision of the fifteen published rules: the generated row function against plain float code written by hand.

    python -m benchmarks.rules.row

Both see the same 20,000 random products in the same run, alternating, best of several rounds. Bars: the row function without
its trace, the mask of fired rules, at most 1.5 times the float code, while exact; with the trace, as it always runs, at most
1.3 times that. Beside it: the whole way of `decide` and `decide_many` from Decimal facts to a Decision, for the default
rulebook too.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import NamedTuple, cast

import restock
from restock.engine.rules import Decision, RowProgram, Rulebook

PRODUCTS = 20_000
ROUNDS = 9
ROW_BAR = 1.5
"""Most times the float code that an exact decision may cost, without telling which rules fired."""

TRACE_BAR = 1.3
"""Most times the row function without its trace that the row function may cost."""

RULEBOOKS = Path(restock.__file__).parent / "decisions" / "rulebooks"

FloatResult = tuple[float, float, bool, float, bool, str, float, float, float, float, bool, str, bool, str]


def by_float(  # noqa: C901, PLR0912 - fifteen rules in a row are the point
    required_qty: float, available_qty: float, is_active: bool, moq: float, unit_price: float
) -> FloatResult:
    """Decide as a programmer would write it, in binary floating point and without telling what fired."""
    shortage = order_qty = total = discount = final = tax = grand = 0.0
    need_reorder = requires_approval = should_create = should_send = False
    approval = po_status = method = ""
    if required_qty > 0:
        shortage = required_qty - available_qty
    if not is_active:
        order_qty = shortage = 0.0
        need_reorder = False
    if shortage > 0 and shortage < moq and is_active:
        order_qty = moq
    if shortage >= moq and is_active:
        order_qty = shortage
    if order_qty > 0 and unit_price > 0:
        total = order_qty * unit_price
    if shortage > 0:
        need_reorder = True
    if shortage <= 0:
        need_reorder = False
    if total > 10000:
        requires_approval, approval = True, "pending"
    if total > 0 and total <= 10000:
        requires_approval, approval = False, "auto_approved"
    if total >= 50000:
        discount = total * 0.1
        final = total - discount
    if total > 0 and total < 50000:
        final = total
    if final > 0:
        tax = final * 0.08
        grand = final + tax
    if need_reorder and approval == "auto_approved" and order_qty > 0:
        should_create = True
        po_status = "approved"
    if need_reorder and approval == "pending" and order_qty > 0:
        should_create = True
        po_status = "pending_approval"
    if need_reorder and approval == "auto_approved":
        should_send = True
        method = "email"
    return (
        shortage,
        order_qty,
        need_reorder,
        total,
        requires_approval,
        approval,
        discount,
        final,
        tax,
        grand,
        should_create,
        po_status,
        should_send,
        method,
    )


def products(seed: int = 1) -> list[dict[str, Decimal | int | bool]]:
    """Make random products: quantities with a decimal or two, prices with two, one in fourteen suppliers inactive."""
    random = Random(seed)
    return [
        {
            "required_qty": Decimal(random.randrange(0, 200_000)).scaleb(-2),
            "available_qty": random.randrange(0, 1_500),
            "is_active": random.random() > 0.07,
            "moq": random.choice((0, 1, 10, 20, 50, 100, 500)),
            "unit_price": Decimal(random.randrange(1, 20_000)).scaleb(-2),
        }
        for _ in range(PRODUCTS)
    ]


def best(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Give the least CPU seconds of several runs."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def float_arguments(one: dict[str, Decimal | int | bool]) -> tuple[float, float, bool, float, float]:
    """Give a product as the float code takes it."""
    required, available, moq, price = (float(one[n]) for n in ("required_qty", "available_qty", "moq", "unit_price"))
    return required, available, bool(one["is_active"]), moq, price


class Measured(NamedTuple):
    """Microseconds of a decision by the row function, without its trace, by float code; rows where float differs."""

    row: float
    untraced: float
    plain: float
    differing: int


def without_trace(row: RowProgram) -> Callable[..., object]:
    """Compile the row function again without the mask of fired rules."""
    lines = [line for line in row.code.splitlines() if not line.strip().startswith("fired ")]
    space = dict(row.function.__globals__)
    exec("\n".join(lines).replace(", fired,)", ",)"), space)
    return cast("Callable[..., object]", space["row"])


def against_float(book: Rulebook, facts: list[dict[str, Decimal | int | bool]]) -> Measured:
    """Measure the row function, the same without its trace, and the float code, in turn."""
    row = book.row()
    exact = [
        tuple(int(one[f.name] * 10**f.decimals) if f.kind == "number" else one[f.name] for f in row.inputs)
        for one in facts
    ]
    floats = [float_arguments(one) for one in facts]

    def run(function: Callable[..., object], given: Sequence[tuple[object, ...]]) -> Callable[[], None]:
        def work() -> None:
            for a, b, c, d, e in given:
                function(a, b, c, d, e)

        return work

    works = (run(row.function, exact), run(without_trace(row), exact), run(by_float, floats))
    times: list[list[float]] = [[], [], []]
    for _ in range(ROUNDS):
        for work, found in zip(works, times, strict=True):
            found.append(best(work, 1))
    status = [one.name for one in row.outputs].index("approval_status")
    differing = sum(row.function(*x)[status] != by_float(*y)[5] for x, y in zip(exact, floats, strict=True))
    traced, untraced, plain = (min(found) / PRODUCTS * 1e6 for found in times)
    return Measured(traced, untraced, plain, differing)


def report_decide(book: Rulebook, facts: list[dict[str, Decimal | int | bool]]) -> None:
    """Print what a decision costs with its conversions."""
    one = best(lambda: [book.decide(fact) for fact in facts], 3) / PRODUCTS * 1e6
    many = best(lambda: book.decide_many(facts), 3) / PRODUCTS * 1e6
    assert all(isinstance(result, Decision) for result in book.decide_many(facts[:1000]))
    print(f"{book.name:15} decide {one:6.2f} us, decide_many {many:6.2f} us per row, Decimal facts to Decision")


def main() -> None:
    """Print the ratio to the float code and the cost of whole decisions; end with an error when the bar is missed."""
    gc.disable()
    facts = products()
    published = Rulebook.parse((RULEBOOKS / "published.grl").read_text("utf-8"), "published.grl")
    purchasing = Rulebook.parse((RULEBOOKS / "purchasing.grl").read_text("utf-8"), "purchasing.grl")
    found = against_float(published, facts)
    row, trace = found.untraced / found.plain, found.row / found.untraced
    print(f"row function, 15 rules, with fired mask   {found.row:6.2f} us per decision")
    print(f"row function without the mask             {found.untraced:6.2f} us per decision")
    print(f"plain float code by hand, no fired rules  {found.plain:6.2f} us per decision; ", end="")
    print(f"other approval in {found.differing} rows")
    print(f"row function / float code {row:.2f} (bar {ROW_BAR}); with trace / without {trace:.2f} (bar {TRACE_BAR})")
    for book in (published, purchasing):
        report_decide(book, facts)
    if row > ROW_BAR or trace > TRACE_BAR:
        raise SystemExit("The row function or its trace costs more than its bar.")


if __name__ == "__main__":
    main()
