"""The suites of this port once more, over gRPC."""

from __future__ import annotations

import test_inventory

from over_grpc import suite
from restock.inventory.service import InventoryService

globals().update(suite("inventory", InventoryService, test_inventory))
