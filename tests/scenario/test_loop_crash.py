"""A process may die at any place of the loop; started again, it ends where it would have ended without that.

`WRITES` names every durable write of the loop: between any two of them stands a failpoint, and the loop is killed there.
A write that is new fails a test here until it stands in the list.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from nursery import CHILD, Nursery
from scenario_world import all_orders, business_state, check_supply, copy_home, life, run_loop

import restock
from restock.core.failpoint import KILLED
from restock.replenishment.port import ProposalsRequest, PurchaseRequest

SOURCE = Path(restock.__file__).parent

WRITES = {
    "analytics.consume.analytics": "often",
    "decisions.consume.replenishment": "often",
    "decisions.decide": "often",
    "decisions.plan.finish": "often",
    "decisions.plan.part": "often",
    "decisions.plan.start": "often",
    "decisions.purchase.mark": "once",
    "decisions.rulebook_version": "once",
    "decisions.trace": "often",
    "dispatch.file": "often",
    "inventory.consume.inventory.orders": "often",
    "inventory.consume.inventory.receipts": "once",
    "inventory.put_items": "once",
    "inventory.put_stock": "once",
    "inventory.relay.delete": "often",
    "oms.place_orders": "often",
    "oms.put_demand": "once",
    "oms.relay.delete": "often",
    "po.change.GoodsReceived": "once",
    "po.change.PurchaseOrderApproved": "once",
    "po.create": "often",
    "po.dispatch.done": "often",
    "po.relay.delete": "often",
    "stream.create_topic": "often",
    "stream.event_schemas": "once",
    "stream.members": "often",
    "stream.offsets": "often",
    "stream.publish": "often",
    "supplier.put_terms": "once",
    "uom.put_conversions": "once",
}
"""Every durable write of the loop; those that happen often are killed at their first, a middle and their last time."""

OUTSIDE_THE_LOOP = {
    "change.PurchaseOrderRejected": "a move of one order, the same code as an approval",
    "change.PurchaseOrderCancelled": "a move of one order, the same code as an approval",
    "change.PurchaseOrderSent": "a move of one order, the same code as an approval",
    "change.PurchaseOrderAcknowledged": "a move of one order, the same code as an approval",
    "change.PurchaseOrderClosed": "a move of one order, the same code as an approval",
    "recompute_demand": "demand from history: one transaction per batch, the same again changes nothing",
    "add_history": "an import: killed in tests/files and tests/orders",
    "forget_figures": "one transaction: the same again forgets the same",
    "finish_import": "an import: killed in tests/files and tests/orders",
    "keep_reply": "REST's memory of replies: tests/rest",
    "register_schema": "a schema and its place in one transaction; the same again gives the same number",
    "delete_schema": "one transaction, asked for by a person; the same again finds nothing",
    "schema_mode": "one row, asked for by a person; the same again changes nothing",
    "reset": "a group is moved by hand: one transaction, and the same again changes nothing",
    "forget": "a group is forgotten by hand: one transaction, and the same again changes nothing",
    "init_producer": "producers of other programs: killed in tests/stream/test_producers.py",
    "produce": "producers of other programs: killed in tests/stream/test_producers.py",
    "begin_transaction": "producers of other programs: killed in tests/stream/test_producers.py",
    "end_transaction": "producers of other programs: killed in tests/stream/test_producers.py",
    "retain": "what a topic keeps, set by hand: one row, and the same again changes nothing",
    "expire": "old records are forgotten by themselves: killed in tests/stream/test_crash.py",
    "trim": "old records are forgotten: one transaction, and the same again changes nothing",
    "rulebook_move": "a move of a rulebook's version: one transaction, killed in tests/decisions/test_life_crash.py",
}

SUSPECTS = [
    "po.create.before:first",
    "po.create.after:first",
    "po.create.after:last",
    "po.change.GoodsReceived.after:first",
    "po.relay.delete.before:middle",
    "stream.publish.after:middle",
    "stream.offsets.before:middle",
    "inventory.consume.inventory.orders.after:first",
    "inventory.consume.inventory.receipts.after:first",
    "decisions.purchase.mark.before:first",
    "decisions.plan.part.after:first",
    "dispatch.file.before:first",
    "dispatch.file.after:middle",
    "po.dispatch.done.before:last",
    "analytics.consume.analytics.after:middle",
    "oms.place_orders.after:last",
]
"""The places where a loop built otherwise would lose or double something: these run every time."""

PLACES = [
    f"{write}.{side}:{time}"
    for write, often in WRITES.items()
    for side in ("before", "after")
    for time in (("first", "middle", "last") if often == "often" else ("first",))
]

SHARDS = 8
"""Parts of the statement test, so that processes can share it."""

Passings = Counter[str]


@pytest.fixture(scope="session")
def passings(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Passings:
    """Every failpoint that an undisturbed life passes, as a program started by a person logs it."""
    folder = tmp_path_factory.mktemp("passings")
    log = folder / "log"
    subprocess.run(
        [sys.executable, str(CHILD), str(copy_home(template, folder / "home")), "1"],
        env={**os.environ, "RESTOCK_FAILPOINT_LOG": str(log)},
        check=True,
        timeout=60,
    )
    return Counter(log.read_text().split())


def at(place: str, passings: Passings) -> str:
    """Give the failpoint and the number of its passing."""
    name, _, time = place.partition(":")
    return f"{name}:{ {'first': 1, 'middle': (passings[name] + 1) // 2, 'last': passings[name]}[time] }".replace(
        " ", ""
    )


async def lives_again(nursery: Nursery, home: Path, failpoint: str, undisturbed: dict[str, object]) -> None:
    """Kill a life at the failpoint, live again, compare."""
    assert nursery.run(work="loop", home=str(home), seed="1", failpoint=failpoint) == KILLED, f"{failpoint} is passed"
    async with life(home, seed=2) as app:
        await run_loop(app)
        assert await business_state(app) == undisturbed, failpoint
        await check_supply(app)


def test_every_durable_write_of_the_loop_is_in_the_list(passings: Passings) -> None:
    passed = {name for name in passings if not name.endswith(".statement")}
    assert passed == {f"{write}.{side}" for write in WRITES for side in ("before", "after")}
    for write, often in WRITES.items():
        assert passings[f"{write}.before"] == passings[f"{write}.after"]
        assert (passings[f"{write}.before"] > 1) == (often == "often"), write


def test_the_suspects_are_places_of_the_list() -> None:
    assert set(SUSPECTS) <= set(PLACES)


async def test_a_life_that_ends_well_may_be_lived_again(fresh: Path, undisturbed: dict[str, object]) -> None:
    for seed in (1, 2, 3):
        async with life(fresh, seed) as app:
            await run_loop(app)
            assert await business_state(app) == undisturbed
            await check_supply(app)


def test_a_program_started_by_a_person_dies_as_the_environment_says(fresh: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(CHILD), str(fresh), "1"],
        env={**os.environ, "RESTOCK_FAILPOINT": "po.create.after:2"},
        check=False,
        timeout=60,
    )
    assert done.returncode == KILLED


@pytest.mark.parametrize("place", SUSPECTS)
async def test_a_kill_where_it_hurts(
    place: str, nursery: Nursery, fresh: Path, passings: Passings, undisturbed: dict[str, object]
) -> None:
    await lives_again(nursery, fresh, at(place, passings), undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("place", [place for place in PLACES if place not in SUSPECTS])
async def test_a_kill_between_any_two_durable_writes(
    place: str, nursery: Nursery, fresh: Path, passings: Passings, undisturbed: dict[str, object]
) -> None:
    await lives_again(nursery, fresh, at(place, passings), undisturbed)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("shard", range(SHARDS))
async def test_a_kill_between_any_two_statements(
    shard: int, nursery: Nursery, template: Path, home: Path, passings: Passings, undisturbed: dict[str, object]
) -> None:
    for number, failpoint in enumerate(statements(passings)):
        if number % SHARDS == shard:
            await lives_again(nursery, copy_home(template, home / str(number)), failpoint, undisturbed)


@pytest.mark.parametrize("part", [0.1, 0.3, 0.5, 0.7, 0.9])
async def test_a_kill_between_two_statements_of_a_purchase_order(
    part: float, nursery: Nursery, fresh: Path, passings: Passings, undisturbed: dict[str, object]
) -> None:
    where = round(passings["po.statement"] * part)
    await lives_again(nursery, fresh, f"po.statement:{where}", undisturbed)


@pytest.mark.parametrize("database", ["stream", "inventory", "decisions", "analytics", "oms"])
async def test_a_kill_between_two_statements_of_a_neighbour(
    database: str, nursery: Nursery, fresh: Path, passings: Passings, undisturbed: dict[str, object]
) -> None:
    where = (passings[f"{database}.statement"] + 1) // 2
    await lives_again(nursery, fresh, f"{database}.statement:{where}", undisturbed)


def statements(passings: Passings) -> list[str]:
    """Give every place between two statements."""
    names = sorted(name for name in passings if name.endswith(".statement"))
    assert "po.statement" in names
    return [f"{name}:{number}" for name in names for number in range(1, passings[name] + 1)]


async def test_crash_after_crash(
    nursery: Nursery, fresh: Path, passings: Passings, undisturbed: dict[str, object]
) -> None:
    """A machine that reboots again and again gets there all the same."""
    for seed, place in enumerate(SUSPECTS[:8], 10):
        name = place.partition(":")[0]
        assert nursery.run(work="loop", home=str(fresh), seed=str(seed), failpoint=name) in {KILLED, 0}
    async with life(fresh, seed=99) as app:
        await run_loop(app)
        assert await business_state(app) == undisturbed


async def test_a_purchase_that_died_before_it_marked_its_proposals_finds_its_orders_again(
    nursery: Nursery, fresh: Path
) -> None:
    assert nursery.run(work="loop", home=str(fresh), seed="1", failpoint="decisions.purchase.mark.before") == KILLED
    async with life(fresh, seed=2) as app:
        await app.settle()
        before = [one.po_id for one in await all_orders(app)]
        again = await app.replenishment.purchase(PurchaseRequest())
        assert (len(again.orders) > 2, again.refused) == (True, [])
        proposals = await app.replenishment.proposals(ProposalsRequest())
        assert {one.state for one in proposals} == {"ordered"}
        assert {one.po_id for one in proposals} == {one.po_id for one in again.orders} <= set(before)
        assert [one.po_id for one in await all_orders(app)] == before


# What the source says: each durable write goes through a failpoint.


def calls() -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef, ast.Call]]:
    """Give every call in a function of the source, with the innermost function it stands in."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        if "migrations" in path.parts:
            continue
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                found += [
                    (str(path.relative_to(SOURCE)), function, node)
                    for statement in function.body
                    for node in ast.walk(statement)
                    if isinstance(node, ast.Call)
                ]
    return found


