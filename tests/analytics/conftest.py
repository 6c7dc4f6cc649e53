"""A shop on a fresh home."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from counting import PARTITIONS, Shop


@pytest.fixture
async def shop(home: Path) -> AsyncIterator[Shop]:
    shop = Shop(home)
    await shop.log.create_topic("orders", PARTITIONS)
    yield shop
    await shop.close()
