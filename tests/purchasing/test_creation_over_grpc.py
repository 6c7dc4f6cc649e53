"""The suite of this port once more, over gRPC."""

from __future__ import annotations

import test_creation

from over_grpc import suite
from restock.purchasing.service import PurchasingService

# Calls made at once arrive in any order over a wire: numbers are unique there too, but their callers are not in a row.
globals().update(
    suite(
        "purchasing",
        PurchasingService,
        test_creation,
        without=("test_numbers_are_unique_and_increase_also_over_the_turn_of_the_year",),
    )
)
