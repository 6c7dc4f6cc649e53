"""The suite of this port once more, over gRPC."""

from __future__ import annotations

import test_orders_demand

from over_grpc import suite
from restock.orders.service import OrdersService

globals().update(suite("orders", OrdersService, test_orders_demand))
