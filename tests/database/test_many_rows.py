"""Rows that are written together are the rows that would be written one by one."""

from __future__ import annotations

import asyncio

import pytest
from notebook import ADD, ALL, COUNT, PUT, RAISE, Pages, note

from restock.adapters.database.sqlite import ROWS_AT_ONCE
from restock.core.errors import RestockError, Stale
from restock.engine.database import KeyTaken, Row, Statement, Transaction


async def written(pages: Pages, statement: Statement, rows: list[dict[str, object]]) -> int:
    async def unit(tx: Transaction) -> int:
        return await tx.write_many(statement, rows)

    return await pages.left.write("many", unit)


@pytest.mark.parametrize("count", [0, 1, ROWS_AT_ONCE - 1, ROWS_AT_ONCE, ROWS_AT_ONCE + 1, 3 * ROWS_AT_ONCE])
async def test_as_many_rows_are_there_and_counted(pages: Pages, count: int) -> None:
    rows = [note(f"{number:04d}", number, f"w{number}") for number in range(count)]
    assert await written(pages, ADD, rows) == count
    assert await written(pages, PUT, [row | {"word": "new"} for row in rows]) == count
    assert await pages.left.read(ALL) == [(row["key"], "new", row["number"]) for row in rows]
    assert await written(pages, RAISE, [{"of_key": row["key"]} for row in rows]) == count


async def test_the_last_of_two_rows_of_one_key_stays(pages: Pages) -> None:
    rows = [note("same", number) for number in range(ROWS_AT_ONCE * 2)]
    await written(pages, PUT, rows)
    found: list[Row] = await pages.left.read(ALL)
    assert found == [("same", "", ROWS_AT_ONCE * 2 - 1)]


async def test_a_key_that_is_taken_anywhere_undoes_them_all(pages: Pages) -> None:
    await written(pages, ADD, [note("0070")])
    with pytest.raises(KeyTaken):
        await written(pages, ADD, [note(f"{number:04d}") for number in range(100)])
    assert len(await pages.left.read(ALL)) == 1


async def test_a_taken_key_among_rows_undoes_its_unit_alone(pages: Pages) -> None:
    await written(pages, ADD, [note("0070")])
    batches = [[note(f"{start + number:04d}") for number in range(50)] for start in (0, 50, 100)]
    results = await asyncio.gather(*(written(pages, ADD, batch) for batch in batches), return_exceptions=True)
    assert [type(one) for one in results] == [int, KeyTaken, int]
    assert len(await pages.left.read(ALL)) == 101


async def test_a_unit_that_fails_behind_rows_it_wrote_leaves_none_and_harms_no_other(pages: Pages) -> None:
    async def failing(tx: Transaction) -> None:
        await tx.write_many(ADD, [note(f"f{number}") for number in range(9)])
        raise Stale("Somebody was faster.")

    async def taken_and_failing(tx: Transaction) -> None:
        await tx.write_many(ADD, [note("same"), note("same")])
        await tx.write_many(ADD, [note("other"), note("another")])
        raise Stale("Somebody was faster.")

    for together in (1, 3):
        units = [*[failing] * together, *[taken_and_failing] * (together - 1)]
        results = await asyncio.gather(
            *(pages.left.write("many", unit) for unit in units), written(pages, ADD, [note(f"{together}")]),
            return_exceptions=True,
        )  # fmt: skip
        assert [type(one) in {Stale, KeyTaken} for one in results] == [True] * len(units) + [False]
    with pytest.raises((Stale, KeyTaken)):  # alone in its group
        await pages.left.write("many", taken_and_failing)
    assert [row[0] for row in await pages.left.read(ALL)] == ["1", "3"]


async def test_a_unit_reads_rows_that_it_has_just_sent(pages: Pages) -> None:
    async def unit(tx: Transaction) -> tuple[int, int]:
        await tx.write_many(ADD, [note(f"a{number}") for number in range(7)])
        await tx.write_many(PUT, [note(f"b{number}") for number in range(5)])
        ((count,),) = await tx.read(COUNT)
        return count, await tx.write_many(RAISE, [{"of_key": f"a{number}"} for number in range(9)])

    assert await pages.left.write("many", unit) == (12, 7)


async def test_a_number_beyond_the_column_is_refused_among_rows(pages: Pages) -> None:
    with pytest.raises((RestockError, OverflowError)):
        await written(pages, ADD, [note("a", 1), note("b", 1 << 63)])
    assert await pages.left.read(ALL) == []
    await written(pages, ADD, [note("a", (1 << 63) - 1), note("b", -(1 << 63))])
    assert [row[2] for row in await pages.left.read(ALL)] == [(1 << 63) - 1, -(1 << 63)]


async def test_a_taken_key_is_told_to_the_unit_that_asks_on(pages: Pages) -> None:
    heard: list[bool] = []

    async def unit(tx: Transaction) -> None:
        try:
            await tx.write_many(ADD, [note("same"), note("same")])
            await tx.read(COUNT)
        except KeyTaken:
            heard.append(True)
            raise

    with pytest.raises(KeyTaken):
        await pages.left.write("many", unit)
    assert heard == [True]
