"""The stream over REST: what the terminal shows, over a socket."""

from __future__ import annotations

import asyncio

import httpx
from rest_world import Rest

from restock.engine.stream import Message

ORDER = {"customer_id": "cust-alice", "items": [{"sku": "PROD-001", "quantity": 2, "price": "29.99"}]}


async def sold(rest: Rest) -> None:
    placed = await rest.client.post("/api/v1/orders", json=ORDER)
    assert placed.status_code == 201
    await rest.app.settle()


async def items(client: httpx.AsyncClient, path: str) -> list[dict[str, object]]:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_topics_groups_and_lag_are_served(rest: Rest) -> None:
    await sold(rest)
    topics = {one["topic"]: one for one in await items(rest.client, "/api/v1/streams/topics")}
    assert topics["orders"]["records"] == 1
    groups = {one["group"]: one for one in await items(rest.client, "/api/v1/streams/groups")}
    assert groups["inventory.orders"]["lag"] == 0
    one = (await rest.client.get("/api/v1/streams/groups/inventory.orders")).json()
    assert [m["owns"] for m in one["members"]] == [[f"orders/{n}" for n in range(6)]]
    figures = (await rest.client.get("/api/v1/streams/groups/analytics")).json()
    owned = [place for member in figures["members"] for place in member["owns"]]
    assert sorted(owned) == sorted(f"{each['topic']}/{each['partition']}" for each in figures["partitions"])
    assert len(owned) == 14, "analytics owns what it counts, as every reader does"
    lag = (await rest.client.get("/api/v1/streams/lag")).json()
    assert {one["database"] for one in lag["outboxes"]} == {"oms", "inventory", "po"}
    assert (await rest.client.get("/api/v1/streams/groups/nobody")).status_code == 404


async def test_an_outbox_that_is_not_published_yet_is_seen_in_the_lag(rest: Rest) -> None:
    assert (await rest.client.post("/api/v1/orders", json=ORDER)).status_code == 201
    (oms,) = [
        one for one in (await rest.client.get("/api/v1/streams/lag")).json()["outboxes"] if one["database"] == "oms"
    ]
    assert oms["events"] == 1
    assert oms["seconds"] >= 0


async def test_records_go_on_where_the_answer_before_ended(rest: Rest) -> None:
    await sold(rest)
    path = "/api/v1/streams/topics/inventory-updates/records"
    first = (await rest.client.get(path, params={"start": "earliest", "limit": 3})).json()
    assert len(first["records"]) == 3 and first["more"]
    rest_of_it = (await rest.client.get(path, params={"start": first["next"], "limit": 1000})).json()
    assert not rest_of_it["more"]
    whole = (await rest.client.get(path, params={"start": "earliest", "limit": 1000})).json()
    assert whole["records"] == first["records"] + rest_of_it["records"]
    some = (await rest.client.get(path, params={"path": ".type=StockReserved", "key": "PROD-001"})).json()
    assert [one["data"]["sku"] for one in some["records"]] == ["PROD-001"]
    wrong = await rest.client.get(path, params={"path": "sku"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "path")


async def test_a_trace_leads_to_the_purchase_order(rest: Rest) -> None:
    await sold(rest)
    (order,) = (await rest.client.get("/api/v1/streams/topics/orders/records")).json()["records"]
    trace = (await rest.client.get(f"/api/v1/streams/events/{order['event_id']}/trace")).json()
    assert [one["type"] for one in trace["steps"]][:2] == ["OrderPlaced", "StockReserved"]
    assert "PurchaseOrderCreated" in [one["type"] for one in trace["steps"]]
    assert (await rest.client.get("/api/v1/streams/events/nothing/trace")).status_code == 404


async def test_a_group_is_moved_only_when_nobody_of_it_lives(rest: Rest) -> None:
    await sold(rest)
    path = "/api/v1/streams/groups/inventory.orders/replay"
    refused = await rest.client.post(path, json={"to": "earliest"})
    assert refused.status_code == 409
    assert "Ctrl-C" in refused.json()["remedy"]
    dry = await rest.client.post(path, json={"to": "earliest", "dry_run": True})
    assert dry.status_code == 200
    assert len(dry.json()["living"]) == 1
    for each in rest.app.subscribers:
        await each.close()
    moved = (await rest.client.post(path, json={"to": "earliest", "topic": "orders"})).json()
    assert sum(one["again"] for one in moved["moves"]) == 1
    figures = (await rest.client.get("/api/v1/figures")).json()
    await rest.app.settle()
    assert (await rest.client.get("/api/v1/figures")).json() == figures


async def test_a_server_forgets_what_a_topic_no_longer_keeps_once_all_have_read_it(rest: Rest) -> None:
    await sold(rest)
    path = "/api/v1/streams/topics/orders/retention"
    told = await rest.client.post(path, json={"retention_ms": 0})
    assert told.status_code == 200, told.text
    assert (told.json()["retention_ms"], told.json()["records"], told.json()["unread_by"]) == (0, 1, [])
    rest.app.start()
    async with asyncio.timeout(10):
        while (await items(rest.client, "/api/v1/streams/topics"))[1]["records"]:  # noqa: ASYNC110 - another's doing
            await asyncio.sleep(0.02)
    assert (await items(rest.client, "/api/v1/streams/topics"))[2]["records"] > 0, "others keep everything"
    assert rest.app.problems() == []
    wrong = await rest.client.post(path, json={"retention_bytes": -2})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "retention_bytes")


