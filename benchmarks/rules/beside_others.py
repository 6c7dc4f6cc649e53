"""Other rule engines on the fifteen published rules, written as each of them wants it; each is left out where it is absent.

clipspy: reactive objects over scaled whole numbers, because with fact templates CalculateShortage and ValidateSupplierActive
wake one another for ever. zen-engine: the writes of a field merged into one compiled expression each, numbers as floats.
json-rules-engine: a rule for a rule, by priority, values handed on as run-time facts.
"""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

Products = Sequence[Mapping[str, Any]]

CENT, TOTAL, FINAL, TAX = 2, 4, 5, 7
"""Decimals of quantities and prices, of a total, of what 0.1 of it needs, of what 0.08 of that needs."""

SCALES: Final = {
    "shortage": CENT, "order_qty": CENT, "total_amount": TOTAL, "discount_amount": FINAL, "final_amount": FINAL,
    "tax_amount": TAX, "grand_total": TAX,
}  # fmt: skip


FLAGS: Final = ("need_reorder", "requires_approval", "should_create_po", "should_send_po")


class Other(NamedTuple):
    """What another engine made of the rows; `why` says why there is nothing."""

    microseconds: float
    made: list[dict[str, Any]]
    why: str = ""


def all_of(products: Products) -> Iterator[tuple[str, Other]]:
    """Measure each engine that is here."""
    for name, module, work in (
        ("clipspy, objects, scaled", "clips", by_clips),
        ("zen-engine, expressions", "zen", by_zen),
    ):
        try:
            importlib.import_module(module)
        except ImportError:
            yield name, Other(0, [], "not installed")
        else:
            yield name, work(products)
    yield "json-rules-engine (node)", by_node(products)


def _timed(decide: Callable[[Any], dict[str, Any]], given: Sequence[Any]) -> Other:
    for one in given[:100]:
        decide(one)
    start = time.process_time()
    made = [decide(one) for one in given]
    return Other((time.process_time() - start) / len(given) * 1e6, made)


ZEN: Final = {
    "required_qty": "avg_daily_demand * lead_time_days",
    "shortage": "is_active and required_qty > 0 ? required_qty - available_qty : 0",
    "order_qty": "not is_active ? 0 : shortage > 0 and shortage < moq ? moq : shortage >= moq ? shortage : 0",
    "total_amount": "order_qty > 0 and unit_price > 0 ? order_qty * unit_price : 0",
    "need_reorder": "shortage > 0",
    "requires_approval": "total_amount > 10000",
    "approval_status": "total_amount > 10000 ? 'pending' : total_amount > 0 ? 'auto_approved' : ''",
    "discount_amount": "total_amount >= 50000 ? total_amount * 0.1 : 0",
    "final_amount": "total_amount >= 50000 ? total_amount - discount_amount : total_amount > 0 ? total_amount : 0",
    "tax_amount": "final_amount > 0 ? final_amount * 0.08 : 0",
    "grand_total": "final_amount > 0 ? final_amount + tax_amount : 0",
    "should_create_po": "need_reorder and approval_status != '' and order_qty > 0",
    "po_status": "not should_create_po ? '' : approval_status == 'pending' ? 'pending_approval' : 'approved'",
    "should_send_po": "need_reorder and approval_status == 'auto_approved'",
    "send_method": "should_send_po ? 'email' : ''",
}


def by_zen(products: Products) -> Other:
    """Measure zen-engine."""
    zen: Any = importlib.import_module("zen")
    compiled = [(name, zen.compile_expression(text)) for name, text in ZEN.items()]

    def decide(facts: dict[str, Any]) -> dict[str, Any]:
        values = dict(facts)
        for name, expression in compiled:
            values[name] = expression.evaluate(values)
        return values

    return _timed(decide, [_floats(one) for one in products])


def _floats(one: Mapping[str, Any]) -> dict[str, Any]:
    return {name: float(value) if isinstance(value, Decimal) else value for name, value in one.items()}


CLIPS_CLASS: Final = """(defclass P (is-a USER) (role concrete) (pattern-match reactive)
(slot required) (slot available) (slot active) (slot moq) (slot price) (slot shortage (default 0))
(slot order_qty (default 0)) (slot total_amount (default 0)) (slot need_reorder (default FALSE))
(slot requires_approval (default FALSE)) (slot approval_status (default "")) (slot discount_amount (default 0))
(slot final_amount (default 0)) (slot tax_amount (default 0)) (slot grand_total (default 0))
(slot should_create_po (default FALSE)) (slot po_status (default "")) (slot should_send_po (default FALSE))
(slot send_method (default "")))"""

