"""The published services of purchasing over gRPC. Their numbers are doubles and whole numbers: what is exact here is told as
near as they can.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from restock.core.errors import InvalidInput
from restock.edge.grpc.messages import message
from restock.edge.published_orders import CreateOrderRequest, PublishedOrder, PublishedOrders
from restock.edge.purchasing_services import (
    EvaluateRequest,
    InventoryData,
    OmsData,
    PurchasingServices,
    SupplierData,
)

PALLET_CASES = 10
"""Cases on a pallet, as published; a conversion on file that says otherwise is told over REST."""

INT32_MOST = (1 << 31) - 1
"""The largest whole number of most published members."""


class Health:
    """What each of the services answers about itself."""

    def __init__(self, package: str, name: str, services: PurchasingServices) -> None:
        self.package = package
        self.services = services
        self._name = f"{name}-service"

    async def HealthCheck(self, _request: Any) -> Any:  # noqa: N802 - as published
        """Say that it answers."""
        return message(f"{self.package}.HealthResponse")(status="healthy", service=self._name)


class Oms(Health):
    """Demand."""

    async def GetHistory(self, request: Any) -> Any:  # noqa: N802 - as published
        """Give the demand of a product."""
        found = await self.services.history(_product(request))
        return message("oms.HistoryResponse")(
            product_id=found.product_id, avg_daily_demand=float(found.avg_daily_demand), trend=found.trend
        )


class Inventory(Health):
    """Stock; of parts of a unit only whole ones are there, and one that is begun is reserved."""

    async def GetLevels(self, request: Any) -> Any:  # noqa: N802 - as published
        """Give the stock of a product, and what is on order."""
        found = await self.services.levels(_product(request))
        coming = await self.services.on_order(found.product_id)
        return message("inventory.LevelsResponse")(
            product_id=found.product_id,
            available_qty=_whole(found.available_qty),
            reserved_qty=_whole(found.reserved_qty, up=True),
            on_order_qty=_whole(coming),
        )


class Supplier(Health):
    """Terms."""

    async def GetInfo(self, request: Any) -> Any:  # noqa: N802 - as published
        """Give the terms of the supplier that is asked first."""
        found = await self.services.info(_product(request))
        return message("supplier.InfoResponse")(
            product_id=found.product_id,
            moq=_whole(found.moq, up=True),
            lead_time_days=found.lead_time_days,
            unit_price=float(found.unit_price),
            supplier_name=await self.services.supplier_name(found.product_id),
        )


class Uom(Health):
    """Units."""

    async def GetConversion(self, request: Any) -> Any:  # noqa: N802 - as published
        """Give how many of the base unit are in a case, and on a pallet."""
        found = await self.services.conversion(_product(request))
        case = _whole(found.conversion_factor)
        return message("uom.ConversionResponse")(
            product_id=found.product_id, base_unit=found.to_uom, case_qty=case, pallet_qty=case * PALLET_CASES
        )


class RuleEngine(Health):
    """Rules."""

    async def Evaluate(self, request: Any) -> Any:  # noqa: N802 - as published
        """Ask the rules."""
        for name in ("oms_data", "inventory_data", "supplier_data"):
            if not request.HasField(name):
                raise InvalidInput("is missing.", field=name)
        terms = request.supplier_data
        found = await self.services.evaluate(
            EvaluateRequest(
                OmsData(_decimal(request.oms_data.avg_daily_demand, "avg_daily_demand")),
                InventoryData(Decimal(request.inventory_data.available_qty)),
                SupplierData(
                    terms.lead_time_days, _decimal(terms.unit_price, "unit_price"), Decimal(terms.moq), terms.is_active
                ),
            )
        )
        return message("rule_engine.EvaluateResponse")(
            need_reorder=found.need_reorder,
            shortage=float(found.shortage),
            order_qty=_whole(found.order_qty, up=True),
            total_amount=float(found.total_amount),
            requires_approval=found.requires_approval,
            approval_status=found.approval_status,
            should_create_po=found.should_create_po,
            should_send_po=found.should_send_po,
            po_status=found.po_status,
            send_method=found.send_method,
            grand_total=float(found.grand_total),
        )


class Po(Health):
    """Purchase orders."""

    def __init__(self, services: PurchasingServices, orders: PublishedOrders) -> None:
        super().__init__("po", "po", services)
        self._orders = orders

    async def Create(self, request: Any) -> Any:  # noqa: N802 - as published
        """Order a product."""
        made = await self._orders.create(
            CreateOrderRequest(
                _product(request),
                request.supplier_id,
                request.qty,
                _decimal(request.unit_price, "unit_price"),
                _decimal(request.total_amount, "total_amount"),
            )
        )
        return message("po.CreateResponse")(po=_order(made))

    async def Send(self, request: Any) -> Any:  # noqa: N802 - as published
        """Send an order."""
        if not request.po_id:
            raise InvalidInput("is missing.", field="po_id")
        sent = await self._orders.send(request.po_id)
        return message("po.SendResponse")(success=True, message=f"{sent.po_id} is sent.", po=_order(sent))


def _order(order: PublishedOrder) -> Any:
    return message("po.PurchaseOrder")(
        po_id=order.po_id,
        product_id=order.product_id,
        supplier_id=order.supplier_id,
        qty=order.qty,
        unit_price=float(order.unit_price),
        total_amount=float(order.total_amount),
        status=order.status,
        created_at=order.created_at,
        sent_at=order.sent_at,
    )


def _product(request: Any) -> str:
    if not request.product_id:
        raise InvalidInput("is missing.", field="product_id")
    return str(request.product_id)


def _whole(number: Decimal, *, up: bool = False) -> int:
    found = int(number.to_integral_value(ROUND_CEILING if up else ROUND_FLOOR))
    if not -INT32_MOST <= found <= INT32_MOST:
        raise InvalidInput(f"{number} is more than this interface can say.", remedy="Ask over REST.")
    return found


def _decimal(number: float, field: str) -> Decimal:
    """Give the decimal that a double was written as; what is no number is refused by its name."""
    found = Decimal(repr(number))
    if not found.is_finite():
        raise InvalidInput(f"{number} is no number.", field=field)
    return found