async def test_dead_letters_are_shown_replayed_and_discarded_with_a_note(rest: Rest) -> None:
    await rest.app.stream.publish([Message("orders", f"k{n}", b"no event") for n in range(2)])
    await rest.app.settle()
    letters = [one for one in await items(rest.client, "/api/v1/dead-letters") if one["group"] == "inventory.orders"]
    assert [(one["topic"], one["value"], one["verdict"]) for one in letters] == [("orders", "no event", "")] * 2
    assert all("The record is not an event" in str(one["reason"]) for one in letters)
    assert [one["attempts"] for one in letters] == [1, 1], "reading it again would not help"
    only = await items(rest.client, "/api/v1/dead-letters?group=analytics")
    assert {one["group"] for one in only} == {"analytics"}
    first, second = (f"/api/v1/dead-letters/{one['letter']}" for one in letters)
    wrong = await rest.client.post(f"{first}/discard", json={})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "note")
    told = (await rest.client.post(f"{first}/discard", json={"actor": "alice", "note": "a test"})).json()
    assert (told["verdict"], told["actor"], told["note"]) == ("discarded", "alice", "a test")
    assert (await rest.client.post(f"{first}/replay", json={})).status_code == 409
    told = (await rest.client.post(f"{second}/replay", json={"actor": "bob", "note": "mended"})).json()
    assert (told["verdict"], told["actor"], told["note"]) == ("replayed", "bob", "mended")
    assert (await rest.client.post("/api/v1/dead-letters/nothing/replay", json={})).status_code == 404
    decided = await items(rest.client, "/api/v1/dead-letters?decided=true&group=inventory.orders")
    assert {one["verdict"] for one in decided} == {"discarded", "replayed"}
    await rest.app.settle()
    again = await items(rest.client, "/api/v1/dead-letters?group=inventory.orders")
    assert len(again) == 1, "what was replayed could not be handled again, and is a letter of its own"


async def test_records_are_found_by_time_over_rest_too(rest: Rest) -> None:
    await sold(rest)
    path = "/api/v1/streams/topics/orders/records"
    (one,) = (await rest.client.get(path)).json()["records"]
    assert (await rest.client.get(path, params={"start": one["stored_at"]})).json()["records"] == [one]
    assert (await rest.client.get(path, params={"start": "2999-01-01"})).json()["records"] == []
    assert (await rest.client.get(path, params={"key": "nobody"})).json()["records"] == []
