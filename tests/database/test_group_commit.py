"""Units of work share a commit and nothing else."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from notebook import ADD, ALL, COUNT, LISTED, LISTED_OF_WORD, PUT, PUT_NUMBER, RAISE, Notebook, Pages, note

from restock.adapters.database.groups import GROUP_LIMIT
from restock.core.errors import Conflict, InvalidInput, Stale
from restock.engine.database import KeyTaken, Transaction
from restock.engine.database.statement import MAX_LIST


async def test_a_unit_that_raises_is_undone_alone(pages: Pages) -> None:
    async def unit(tx: Transaction, number: int) -> int:
        await tx.write(ADD, note(f"{number:03}", number))
        if number % 3 == 0:
            raise InvalidInput(f"{number} is refused.")
        return number

    def written(number: int) -> object:
        async def one(tx: Transaction) -> int:
            return await unit(tx, number)

        return pages.left.write("add", one)

    results = await asyncio.gather(*(written(number) for number in range(100)), return_exceptions=True)  # type: ignore[call-overload]
    for number, result in enumerate(results):
        assert isinstance(result, InvalidInput) if number % 3 == 0 else result == number
    assert await pages.keys() == [f"{number:03}" for number in range(100) if number % 3]


async def test_a_taken_key_undoes_its_unit_alone_and_says_so(pages: Pages) -> None:
    async def twice(tx: Transaction) -> None:
        await tx.write(ADD, note("half"))
        await tx.write(ADD, note("first"))

    results = await asyncio.gather(
        pages.add("first"), pages.left.write("twice", twice), pages.add("last"), return_exceptions=True
    )
    assert [type(one) for one in results] == [int, KeyTaken, int]
    assert isinstance(results[1], Conflict)
    assert await pages.keys() == ["first", "last"]


async def test_a_unit_hears_of_a_taken_key_in_the_words_of_the_port(pages: Pages) -> None:
    await pages.add("taken")

    async def unit(tx: Transaction) -> None:
        try:
            await tx.write(ADD, note("taken"))
        except KeyTaken as error:
            raise Stale("Somebody was faster.") from error

    with pytest.raises(Stale):
        await pages.left.write("add", unit)


async def test_a_unit_sees_its_own_writes_and_those_of_earlier_units_of_its_group(pages: Pages) -> None:
    async def unit(tx: Transaction) -> tuple[int, int]:
        before = (await tx.read(COUNT))[0][0]
        await tx.write(ADD, note(f"{before:03}"))
        return before, (await tx.read(COUNT))[0][0]

    results = await asyncio.gather(*(pages.left.write("add", unit) for _ in range(50)))
    assert results == [(number, number + 1) for number in range(50)]


async def test_nothing_is_visible_or_acknowledged_before_the_commit(pages: Pages) -> None:
    seen: list[int] = []
    other = await pages.again()

    async def unit(tx: Transaction) -> None:
        await tx.write(ADD, note("new"))
        seen.append((await other.left.read(COUNT))[0][0])

    task = asyncio.create_task(pages.left.write("add", unit))
    while not seen:
        assert not task.done()
        found = await pages.keys()
        assert found == [] or seen, "the unit had ended by then"
        await asyncio.sleep(0)
    assert seen == [0]
    await task
    assert await pages.keys() == ["new"]
    await other.close()


async def test_more_units_than_a_group_holds_are_all_done(pages: Pages) -> None:
    await asyncio.gather(*(pages.add(f"{number:05}") for number in range(2 * GROUP_LIMIT + 7)))
    assert len(await pages.keys()) == 2 * GROUP_LIMIT + 7


async def test_a_caller_that_is_cancelled_harms_no_other(pages: Pages) -> None:
    tasks = [asyncio.create_task(pages.add(f"{number:02}")) for number in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in results] == [asyncio.CancelledError, int] * 10
    assert set(await pages.keys()) >= {f"{number:02}" for number in range(1, 20, 2)}
    assert await pages.add("after") == 1


async def test_a_unit_that_waits_for_something_else_is_refused_and_undone(notebook: Notebook) -> None:
    async def unit(tx: Transaction) -> None:
        await tx.write(ADD, note("half"))
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="await nothing"):
        await notebook.left.write("add", unit)
    assert await notebook.keys() == []
    assert await notebook.add("after") == 1


async def test_closing_finishes_what_waits(pages: Pages) -> None:
    tasks = [asyncio.create_task(pages.add(f"{number:03}")) for number in range(100)]
    await asyncio.sleep(0)
    await pages.left.close()
    assert await asyncio.gather(*tasks) == [1] * 100


@pytest.mark.parametrize("count", [0, 1, 2, MAX_LIST, MAX_LIST + 1, 2000])
async def test_a_list_may_be_of_any_length(pages: Pages, count: int) -> None:
    await pages.add(*(f"{number:04}" for number in range(1500)))
    keys = [f"{number:04}" for number in range(0, 2 * count, 2)]
    expected = {key for key in keys if int(key) < 1500}
    assert {row[0] for row in await pages.left.read(LISTED, {"keys": keys})} == expected
    assert {row[0] for row in await pages.left.read(LISTED_OF_WORD, {"keys": keys, "of_word": ""})} == expected
    assert await pages.left.read(LISTED_OF_WORD, {"keys": keys, "of_word": "other"}) == []

    async def unit(tx: Transaction) -> set[str]:
        return {row[0] for row in await tx.read(LISTED, {"keys": keys})}

    assert await pages.left.write("read", unit) == expected


@settings(max_examples=25, deadline=None)
@given(keys=st.lists(st.integers(0, 40), max_size=40))
async def test_a_list_of_any_keys_gives_each_row_once(keys: list[int]) -> None:
    import tempfile
    from pathlib import Path

    from notebook import copied_home

    with tempfile.TemporaryDirectory() as folder:
        notebook = Notebook(copied_home(Path(folder)))
        await notebook.add(*(str(number) for number in range(20)))
        rows = await notebook.left.read(LISTED, {"keys": [str(key) for key in keys]})
        assert sorted(int(row[0]) for row in rows) == sorted({key for key in keys if key < 20})
        await notebook.close()


async def test_an_upsert_replaces_all_columns_or_only_those_named(pages: Pages) -> None:
    async def unit(tx: Transaction) -> None:
        await tx.write_many(PUT, [note("a", 1, "one"), note("b", 2, "two")])
        await tx.write_many(PUT, [note("a", 3, "three"), note("c", 4, "four")])
        await tx.write_many(PUT_NUMBER, [note("b", 5, "five"), note("d", 6, "six")])

    await pages.left.write("put", unit)
    assert await pages.left.read(ALL) == [("a", "three", 3), ("b", "two", 5), ("c", "four", 4), ("d", "six", 6)]


async def test_a_change_says_how_many_rows_it_touched(pages: Pages) -> None:
    await pages.add("a")

    async def unit(tx: Transaction) -> tuple[int, ...]:
        many = await tx.write_many(RAISE, [{"of_key": "a"}, {"of_key": "b"}, {"of_key": "a"}])
        return (
            await tx.write(RAISE, {"of_key": "a"}),
            await tx.write(RAISE, {"of_key": "b"}),
            many,
            await tx.write_many(RAISE, []),
        )

    assert await pages.left.write("raise", unit) == (1, 0, 2, 0)
    assert (await pages.rows())[0][2] == 3


async def test_a_number_beyond_the_column_is_refused_alone(pages: Pages) -> None:
    async def unit(tx: Transaction) -> None:
        await tx.write(ADD, note("huge", 1 << 63))

    results = await asyncio.gather(
        pages.add("a"), pages.left.write("add", unit), pages.add("b"), return_exceptions=True
    )
    assert isinstance(results[1], Exception)
    assert await pages.keys() == ["a", "b"]
