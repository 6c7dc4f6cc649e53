"""The suite of this port once more, over gRPC."""

from __future__ import annotations

import test_orders_place

from over_grpc import suite
from restock.orders.service import OrdersService

# Half a surrogate is no text on a wire: the call is refused whole, and REST takes none in.
globals().update(
    suite("orders", OrdersService, test_orders_place, without=("test_a_bad_order_is_named_and_stops_no_other",))
)
