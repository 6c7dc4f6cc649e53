"""A made-up catalogue: products with stock, terms and demand, made from their number alone."""

from __future__ import annotations

from decimal import Decimal

from restock.app import App
from restock.inventory.model import StockCount
from restock.inventory.port import PutStockRequest
from restock.orders.model import Demand
from restock.orders.port import PutDemandRequest
from restock.suppliers.model import Terms
from restock.suppliers.port import PutTermsRequest

LINES_A_SUPPLIER = 200


async def load(app: App, products: int, prefix: str = "M", needy: int = 1) -> list[str]:
    """Store the products; every `needy`-th one is short. Give their names."""
    names = [f"{prefix}{number:06}" for number in range(products)]
    numbered = list(enumerate(names))
    await app.inventory.put_stock(
        PutStockRequest([StockCount(name, Decimal(0 if n % needy == 0 else 9_000 + n % 90)) for n, name in numbered])
    )
    await app.suppliers.put_terms(
        PutTermsRequest(
            [
                Terms(
                    product_id=name,
                    supplier_id=f"SUP-{n // LINES_A_SUPPLIER:05}",
                    supplier_name=f"Supplier {n // LINES_A_SUPPLIER}",
                    unit_price=Decimal(100 + n % 900) / 100,
                    lead_time_days=3 + n % 20,
                    moq=Decimal(1 + n % 12),
                    order_multiple=Decimal(1 + n % 6),
                )
                for n, name in numbered
            ]
        )
    )
    await app.orders.put_demand(PutDemandRequest([Demand(name, Decimal(10 + n % 200) / 10) for n, name in numbered]))
    return names
