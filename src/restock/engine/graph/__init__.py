"""The graph engine: flows in YAML or JSON, walked by cohorts of runs, each leaving a trace.

`load_flow` reads a file, `Executor` walks it, `CohortRunner` is the door for many callers. The engine knows nothing about
purchasing: the host registers plural operations by name.
"""

from restock.engine.graph.cohort import QUEUE_LIMIT, CohortRunner, QueueFull
from restock.engine.graph.draw import flow_mermaid, flow_text, trace_mermaid, trace_text
from restock.engine.graph.dry import DryStep, dry_run
from restock.engine.graph.execute import Executor
from restock.engine.graph.load import load_flow
from restock.engine.graph.model import COHORT_LIMIT, Flow, FlowError, Node
from restock.engine.graph.picture import flow_svg, trace_svg
from restock.engine.graph.plan import Rulebook
from restock.engine.graph.policy import Call
from restock.engine.graph.run import Dropped, RunResult, WrongAnswer
from restock.engine.graph.span import NodeSpan, RunTrace
from restock.engine.graph.trace import NodeProfile, profile

__all__ = [
    "COHORT_LIMIT",
    "QUEUE_LIMIT",
    "Call",
    "CohortRunner",
    "Dropped",
    "DryStep",
    "Executor",
    "Flow",
    "FlowError",
    "Node",
    "NodeProfile",
    "NodeSpan",
    "QueueFull",
    "Rulebook",
    "RunResult",
    "RunTrace",
    "WrongAnswer",
    "dry_run",
    "flow_mermaid",
    "flow_svg",
    "flow_text",
    "load_flow",
    "profile",
    "trace_mermaid",
    "trace_svg",
    "trace_text",
]
