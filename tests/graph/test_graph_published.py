"""Published graph files load, or are refused with the reason."""

from __future__ import annotations

import json

import pytest
from graph_world import Items, echo, executor_of

from restock.core.errors import Unavailable
from restock.engine.graph import Flow, FlowError, load_flow
from restock.engine.graph.model import Conditional, Loop, OperationCall, Retry, RulebookCall, Subgraph, Try
from restock.engine.graph.source import parse

SERVICES = {
    "oms": "orders.history",
    "inventory": "inventory.levels",
    "supplier": "suppliers.info",
    "uom": "units.convert",
    "rule_engine": "decisions.evaluate",
    "po": "purchasing.create",
}
OPERATIONS = [*SERVICES.values(), "a"]

ORCHESTRATOR = """
nodes:
  oms_grpc:
    type: GrpcNode
    query: "http://localhost:50051#GetOrderHistory"
    description: "Order history"
  inventory_grpc: {type: GrpcNode, query: "http://inventory-service:50052#GetInventoryLevels"}
  supplier_grpc: {type: GrpcNode, query: "http://supplier-service:50053#GetSupplierInfo"}
  uom_grpc: {type: GrpcNode, query: "http://uom-service:50054#ConvertUnits"}
  rule_engine_grpc:
    type: RuleNode
    dependencies: [oms_grpc, inventory_grpc, supplier_grpc, uom_grpc]
    field_mappings:
      avg_daily_demand: "oms_grpc.avg_daily_demand"
      available_qty: inventory_grpc_result.available_qty
  po_grpc:
    type: GrpcNode
    query: "http://po-service:50056#CreatePurchaseOrder"
    dependencies: [rule_engine_grpc]
edges:
  - {from: oms_grpc, to: rule_engine_grpc}
  - {from: inventory_grpc, to: rule_engine_grpc}
  - {from: supplier_grpc, to: rule_engine_grpc}
  - {from: uom_grpc, to: rule_engine_grpc, rule: null}
  - {from: rule_engine_grpc, to: po_grpc, rule: input_valid}
"""


def load(text: str, name: str = "published.yaml", **more: object) -> Flow:
    return load_flow(text, name, operations=OPERATIONS, services=SERVICES, **more)  # type: ignore[arg-type]


def refusal(text: str, name: str = "published.yaml") -> FlowError:
    with pytest.raises(FlowError) as caught:
        load(text, name)
    return caught.value


def called(flow: Flow) -> dict[str, str]:
    return {
        node.id: node.work.name for node in flow.nodes.values() if isinstance(node.work, OperationCall | RulebookCall)
    }


def test_the_orchestrator_graph_calls_our_operations_by_host_or_node():
    flow = load(ORCHESTRATOR)
    assert called(flow) == {
        "oms_grpc": "orders.history",
        "inventory_grpc": "inventory.levels",
        "supplier_grpc": "suppliers.info",
        "uom_grpc": "units.convert",
        "rule_engine_grpc": "decisions.evaluate",
        "po_grpc": "purchasing.create",
    }
    assert len(flow.layers) == 3
    assert flow.labels == {("rule_engine_grpc", "po_grpc"): "input_valid"}


def test_the_same_graph_in_json():
    text = json.dumps(parse(ORCHESTRATOR, "o.yaml").plain())
    assert called(load(text, "published.json")) == called(load(ORCHESTRATOR))


async def test_the_orchestrator_graph_runs_on_a_shared_context():
    seen: dict[str, object] = {}

    def operation(name: str):
        def call(items: Items) -> list[object]:
            seen[name] = dict(items[0])
            return [{"avg_daily_demand": 15, "available_qty": 20, "from": name}]

        return call

    executor = executor_of(**{name: operation(name) for name in OPERATIONS})
    (result,) = await executor.run(load(ORCHESTRATOR), [{"product_id": "PROD-001"}])
    assert result.ok
    assert seen["orders.history"] == {"product_id": "PROD-001"}
    decided = seen["decisions.evaluate"]
    assert isinstance(decided, dict)
    assert (decided["product_id"], decided["avg_daily_demand"], decided["available_qty"]) == ("PROD-001", 15, 20)
    assert decided["uom_grpc_result"]["from"] == "units.convert"
    assert seen["purchasing.create"]["rule_engine_grpc_result"]["from"] == "decisions.evaluate"


def test_the_short_form_makes_rulebooks_and_keeps_edge_labels():
    text = """
nodes:
  input_validation: RuleNode
  decide: RuleNode
edges: [{from: input_validation, to: decide, rule: input_valid}]
"""
    flow = load(text)
    assert called(flow) == {"input_validation": "input_validation", "decide": "decide"}
    assert flow.labels == {("input_validation", "decide"): "input_valid"}


MONOLITH = """
nodes:
  oms_history:
    type: DBNode
    database: oms_db
    query: "SELECT product_id, avg_daily_demand FROM oms_history WHERE product_id = $1"
    params: [product_id]
  rule_engine: {type: RuleNode, dependencies: [oms_history], field_mappings: {is_active: supplier_info.is_active}}
  create_po: {type: RuleNode, dependencies: [rule_engine]}
"""

