"""The suite of this port once more, over gRPC."""

from __future__ import annotations

import test_order_life

from over_grpc import suite
from restock.purchasing.service import PurchasingService

globals().update(suite("purchasing", PurchasingService, test_order_life, without=("TestOrderLife",)))
