"""A rulebook's life and replay over REST: the same operations, the same refusals."""

from __future__ import annotations

import httpx

from restock.decisions.library import SHIPPED

VERSIONS = "/api/v1/rulebooks/purchasing/versions"
TEXT = (SHIPPED / "purchasing.grl").read_text("utf-8").replace("total_amount > 10000)", "total_amount > 3000)")
TEXT = TEXT.replace("total_amount <= 10000)", "total_amount <= 3000)")


async def test_a_rulebook_comes_into_force_and_goes_out_of_it(client: httpx.AsyncClient) -> None:
    await client.post("/purchasing/flow", json={"product_id": "PROD-002"})
    submitted = await client.post(VERSIONS, json={"text": TEXT, "author": "alice", "notes": "from 3,000 on"})
    assert submitted.status_code == 201, submitted.text
    one = f"{VERSIONS}/{submitted.json()['version'][:12]}"
    advanced = (await client.post(f"{one}/advance", json={"actor": "alice"})).json()
    assert advanced["version"]["state"] == "shadow"
    assert advanced["shadow"]["past"]["changed"] == 1
    refused = await client.post(f"{one}/approve", json={"actor": "alice"})
    assert (refused.status_code, refused.json()["title"]) == (403, "refused")
    early = await client.post(f"{one}/activate", json={"actor": "bob"})
    assert (early.status_code, early.json()["field"]) == (409, "version")
    for move in ("approve", "activate"):
        assert (await client.post(f"{one}/{move}", json={"actor": "bob"})).status_code == 200
    assert (await client.get("/api/v1/rulebooks/purchasing")).json()["source"] == "activated"
    shown = (await client.get(one)).json()
    assert [each["move"] for each in shown["steps"]][-2:] == ["approved", "activated"]
    assert shown["text"] == TEXT
    back = await client.post("/api/v1/rulebooks/purchasing/rollback", json={"actor": "bob"})
    assert [each["state"] for each in back.json()] == ["rolled_back"]
    assert (await client.get(f"{VERSIONS}/ffffffff")).status_code == 404


async def test_stored_decisions_are_made_again(client: httpx.AsyncClient) -> None:
    await client.post("/purchasing/flow", json={"product_id": "PROD-001"})
    page = (await client.get("/api/v1/replays?limit=10")).json()
    assert (page["decisions"], page["different"], page["last"]) == (1, [], "")
    assert (await client.get("/api/v1/decisions/nothing/replay")).status_code == 404
