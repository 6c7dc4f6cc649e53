"""The suite of this port once more, over gRPC."""

from __future__ import annotations

import test_life

from over_grpc import suite
from restock.decisions.service import DecisionsService

globals().update(suite("decisions", DecisionsService, test_life))
