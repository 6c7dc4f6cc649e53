"""One decision of the fifteen published rules: the generated row function against plain float code written by hand.

    python -m benchmarks.rules.row

Both see the same 20,000 random products in the same run, alternating, best of several rounds; the row function also
tells which rules fired. Bar: at most 1.7 times the float code, while exact. Beside it: the whole way of `decide` and
`decide_many` from Decimal facts to a Decision, for the default rulebook too.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random

import restock
from restock.engine.rules import Decision, Rulebook

PRODUCTS = 20_000
ROUNDS = 9
BAR = 1.7
"""Most times the float code that an exact decision with its fired rules may cost."""

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


def against_float(book: Rulebook, facts: list[dict[str, Decimal | int | bool]]) -> tuple[float, float, int]:
    """Measure microseconds of the row function and of the float code, and count where float decides otherwise."""
    row = book.row()
    exact = [
        tuple(int(one[f.name] * 10**f.decimals) if f.kind == "number" else one[f.name] for f in row.inputs)
        for one in facts
    ]
    floats = [float_arguments(one) for one in facts]

    def run_row() -> None:
        function = row.function
        for a, b, c, d, e in exact:
            function(a, b, c, d, e)

    def run_float() -> None:
        function = by_float
        for a, b, c, d, e in floats:
            function(a, b, c, d, e)

    row_times, float_times = [], []
    for _ in range(ROUNDS):
        row_times.append(best(run_row, 1))
        float_times.append(best(run_float, 1))
    status = [one.name for one in row.outputs].index("approval_status")
    differing = sum(row.function(*x)[status] != by_float(*y)[5] for x, y in zip(exact, floats, strict=True))
    return min(row_times) / PRODUCTS * 1e6, min(float_times) / PRODUCTS * 1e6, differing


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
    row, plain, differing = against_float(published, facts)
    ratio = row / plain
    print(f"row function, 15 rules, with fired mask   {row:6.2f} us per decision")
    print(f"plain float code by hand, no fired rules  {plain:6.2f} us per decision; other approval in {differing} rows")
    print(f"ratio {ratio:.2f} (bar {BAR})")
    for book in (published, purchasing):
        report_decide(book, facts)
    if ratio > BAR:
        raise SystemExit(f"The row function is {ratio:.2f} times the float code; the bar is {BAR}.")


if __name__ == "__main__":
    main()