def test_every_write_of_a_database_in_the_source_is_known() -> None:
    names: set[str] = set()
    for path, _, call in calls():
        if path.startswith("engine/rules/"):
            continue  # rules have no database; `write` there writes code
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"write", "_insert"} and len(call.args) == 2:
            names |= named(call.args[0])
    loop = {write.partition(".")[2] for write in WRITES}
    assert names <= loop | set(OUTSIDE_THE_LOOP), "a new durable write: kill the loop there, or say why it needs none"
    missing = loop - names - {"file", "change.GoodsReceived", "change.PurchaseOrderApproved"}
    assert not {write for write in missing if not write.startswith("consume.")}, "it is in the list and nowhere else"


def named(node: ast.expr) -> set[str]:
    """Give the names that a write's first argument may be; none for what is no name of a durable write."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.IfExp):
        return named(node.body) | named(node.orelse)
    return set()  # a name made of a group or an event: the log of a life knows them; a statement: it is inside a unit


def test_only_the_adapter_commits_and_it_passes_failpoints_before_and_after() -> None:
    committing = {
        (path, function.name)
        for path, function, call in calls()
        if any(isinstance(one, ast.Constant) and one.value == "COMMIT" for one in call.args)
    }
    assert committing == {
        ("adapters/database/committer.py", "_run"),
        ("adapters/database/embedded.py", "migrate"),  # one transaction: a crash leaves it to the next start
    }
    text = (SOURCE / "adapters/database/sqlite.py").read_text()
    before, commit, after = (text.index(word) for word in ('group, "before"', "_committer.commit(", 'group, "after"'))
    assert before < commit < after


NO_FAILPOINT = {
    (
        "adapters/certificates.py",
        "_write",
    ): "each file whole or absent; what does not fit is made again by the next call",
    ("core/failpoint.py", "failpoint"): "the log of failpoints itself",
    (
        "adapters/database/embedded.py",
        "_list_stores",
    ): "a list of stores that are there already: written at the next start",
    ("adapters/database/embedded.py", "restore"): "cut between any two steps in tests/database/test_restore.py",
    ("adapters/database/embedded.py", "finish_restore"): "cut between any two steps in tests/database/test_restore.py",
    ("edge/files/decided.py", "decide_file"): "decisions somebody asked for: whole or absent, and asked for again",
    ("edge/files/written.py", "_whole"): "an export somebody asked for: whole or absent, and asked for again",
    ("edge/files/written.py", "_parquet"): "an export somebody asked for: whole or absent, and asked for again",
    ("edge/files/pid_file.py", "held"): "who serves: a lock says whether it is true, and the kernel drops that",
    ("edge/files/pid_file.py", "start"): "what a server says while it lives",
    ("edge/files/rejects.py", "__enter__"): "the part of a file that `__exit__` puts in its place, with failpoints",
}


def test_every_file_write_in_the_source_passes_a_failpoint() -> None:
    without = set()
    for path, function, call in calls():
        if not path.startswith("engine/rules/") and writes_a_file(call) and "failpoint(" not in ast.unparse(function):
            without.add((path, function.name))
    assert without <= set(NO_FAILPOINT), "a new file write: pass a failpoint before and after it, or say why not"


def writes_a_file(call: ast.Call) -> bool:
    if ".lock" in ast.unparse(call):
        return False  # a lock holds no content
    last = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if last in {"write_bytes", "write_text", "rename"}:
        return True
    if last == "replace":  # of a path: one argument and no text; of a text: two
        return len(call.args) == 1 and not call.keywords
    modes = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return last == "open" and any(re.fullmatch(r"[rbt]*[wax+][bt+]*", mode) for mode in modes)
