"""The suites of this port once more, over gRPC."""

from __future__ import annotations

import test_conversions

from over_grpc import suite
from restock.units.service import UnitsService

globals().update(suite("units", UnitsService, test_conversions))
