"""The suites of this port once more, over gRPC."""

from __future__ import annotations

import test_figures

from over_grpc import suite
from restock.analytics.service import AnalyticsService

globals().update(suite("analytics", AnalyticsService, test_figures))
