"""A process of its own: `python notebook_child.py WORK HOME NAME`; starts when told, prints what was acknowledged."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from notebook import ADD, PUT, RAISE, Notebook, note

from restock.engine.database import Transaction

ADDS = 300
PIECES = 3


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def add(notebook: Notebook, name: str) -> None:
    """Add so many notes and raise the shared number with each."""

    async def one(number: int) -> None:
        async def unit(tx: Transaction) -> None:
            await tx.write(ADD, note(f"{name}-{number:04}"))
            assert await tx.write(RAISE, {"of_key": "shared"}) == 1

        await notebook.left.write("add", unit)
        say(f"{name}-{number:04}")

    for start in range(0, ADDS, 10):
        await asyncio.gather(*(one(number) for number in range(start, start + 10)))


async def add_for_ever(notebook: Notebook, name: str) -> None:
    """Add notes of several rows; name each once it is acknowledged."""

    async def one(number: int) -> None:
        async def unit(tx: Transaction) -> None:
            for piece in range(PIECES):
                await tx.write(ADD, note(f"{name}-{number:06}-{piece}"))

        await notebook.left.write("add", unit)
        say(f"{name}-{number:06}")

    for start in range(0, 1_000_000, 5):
        await asyncio.gather(*(one(number) for number in range(start, start + 5)))


async def count_up(notebook: Notebook, name: str) -> None:
    """Write a number to the left, then the same to the right: the left is never behind."""
    for number in range(1_000_000):

        async def unit(tx: Transaction, number: int = number) -> None:
            await tx.write(PUT, note("count", number))

        await notebook.left.write("count", unit)
        await notebook.right.write("count", unit)
        say(str(number))


WORK = {"add": add, "for-ever": add_for_ever, "count": count_up}


async def main() -> None:
    notebook = Notebook(Path(sys.argv[2]))
    say("ready")
    sys.stdin.readline()
    try:
        await WORK[sys.argv[1]](notebook, sys.argv[3])
    finally:
        await notebook.close()


if __name__ == "__main__":
    asyncio.run(main())
