"""The suites of this port once more, over gRPC."""

from __future__ import annotations

import test_terms

from over_grpc import suite
from restock.suppliers.service import SuppliersService

globals().update(suite("suppliers", SuppliersService, test_terms))
