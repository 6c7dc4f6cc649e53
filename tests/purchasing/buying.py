"""A purchasing desk for the tests of this folder: the real service on a database of its own."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from sqlalchemy import func, select

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.core.clock import Clock, SimulatedClock
from restock.core.errors import RestockError
from restock.core.ids import Ids
from restock.engine.database import Row, Statement
from restock.purchasing.model import Line, PurchaseOrder
from restock.purchasing.port import CreateRequest, NewLine, NewOrder, PlansRequest
from restock.purchasing.service import PurchasingService
from restock.purchasing.tables import DISPATCH, EVENT, LINE, OUTBOX, PURCHASE_ORDER, SCHEMA

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
DISPATCH_ROWS = Statement(select(DISPATCH.c.po_id, DISPATCH.c.state, DISPATCH.c.attempts, DISPATCH.c.problem))
NEEDS = Statement(select(LINE.c.product_id, LINE.c.warehouse_id, LINE.c.plan_version))
COUNTS = Statement(
    select(
        select(func.count()).select_from(PURCHASE_ORDER).scalar_subquery(),
        select(func.count()).select_from(EVENT).scalar_subquery(),
    )
)


class Desk:
    """A purchasing service on a home, and what a test looks at beside it."""

    def __init__(self, home: Path, clock: Clock | None = None) -> None:
        self.home = home
        self.clock = clock or SimulatedClock(START)
        self.databases = EmbeddedDatabases(home, {"po": [SCHEMA]})
        self.database = self.databases["po"]
        self.service = PurchasingService(self.database, self.clock, Ids(self.clock))

    async def close(self) -> None:
        await self.databases.close()

    async def create(self, *orders: NewOrder, actor: str = "restock") -> list[PurchaseOrder | RestockError]:
        return (await self.service.create(CreateRequest(list(orders), actor))).results

    async def made(self, *orders: NewOrder, actor: str = "restock") -> list[PurchaseOrder]:
        results = await self.create(*orders, actor=actor)
        for result in results:
            assert isinstance(result, PurchaseOrder), result
        return results  # type: ignore[return-value]

    async def versions(self, *products: str) -> dict[str, int]:
        frame = await self.service.plans(PlansRequest(list(products)))
        return dict(zip(frame.product_id, frame.version, strict=True))

    async def dispatches(self) -> dict[str, Row]:
        return {row[0]: row[1:] for row in await self.database.read(DISPATCH_ROWS)}

    async def counts(self) -> Row:
        """Orders, events, news: what must not change when nothing happened."""
        return (*(await self.database.read(COUNTS))[0], (await OUTBOX.backlog(self.database)).events)


def line(product: str, version: int = 0, quantity: str = "10", price: str = "2.5", **more: object) -> NewLine:
    amount = Decimal(quantity) * Decimal(price)
    given = {"purchase_quantity": Decimal(quantity), "purchase_unit": "CASE", **more}
    return NewLine(
        product_id=product,
        quantity=Decimal(quantity),
        unit_price=Decimal(price),
        total_amount=amount,
        plan_version=version,
        **given,  # type: ignore[arg-type]
    )


def new_order(*lines: NewLine, state: str = "approved", send: bool | None = None, **more: object) -> NewOrder:
    amount = sum((one.total_amount for one in lines), Decimal(0))
    given: Mapping[str, object] = {
        "supplier_id": "SUP-001",
        "supplier_name": "Acme Ltd",
        "currency": "USD",
        "discount_amount": Decimal(0),
        "tax_amount": Decimal(0),
        "grand_total": amount,
        **more,
    }
    return NewOrder(
        lines=list(lines),
        total_amount=amount,
        state=state,
        send=state == "approved" if send is None else send,
        send_method="file",
        **given,  # type: ignore[arg-type]
    )


def sent_order(lines: int = 1, **more: object) -> PurchaseOrder:
    """An order for tests of documents, without a database."""
    from dataclasses import replace

    from restock.purchasing.model import State

    amount = Decimal("1599.00")
    order = PurchaseOrder(
        po_id="PO-2026-000123",
        supplier_id="SUP-001",
        supplier_name="Acme Ltd",
        currency="USD",
        state=State.SENT,
        lines=tuple(
            Line(
                number,
                f"PROD-{number:04}",
                "WH-001",
                1,
                Decimal(100),
                Decimal("8.5"),
                "CASE",
                Decimal("15.9912"),
                amount,
            )
            for number in range(1, lines + 1)
        ),
        total_amount=amount * lines,
        discount_amount=Decimal("100.5"),
        tax_amount=Decimal("127.92"),
        grand_total=amount * lines + Decimal("27.42"),
        created_at="2026-01-05T08:00:00.000000Z",
        created_by="restock",
        expected_on="2026-01-12",
        sent_at="2026-01-05T09:00:00.000000Z",
        send_method="file",
    )
    return replace(order, **more)  # type: ignore[arg-type]


@lru_cache
def migrated_home() -> Path:
    """A home with empty, current stores; migrating one takes longer than most tests."""
    import asyncio

    folder = Path(tempfile.mkdtemp(prefix="restock-buying-"))
    atexit.register(shutil.rmtree, folder, True)
    desk = Desk(folder)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(desk.close())
    loop.close()
    return folder


def copied_home(target: Path) -> Path:
    return Path(shutil.copytree(migrated_home(), target, dirs_exist_ok=True))
