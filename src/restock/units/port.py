"""What the units context promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from restock.core.frame import Frame
from restock.core.operation import Operation, Permission
from restock.core.reply import Stored
from restock.units.model import Conversion


@dataclass(frozen=True)
class ConversionsRequest:
    """Which products' conversions."""

    products: list[str]


@dataclass(frozen=True)
class ConversionFrame(Frame):
    """A row per conversion on file; a product may have none or several. `factor` is `to_unit` per `from_unit`."""

    product_id: Sequence[str]
    from_unit: Sequence[str]
    to_unit: Sequence[str]
    factor: Sequence[Decimal]

    def conversions(self) -> list[Conversion]:
        """Give the rows as values."""
        return list(map(Conversion, self.product_id, self.from_unit, self.to_unit, self.factor))


@dataclass(frozen=True)
class PutConversionsRequest:
    """Conversions to store; those of the same product and units are replaced. What contradicts the others is refused."""

    conversions: list[Conversion]


class Units(Protocol):
    """Knows the exact conversions of each product."""

    async def conversions(self, request: ConversionsRequest) -> ConversionFrame:
        """Give the conversions of the products, in the order of product and unit."""
        ...

    async def put_conversions(self, request: PutConversionsRequest) -> Stored:
        """Store conversions; the same again change nothing.

        Raises InvalidInput naming the first that contradicts what is on file or came before it, and then stores none.
        """
        ...

    async def revision(self) -> int:
        """Give a number that grows whenever conversions change."""
        ...


OPERATIONS = (
    Operation(
        "units.conversions",
        ConversionsRequest,
        ConversionFrame,
        "POST",
        "/api/v1/units/conversions/query",
        "Conversions of many products",
    ),
    Operation(
        "units.put_conversions",
        PutConversionsRequest,
        Stored,
        "POST",
        "/api/v1/units/conversions",
        "Store conversions",
        Permission.BUY,
        writes=True,
    ),
)
