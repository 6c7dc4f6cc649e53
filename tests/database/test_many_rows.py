"""Rows that are written together are the rows that would be written one by one."""

from __future__ import annotations

import pytest
from notebook import ADD, ALL, PUT, RAISE, Notebook, note

from restock.adapters.database.sqlite import ROWS_AT_ONCE
from restock.engine.database import KeyTaken, Row, Statement, Transaction


async def written(notebook: Notebook, statement: Statement, rows: list[dict[str, object]]) -> int:
    async def unit(tx: Transaction) -> int:
        return await tx.write_many(statement, rows)

    return await notebook.left.write("many", unit)


@pytest.mark.parametrize("count", [0, 1, ROWS_AT_ONCE - 1, ROWS_AT_ONCE, ROWS_AT_ONCE + 1, 3 * ROWS_AT_ONCE])
async def test_as_many_rows_are_there_and_counted(notebook: Notebook, count: int) -> None:
    rows = [note(f"{number:04d}", number, f"w{number}") for number in range(count)]
    assert await written(notebook, ADD, rows) == count
    assert await written(notebook, PUT, [row | {"word": "new"} for row in rows]) == count
    assert await notebook.left.read(ALL) == [(row["key"], "new", row["number"]) for row in rows]
    assert await written(notebook, RAISE, [{"of_key": row["key"]} for row in rows]) == count


async def test_the_last_of_two_rows_of_one_key_stays(notebook: Notebook) -> None:
    rows = [note("same", number) for number in range(ROWS_AT_ONCE * 2)]
    await written(notebook, PUT, rows)
    found: list[Row] = await notebook.left.read(ALL)
    assert found == [("same", "", ROWS_AT_ONCE * 2 - 1)]


async def test_a_key_that_is_taken_anywhere_undoes_them_all(notebook: Notebook) -> None:
    await written(notebook, ADD, [note("0070")])
    with pytest.raises(KeyTaken):
        await written(notebook, ADD, [note(f"{number:04d}") for number in range(100)])
    assert len(await notebook.left.read(ALL)) == 1
