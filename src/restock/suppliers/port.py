"""What the suppliers context promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from restock.core.frame import Frame
from restock.core.operation import Operation, Permission
from restock.core.reply import Stored
from restock.suppliers.model import Terms


@dataclass(frozen=True)
class TermsRequest:
    """Which products' terms."""

    products: list[str]


@dataclass(frozen=True)
class TermsFrame(Frame):
    """The terms of the supplier asked first, a row per known product. Amounts per purchase unit."""

    product_id: Sequence[str]
    supplier_id: Sequence[str]
    supplier_name: Sequence[str]
    unit_price: Sequence[Decimal]
    moq: Sequence[Decimal]
    order_multiple: Sequence[Decimal]
    purchase_unit: Sequence[str]
    lead_time_days: Sequence[int]
    is_active: Sequence[bool]
    currency: Sequence[str]


@dataclass(frozen=True)
class OffersRequest:
    """Which products' suppliers."""

    products: list[str]


@dataclass(frozen=True)
class OffersFrame(TermsFrame):
    """The terms of every supplier, a row per product and supplier, the one asked first on top."""

    rank: Sequence[int]


@dataclass(frozen=True)
class PutTermsRequest:
    """Terms to store; those of the same product and supplier are replaced."""

    terms: list[Terms]


class Suppliers(Protocol):
    """Knows who sells what."""

    async def terms(self, request: TermsRequest) -> TermsFrame:
        """Give the terms of the products that have a supplier, the active one of the lowest rank first."""
        ...

    async def offers(self, request: OffersRequest) -> OffersFrame:
        """Give the terms of every supplier of the products."""
        ...

    async def put_terms(self, request: PutTermsRequest) -> Stored:
        """Store terms; the same terms again change nothing."""
        ...

    async def revision(self) -> int:
        """Give a number that grows whenever terms change."""
        ...


OPERATIONS = (
    Operation(
        "suppliers.terms", TermsRequest, TermsFrame, "POST", "/api/v1/suppliers/terms/query", "Terms of many products"
    ),
    Operation(
        "suppliers.offers",
        OffersRequest,
        OffersFrame,
        "POST",
        "/api/v1/suppliers/offers/query",
        "Every supplier of many products",
    ),
    Operation(
        "suppliers.put_terms",
        PutTermsRequest,
        Stored,
        "POST",
        "/api/v1/suppliers/terms",
        "Store supplier terms",
        Permission.BUY,
        writes=True,
    ),
)