CLIPS_RULES: Final = (
    (120, "(required ?r&:(> ?r 0))", "(send ?p put-shortage (- ?r (send ?p get-available)))"),
    (115, "(active FALSE)", "(send ?p put-order_qty 0) (send ?p put-shortage 0) (send ?p put-need_reorder FALSE)"),
    (110, "(shortage ?s&:(> ?s 0)) (moq ?m&:(< ?s ?m)) (active TRUE)", "(send ?p put-order_qty ?m)"),
    (110, "(shortage ?s) (moq ?m&:(>= ?s ?m)) (active TRUE)", "(send ?p put-order_qty ?s)"),
    (105, "(order_qty ?q&:(> ?q 0)) (price ?c&:(> ?c 0))", "(send ?p put-total_amount (* ?q ?c))"),
    (100, "(shortage ?s&:(> ?s 0))", "(send ?p put-need_reorder TRUE)"),
    (100, "(shortage ?s&:(<= ?s 0))", "(send ?p put-need_reorder FALSE)"),
    (95, "(total_amount ?t&:(> ?t 100000000))",
     '(send ?p put-requires_approval TRUE) (send ?p put-approval_status "pending")'),
    (90, "(total_amount ?t&:(> ?t 0)&:(<= ?t 100000000))",
     '(send ?p put-requires_approval FALSE) (send ?p put-approval_status "auto_approved")'),
    (85, "(total_amount ?t&:(>= ?t 500000000))",
     "(send ?p put-discount_amount ?t) (send ?p put-final_amount (* ?t 9))"),
    (85, "(total_amount ?t&:(> ?t 0)&:(< ?t 500000000))", "(send ?p put-final_amount (* ?t 10))"),
    (80, "(final_amount ?f&:(> ?f 0))", "(send ?p put-tax_amount (* ?f 8)) (send ?p put-grand_total (* ?f 108))"),
    (75, '(need_reorder TRUE) (approval_status "auto_approved") (order_qty ?q&:(> ?q 0))',
     '(send ?p put-should_create_po TRUE) (send ?p put-po_status "approved")'),
    (75, '(need_reorder TRUE) (approval_status "pending") (order_qty ?q&:(> ?q 0))',
     '(send ?p put-should_create_po TRUE) (send ?p put-po_status "pending_approval")'),
    (70, '(need_reorder TRUE) (approval_status "auto_approved")',
     '(send ?p put-should_send_po TRUE) (send ?p put-send_method "email")'),
)  # fmt: skip
"""Salience, tests of slots, actions; 0.1 and 0.9 of a total of four decimals are whole numbers of five."""


def by_clips(products: Products) -> Other:
    """Measure CLIPS through clipspy, an object made, decided, read and taken away for each row."""
    clips: Any = importlib.import_module("clips")
    environment = clips.Environment()
    environment.build(CLIPS_CLASS)
    for at, (salience, tests, actions) in enumerate(CLIPS_RULES):
        environment.build(
            f"(defrule R{at} (declare (salience {salience})) ?p <- (object (is-a P) {tests}) => {actions})"
        )
    kind = environment.find_class("P")

    def decide(slots: dict[str, Any]) -> dict[str, Any]:
        made = kind.make_instance("p", **slots)
        environment.run(1000)
        values = dict(made)
        made.unmake()
        return values

    return _from_whole_numbers(_timed(decide, [_slots(one) for one in products]))


def _slots(one: Mapping[str, Any]) -> dict[str, Any]:
    required = one["avg_daily_demand"] * one["lead_time_days"]
    return {
        "required": int(required.scaleb(CENT)),
        "available": int(one["available_qty"].scaleb(CENT)),
        "active": one["is_active"],
        "moq": one["moq"] * 10**CENT,
        "price": int(one["unit_price"].scaleb(CENT)),
    }


def _from_whole_numbers(found: Other) -> Other:
    for values in found.made:
        for name, decimals in SCALES.items():
            values[name] = Decimal(values[name]).scaleb(-decimals)
        for name in FLAGS:
            values[name] = values[name] == "TRUE"
    return found


def by_node(products: Products) -> Other:
    """Measure json-rules-engine in a process of node, which tells its own processor time."""
    node = shutil.which("node")
    if node is None:
        return Other(0, [], "node is not installed")
    script = Path(__file__).with_name("beside_json_rules.js")
    given = json.dumps([_floats(one) for one in products])
    done = subprocess.run([node, str(script)], input=given, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        missing = "Cannot find module" in done.stderr
        return Other(0, [], "node does not find the package" if missing else done.stderr.strip()[-200:])
    answer = json.loads(done.stdout)
    return Other(answer["microseconds"], answer["made"])
