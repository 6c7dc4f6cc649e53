"""How a command works on the running program: open, work, carry events on unless a server does, close."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from restock.core.errors import RestockError
from restock.edge.cli.output import REDRAW_SECONDS, Progress, note
from restock.edge.cli.shell import Shell
from restock.edge.running import Running

T = TypeVar("T")

PATIENCE_SECONDS = 10.0
"""How long to wait for a running server to carry events on."""

AsJson = Callable[[Callable[..., Any]], Callable[..., Any]]

as_json: AsJson = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


def work(shell: Shell, task: Callable[[Running], Awaitable[T]], *, settle: bool = False) -> T:
    """Run a task on the program. With `settle` its events are carried to their last effect before it returns.

    What the task did is durable by then: if carrying on fails, the result is given all the same, with a note of what waits.
    """

    async def session() -> T:
        async with shell.opened() as app:
            result = await task(app)
            if settle:
                try:
                    await carry_on(shell, app)
                except RestockError as error:
                    note(f"Done, but what follows from it waits: {error}")
            return result

    return asyncio.run(session())


async def carry_on(shell: Shell, app: Running) -> bool:
    """Carry events on, unless another process does; say whether it was done here."""
    async with shell.background(app) as mine:
        if mine:
            watching = asyncio.create_task(_watched(app))
            try:
                await app.settle()
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
        return mine


async def _watched(app: Running) -> None:
    """Show on a terminal how many events and order files are still to go."""
    progress = Progress("Carrying on", "events and order files")
    whole = 0
    try:
        while progress.visible:
            await asyncio.sleep(REDRAW_SECONDS)
            left = sum((await app.backlog()).values())
            whole = max(whole, left)
            progress.tell(whole - left, (whole - left) / whole if whole else None)
    finally:
        progress.close()


async def settled(shell: Shell, app: Running) -> None:
    """Carry events on, or wait until the server that does it has."""
    if await carry_on(shell, app):
        return
    end = time.monotonic() + PATIENCE_SECONDS
    while any((await app.backlog()).values()) and time.monotonic() < end:  # noqa: ASYNC110 - another process works
        await asyncio.sleep(0.05)
