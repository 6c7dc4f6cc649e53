"""Run every benchmark: `python -m benchmarks`, or the named ones: `python -m benchmarks rules flow`."""

from __future__ import annotations

import importlib
import sys

BENCHMARKS = {
    "rules": "benchmarks.rules.row",
    "beside": "benchmarks.rules.beside",
    "columns": "benchmarks.rules.columns",
    "proofs": "benchmarks.rules.proofs",
    "rules-sql": "benchmarks.rules.sql",
    "network": "benchmarks.rules.network",
    "graph": "benchmarks.graph.overhead",
    "stream": "benchmarks.stream.log",
    "orders": "benchmarks.orders.accept",
    "flow": "benchmarks.flow.in_process",
    "rest": "benchmarks.rest.flows",
    "catalogue": "benchmarks.catalogue.plan",
    "comparison": "benchmarks.comparison",
}


def main() -> None:
    """Run the named benchmarks, or all."""
    for name in sys.argv[1:] or BENCHMARKS:
        importlib.import_module(BENCHMARKS[name]).main()
        print()


if __name__ == "__main__":
    main()