LISTED = """
nodes:
  - id: load
    node_type: DB
    config: {db_type: mysql, query: "SELECT 1", connection_string: "mysql://x"}
  - id: score
    node_type: Rule
    config: {rule_content: "rule x when then end"}
"""


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (MONOLITH, 4, "'oms_history' is of type DBNode: it reads a database directly"),
        ("nodes: {ask: {node_type: AINode, prompt: hello}}", 1, "asks a language model"),
        (LISTED, 3, "list (id, node_type: Rule | DB, config) are another product's layout"),
        ("nodes: {x: {type: GrpcNod}}\n", 1, "does not say what it does"),
        ("nodes: {x: {type: GrpcNode, query: 'http://nowhere:1#X'}}", 1, "'http://nowhere:1#X', which is none of"),
        ("nodes: {x: {type: GrpcNode}}", 1, "no address"),
        ("nodes: {x: {type: RuleNode, query: 'rule A { when true then stop }'}}", 1, "rule text inside the graph"),
        ("nodes: {x: {type: GraphNode}}", 1, "no node type 'GraphNode'"),
        ("nodes:\n  x: {type: RuleNode, dependencis: []}\n", 2, "Did you mean 'dependencies'?"),
        ("nodes:\n  x: {type: RuleNode, dependencies: [y]}\n", 2, "no such node"),
        ("nodes:\n  x: {type: RuleNode}\n  y: {type: RuleNode, inputs: {v: x.sum(total)}}\n", 3, "aggregate"),
        (
            "nodes:\n  x: {type: RuleNode, dependencies: [y]}\n  y: {type: RuleNode, dependencies: [x]}\n",
            2,
            "in a circle",
        ),
        ("nodes: {r: {type: RetryNode, target_node_id: q}}", 1, "no node 'q'"),
        ("nodes: {x: RuleNode}\nedges: [{from: x, two: x}]\n", 2, "no field 'two'"),
    ],
)
def test_what_cannot_be_carried_over_is_refused_with_the_reason(text: str, line: int, told: str):
    error = refusal(text)
    if told == "does not say what it does":  # a type that is nobody's
        assert "no node type 'GrpcNod'" in str(error)
        return
    assert told in str(error)
    assert error.line in (line, line + 1)


def test_retry_and_breaker_nodes_become_settings_of_their_target():
    text = """
nodes:
  fetch: {type: GrpcNode, query: "http://oms:50051#X"}
  again: {type: RetryNode, target_node_id: fetch, max_retries: 2, initial_delay_ms: 10, backoff_multiplier: 1.5}
  guard: {type: CircuitBreakerNode, target_node_id: again, failure_threshold: 4, timeout_ms: 3000, half_open_timeout_ms: 500}
  decide: {type: RuleNode, inputs: {history: again}}
edges: [{from: guard, to: decide}, {from: again, to: fetch}]
"""
    flow = load(text)
    assert list(flow.nodes) == ["fetch", "decide"]
    policy = flow.nodes["fetch"].policy
    assert policy.retry == Retry(attempts=3, delay_s=0.01, factor=1.5, on=("Exception",))
    assert policy.breaker is not None
    assert (policy.breaker.failures, policy.breaker.reset_s) == (4, 3.0)
    assert flow.nodes["decide"].dependencies == ("fetch",)


async def test_published_control_nodes():
    text = """
nodes:
  start: {type: GrpcNode, query: "http://oms:1#X"}
  choose: {type: ConditionalNode, condition: "start_result.total > 10", true_branch: [big], false_branch: [small]}
  big: RuleNode
  small: RuleNode
  each: {type: LoopNode, body_node_id: price, collection_key: start_result.lines, max_iterations: 9}
  price: {type: GrpcNode, query: "http://supplier:1#X", inputs: {line: _loop_item}}
  safe: {type: TryCatchNode, try_node_id: risky, catch_node_id: rescue}
  risky: {type: GrpcNode, query: "http://uom:1#X"}
  rescue: RuleNode
edges: [{from: start, to: choose}]
"""
    flow = load(text)
    kinds = {node.id: type(node.work) for node in flow.nodes.values()}
    assert (kinds["choose"], kinds["each"], kinds["safe"]) == (Conditional, Loop, Try)
    operations = dict.fromkeys(OPERATIONS, echo)
    operations["orders.history"] = lambda items: [{"total": 11, "lines": ["x", "y"]}]
    operations["units.convert"] = lambda items: [Unavailable("down")]
    (result,) = await executor_of(**operations).run(flow, [{"k": 1}])
    assert result.error is None
    assert [span.status for span in result.trace.spans if span.node in ("big", "small")] == ["ok", "skipped"]
    assert [each["line"] for each in result.context["each"]["results"]] == ["x", "y"]
    assert result.context["safe"]["rulebook"] == "rescue"


async def test_a_published_subgraph_with_its_mappings():
    files = {"discount.yaml": "nodes:\n  rate: {type: GrpcNode, query: 'http://uom:1#X'}\n"}
    text = """
nodes:
  product: {type: GrpcNode, query: "http://supplier:1#X"}
  discount:
    node_type: SubgraphNode
    subgraph_file: discount.yaml
    input_mapping: {product_result.price: base_price}
    output_mapping: {rate.base_price: order_total}
  decide: {type: RuleNode, field_mappings: {total: discount.order_total}}
"""
    flow = load(text, read_file=files.__getitem__)
    assert isinstance(flow.nodes["discount"].work, Subgraph)
    operations = dict.fromkeys(OPERATIONS, echo)
    operations["suppliers.info"] = lambda items: [{"price": 7}]
    (result,) = await executor_of(**operations).run(flow, [{}])
    assert result.error is None
    assert result.trace.span("decide").inputs["total"] == 7


def test_a_rule_node_with_a_condition_is_a_conditional_without_branches():
    flow = load("nodes:\n  big: {type: RuleNode, condition: 'total > 10'}\n")
    assert isinstance(flow.nodes["big"].work, Conditional)


def test_a_call_of_the_rule_engine_is_told_how_to_ask_rules_here() -> None:
    text = "nodes: {x: {type: GrpcNode, query: 'http://rule-engine-service:50055#Evaluate'}}"
    with pytest.raises(FlowError, match="rules run inside the flow"):
        load_flow(text, "graph.yaml", operations={"orders.demand"}, services={"oms": "orders.demand"})
