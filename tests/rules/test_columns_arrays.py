"""NumPy arrays in and out: scaled numbers, masks for absent facts, errors in their place."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pytest
from rules_world import PUBLISHED, PURCHASING, one
from test_differential import random_product

from restock.core.errors import InvalidInput, RestockError
from restock.engine.rules import Decision, Rulebook


def arrays_of(book: Rulebook, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Scale facts; None becomes masked."""
    result: dict[str, Any] = {}
    for field in book.inputs:
        values = [row.get(field.name) for row in rows]
        if all(value is None for value in values):
            continue
        if field.kind == "number":
            plain = [0 if value is None else int(Decimal(value).scaleb(field.decimals)) for value in values]
            result[field.name] = np.ma.array(np.array(plain, np.int64), mask=[value is None for value in values])
        elif field.kind == "bool":
            result[field.name] = np.ma.array(
                [bool(value) for value in values], mask=[value is None for value in values]
            )
        else:
            result[field.name] = np.array(values, dtype=object)
    return result


def same_as_rows(book: Rulebook, rows: list[dict[str, Any]], engine: str = "reference") -> list[str]:
    done = book.decide_arrays(arrays_of(book, rows))
    wanted = book.decide_many(rows, engine=engine)
    for at, result in enumerate(wanted):
        if isinstance(result, Decision):
            assert done["error"][at] is None
            for field in book.outputs:
                value = done[field.name][at]
                got = Decimal(int(value)).scaleb(-field.decimals) if field.kind == "number" else value
                assert got == result.outputs[field.name], (rows[at], field.name)
            fired = [one.name for place, one in enumerate(book.rules) if int(done["fired"][at]) >> place & 1]
            assert tuple(fired) == result.fired
        else:
            assert done["error"][at] == RestockError.__str__(result)
    return [error for error in done["error"] if error is not None]


def test_arrays_give_the_decisions_of_rows_across_blocks() -> None:
    random = Random(9)
    rows = [random_product(random) for _ in range(17_000)]
    rows = [row | {"unit_price": round(Decimal(str(row["unit_price"])), 4)} for row in rows]
    for row in rows[::50]:
        row[random.choice(list(row))] = None
    assert same_as_rows(PURCHASING, rows, "row")


def test_texts_enums_and_bad_rows_have_the_outcome_of_rows() -> None:
    book = one(
        "enum Color { red, green }\ninput c: Color;\ninput t: text;\ninput n: decimal(4,2) in 0..50;\n"
        'rule R no-loop { when c == "red" then k = c; u = upper(t) + "!"; q = round(1 / n, 2); }'
    )
    numbers = ("0", "0.03", "7", "60", None)
    rows = [{"c": c, "t": t, "n": n} for c in ("red", "green", "blue") for t in ("a", "ß", "x" * 1000) for n in numbers]
    assert len(same_as_rows(book, rows)) > 20


def test_more_than_64_rules_give_a_mask_of_whole_numbers() -> None:
    text = "".join(f"rule R{at} salience {-at} no-loop {{ when a >= {at} then x = {at}; }}\n" for at in range(70))
    same_as_rows(one("input a: decimal(4,0) in 0..1000;\n" + text), [{"a": at} for at in range(72)])


def test_no_rows_give_empty_arrays() -> None:
    empty = {name: array[:0] for name, array in arrays_of(PURCHASING, [random_product(Random(1))]).items()}
    assert len(PURCHASING.decide_arrays(empty)["error"]) == 0


def test_arrays_that_do_not_fit_are_refused() -> None:
    good = arrays_of(PURCHASING, [random_product(Random(1)) for _ in range(3)])
    with pytest.raises(InvalidInput, match="moq: A float has already lost digits"):
        PURCHASING.decide_arrays(good | {"moq": np.array([1.0, 2.0, 3.0])})
    with pytest.raises(InvalidInput, match="different lengths: 2, 3"):
        PURCHASING.decide_arrays(good | {"moq": np.array([1, 2])})
    with pytest.raises(InvalidInput, match="unit_price: No column gives this input"):
        PURCHASING.decide_arrays({name: array for name, array in good.items() if name != "unit_price"})
    with pytest.raises(InvalidInput, match="declared digits"):
        PUBLISHED.decide_arrays(good)
