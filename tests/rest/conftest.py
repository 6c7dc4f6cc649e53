"""REST over a real app on stores of its own: in process for most tests, a real server for those about processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from rest_world import Rest, client_of, copied_home, seeded

from restock.app import opened
from restock.edge.rest.application import Application
from restock.settings import Settings


@pytest.fixture
async def rest(home: Path) -> AsyncIterator[Rest]:
    """REST in process, without background work, with the three products that everyone starts with."""
    copied_home(home)
    async with opened(Settings(home=home, dispatch_process=False)) as app:
        application = Application(app)
        await seeded(app)
        async with client_of(application) as client:
            yield Rest(app, application, client)


@pytest.fixture
def client(rest: Rest) -> httpx.AsyncClient:
    """A caller of that."""
    return rest.client
