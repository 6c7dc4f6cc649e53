"""The stream in the terminal: topics, groups, lag, tail, trace, and a group that reads again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_world import Answer, Restock, program, serving

ORDER = '[{"customer_id": "cust-alice", "items": [{"sku": "PROD-001", "quantity": 3, "price": "29.99"}]}]'


@pytest.fixture
def sold(company: Restock) -> Restock:
    """The demo company after one customer order, carried to its last effect."""
    result = company("orders", "place", "--orders", ORDER)
    assert result.exit_code == 0, result.output
    return company


def lines(output: str) -> list[Any]:
    return [json.loads(line) for line in output.splitlines()]


def test_topics_say_what_is_in_them(sold: Restock, answer: Answer) -> None:
    found = {one["topic"]: one for one in answer("topics")}
    assert {name: one["partitions"] for name, one in found.items()} == {
        "orders": 6,
        "inventory-updates": 4,
        "purchase-orders": 4,
    }
    assert found["orders"]["records"] == 1
    assert found["orders"]["bytes"] > 100
    assert found["orders"]["last_at"] > found["orders"]["created_at"]
    assert sum(one["high"] - one["low"] for one in found["orders"]["watermarks"]) == 1
    shown = sold("topics").stdout
    assert "inventory-updates" in shown and "offsets by partition" in shown


def test_groups_say_who_reads_and_how_far(sold: Restock, answer: Answer) -> None:
    names = [one["group"] for one in answer("groups")]
    assert names == ["analytics", "inventory.orders", "inventory.receipts", "replenishment"]
    one = answer("groups", "inventory.orders")
    assert (one["lag"], one["seconds"], one["members"]) == (0, 0, [])
    assert {each["committed"] for each in one["partitions"]} == {None, 1} or len(one["partitions"]) == 6
    assert "No member lives" in sold("groups", "inventory.orders").stdout
    result = sold("groups", "inventory.order")
    assert result.exit_code == 4
    assert "Did you mean 'inventory.orders'?" in result.stderr


def test_lag_is_told_in_records_and_seconds(sold: Restock, answer: Answer) -> None:
    assert answer("replay", "inventory.orders", "--to", "earliest")["moves"]
    found = {one["group"]: one for one in answer("lag")["groups"]}
    assert found["inventory.orders"]["lag"] == 1
    assert found["inventory.orders"]["seconds"] > 0
    assert found["analytics"]["lag"] == 0
    assert {one["database"]: one["events"] for one in answer("lag")["outboxes"]} == {"oms": 0, "inventory": 0, "po": 0}
    assert "group inventory.orders" in sold("lag").stdout


def test_tail_filters_by_key_time_and_path(sold: Restock) -> None:
    result = sold("tail", "orders", "--json")
    assert result.exit_code == 0, result.output
    (order,) = lines(result.stdout)
    assert (order["type"], order["key"]) == ("OrderPlaced", "cust-alice")
    assert sold("tail", "orders", "--key", "nobody").stdout == ""
    assert len(sold("tail", "orders", "--key", "cust-alice").stdout.splitlines()) == 1
    assert sold("tail", "orders", "--from", "latest").stdout == ""
    assert sold("tail", "orders", "--from", order["stored_at"]).stdout != ""
    assert sold("tail", "orders", "--from", "2999-01-01").stdout == ""
    for path, matches in {
        ".data.items[].sku=PROD-001": 1,
        ".data.items[0].quantity=3.0": 1,
        ".data.items[1]": 0,
        ".type!=OrderPlaced": 0,
    }.items():
        assert len(sold("tail", "orders", "--json-path", path).stdout.splitlines()) == matches, path
    last = lines(sold("tail", "inventory-updates", "--from", "-1", "--json").stdout)
    every = lines(sold("tail", "inventory-updates", "--from", "earliest", "--limit", "1000", "--json").stdout)
    assert last == every[-1:]
    assert [one["stored_at"] for one in every] == sorted(one["stored_at"] for one in every)
    two = sold("tail", "inventory-updates", "--from", "earliest", "--limit", "2", "--json").stdout
    assert lines(two) == every[:2]


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("tail", "ordres"), 4, "There is no topic ordres"),
        (("tail", "orders", "--from", "soon"), 2, "no place to begin"),
        (("tail", "orders", "--json-path", "sku"), 2, "no path"),
        (("replay", "nobody", "--to", "earliest"), 4, "There is no group nobody"),
        (("replay", "analytics", "--to", "-3"), 2, "not moved by a number of records"),
        (("replay", "--to", "earliest"), 2, "Name it"),
        (("replay", "analytics", "--dry-run"), 2, "Give --to as well"),
        (("trace", "nothing"), 4, "No record of event nothing"),
    ],
)
def test_what_is_wrong_is_said(sold: Restock, arguments: tuple[str, ...], status: int, told: str) -> None:
    result = sold(*arguments)
    assert result.exit_code == status, result.output
    assert told in result.stderr


def test_a_trace_leads_from_the_order_to_what_followed(sold: Restock, answer: Answer) -> None:
    (order,) = lines(sold("tail", "orders", "--json").stdout)
    found = answer("trace", order["event_id"])
    assert found["complete"]
    steps = [(one["depth"], one["topic"], one["type"]) for one in found["steps"]]
    assert steps[0] == (0, "orders", "OrderPlaced")
    assert steps[1] == (1, "inventory-updates", "StockReserved")
    assert (2, "purchase-orders", "PurchaseOrderCreated") in steps
    shown = sold("trace", order["event_id"]).stdout.splitlines()
    assert shown[1].startswith("└─ StockReserved PROD-001")
    assert shown[2].startswith("   ├─ PurchaseOrderCreated")


def test_a_dry_replay_moves_nothing_and_a_real_one_has_every_effect_once(sold: Restock, answer: Answer) -> None:
    before = answer("inventory", "positions", "--products", "PROD-001")
    dry = answer("replay", "inventory.orders", "--to", "0", "--dry-run")
    assert sum(one["again"] for one in dry["moves"]) == 1
    assert answer("groups", "inventory.orders")["lag"] == 0
    result = sold("replay", "inventory.orders", "--to", "earliest")
    assert "reads 1 record again" in result.stdout
    assert answer("groups", "inventory.orders")["lag"] == 1
    assert sold("orders", "place", "--orders", ORDER.replace("PROD-001", "PROD-002")).exit_code == 0  # carries on
    assert answer("groups", "inventory.orders")["lag"] == 0
    assert answer("inventory", "positions", "--products", "PROD-001") == before


@pytest.mark.usefixtures("sold")
def test_a_group_whose_members_live_is_not_moved(home: Path) -> None:
    with serving(home):
        refused = program("replay", "inventory.orders", "--to", "earliest")
        while refused.returncode == 0:  # until the server's members have joined
            refused = program("replay", "inventory.orders", "--to", "earliest")
        assert refused.returncode == 5
        assert "living members" in refused.stderr and "Ctrl-C" in refused.stderr
        members = json.loads(program("groups", "inventory.orders", "--json").stdout)["members"]
        assert len(members) == 1
        assert "orders/0" in members[0]["owns"]
        dry = program("replay", "inventory.orders", "--to", "earliest", "--dry-run")
        assert dry.returncode == 0
        assert "Nothing moves while these members live" in dry.stderr


@pytest.mark.usefixtures("sold")
def test_tail_follows_what_another_process_writes() -> None:
    command = [sys.executable, "-m", "restock", "tail", "orders", "--follow", "--limit", "2", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        first = following.stdout.readline()
        placed = program("orders", "place", "--orders", ORDER.replace("alice", "bob"))
        assert placed.returncode == 0, placed.stderr
        rest = following.communicate(timeout=30)[0]
    assert [one["key"] for one in lines(first + rest)] == ["cust-alice", "cust-bob"]
    assert following.returncode == 0


def test_a_topic_is_told_what_to_keep_and_says_what_it_keeps_beyond(sold: Restock, answer: Answer) -> None:
    (before,) = [one for one in answer("topics") if one["topic"] == "orders"]
    assert (before["retention_ms"], before["retention_bytes"], before["keep_unread"]) == (-1, -1, True)
    assert before["first_at"] == before["last_at"] != ""
    result = sold(
        "streams", "retain", "--topic", "orders", "--retention-ms", "604800000", "--retention-bytes", "1000000"
    )
    assert result.exit_code == 0, result.output
    assert sold("replay", "inventory.orders", "--to", "earliest").exit_code == 0
    (after,) = [one for one in answer("topics") if one["topic"] == "orders"]
    assert (after["retention_ms"], after["retention_bytes"], after["keep_unread"]) == (604_800_000, 1_000_000, True)
    assert after["unread_by"] == ["inventory.orders"]
    shown = sold("topics")
    assert "7.0 d, 1,000,000 B a partition" in shown.stdout
    assert "orders also keeps what these have still to read: inventory.orders." in shown.stderr
    assert sold("streams", "retain", "--topic", "orders", "--keep-unread", "false").exit_code == 0
    (last,) = [one for one in answer("topics") if one["topic"] == "orders"]
    assert (last["retention_ms"], last["keep_unread"], last["unread_by"]) == (604_800_000, False, [])
    wrong = sold("streams", "retain", "--topic", "orders", "--retention-ms", "-2")
    assert wrong.exit_code == 2
    assert "retention_ms" in wrong.stderr
    assert sold("streams", "retain", "--topic", "nothing", "--retention-ms", "1").exit_code == 4
