"""Run every benchmark: `python -m benchmarks`, or the named ones: `python -m benchmarks rules flow`.

`--stores mysql` behind the names lets those that know it (flow, rest) keep their databases on a server.
"""

from __future__ import annotations

import importlib
import subprocess
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
    "formats": "benchmarks.stream.formats",
    "analytics": "benchmarks.stream.analytics",
    "orders": "benchmarks.orders.accept",
    "orders-rest": "benchmarks.stream.orders",
    "inventory": "benchmarks.stream.inventory",
    "reaction": "benchmarks.stream.reaction",
    "flow": "benchmarks.flow.in_process",
    "rest": "benchmarks.rest.flows",
    "services": "benchmarks.services.flows",
    "doors": "benchmarks.services.doors",
    "observed": "benchmarks.rest.observed",
    "catalogue": "benchmarks.catalogue.plan",
    "comparison": "benchmarks.comparison",
}


def main() -> None:
    """Run the named benchmarks, or all: each in a process of its own, so that none pays for the memory of another."""
    end = sys.argv.index("--stores") if "--stores" in sys.argv else len(sys.argv)
    names, options = sys.argv[1:end] or list(BENCHMARKS), sys.argv[end:]
    if unknown := [name for name in names if name not in BENCHMARKS]:
        sys.exit(f"There is no benchmark {unknown[0]}. Known: {', '.join(BENCHMARKS)}.")
    if len(names) == 1:
        importlib.import_module(BENCHMARKS[names[0]]).main()
        return
    missed = []
    for name in names:
        if subprocess.run([sys.executable, "-m", "benchmarks", name, *options], check=False).returncode:
            missed.append(name)
        print(flush=True)
    if missed:
        sys.exit(f"missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
