"""Live figures over a real socket: at once, after each change, for many; for those who come back, sleep, or never read."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from rest_world import Rest, server

from restock.app import App
from restock.edge.rest import live, protocol
from restock.orders.model import NewOrder, OrderItem
from restock.orders.port import PlaceRequest

PATH = "/api/v1/figures/stream"


async def sold(app: App, customer: str = "alice", orders: int = 1) -> None:
    """Accept orders and carry them to the figures."""
    items = [OrderItem("PROD-001", Decimal(1), Decimal("2.50"))]
    await app.orders.place(PlaceRequest([NewOrder(customer, items) for _ in range(orders)]))
    await app.settle()


@asynccontextmanager
async def watching(client: httpx.AsyncClient, **headers: str) -> AsyncIterator[AsyncIterator[str]]:
    """Watch; give the blocks of the stream."""
    async with client.stream("GET", PATH, headers=headers, timeout=20) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["cache-control"] == "no-store"
        yield blocks(answer)


async def blocks(answer: httpx.Response) -> AsyncIterator[str]:
    text = ""
    async for part in answer.aiter_text():
        text += part
        while "\n\n" in text:
            block, _, text = text.partition("\n\n")
            yield block


async def event(stream: AsyncIterator[str], seconds: float = 5) -> tuple[str, Any]:
    """Give identifier and data of the next event."""
    async with asyncio.timeout(seconds):
        async for block in stream:
            fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
            if "data" in fields:
                assert fields["event"] == "figures"
                return fields["id"], json.loads(fields["data"])
    raise AssertionError("the stream ended")


async def eventually(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - what is watched has no event
            await asyncio.sleep(0.01)


async def test_figures_come_at_once_and_after_each_change(rest: Rest) -> None:
    await sold(rest.app)
    async with watching(rest.client) as stream:
        first, figures = await event(stream)
        assert (figures["orders"], figures["revenue"]) == (1, 2.5)
        assert figures == (await rest.client.get("/api/v1/figures")).json()
        await sold(rest.app, "bob")
        second, figures = await event(stream)
        assert (figures["orders"], figures["unique_customers"]) == (2, 2)
        assert first != second


async def test_whoever_comes_back_hears_only_what_is_new(rest: Rest) -> None:
    await sold(rest.app)
    async with watching(rest.client) as stream:
        known, _ = await event(stream)
    async with watching(rest.client, **{"last-event-id": known}) as stream:
        with pytest.raises(TimeoutError):
            await event(stream, 0.6)
    async with watching(rest.client, **{"last-event-id": known}) as stream:
        await sold(rest.app, "bob")
        assert (await event(stream))[1]["orders"] == 2
    async with watching(rest.client, **{"last-event-id": known}) as stream:
        assert (await event(stream))[1]["orders"] == 2, "it changed while nobody listened"


async def test_a_silent_stream_beats(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.05)
    async with watching(rest.client) as stream:
        await event(stream)
        async with asyncio.timeout(5):
            assert await anext(stream) == ":"
            assert await anext(stream) == ":"


async def test_many_watchers_share_one_query_and_hear_no_more_than_a_person_can_follow(rest: Rest) -> None:
    route = next(one for one in rest.application.routes if one.name == "analytics.stream")
    hub: live.Live = route.handler.__self__  # type: ignore[attr-defined]
    heard = 0
    done = asyncio.Event()

    async def watch() -> None:
        nonlocal heard
        async with watching(rest.client) as stream:
            while (await event(stream, 15))[1]["orders"] < 60:
                heard += 1
            done.set()

    began = time.monotonic()
    async with httpx.AsyncClient(base_url=rest.client.base_url, limits=httpx.Limits(max_connections=None)) as many:
        rest.client, own = many, rest.client
        watchers = [asyncio.create_task(watch()) for _ in range(40)]
        for _ in range(60):
            await sold(rest.app)
        await asyncio.gather(*watchers)
        rest.client = own
    seconds = time.monotonic() - began
    assert hub.queries <= 4 + seconds * live.EVENTS_PER_SECOND
    assert heard <= 40 * (2 + seconds * live.EVENTS_PER_SECOND)
    await eventually(lambda: hub._watchers == 0)


async def test_too_many_are_told_to_come_later(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_WATCHERS", 1)
    async with watching(rest.client) as stream:
        await event(stream)
        refused = await rest.client.get(PATH)
        assert refused.status_code == 503 and refused.headers["retry-after"]


def deaf(client: httpx.AsyncClient) -> socket.socket:
    """Give a watcher who asks and never reads."""
    watcher = socket.socket()
    watcher.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    watcher.connect((client.base_url.host, client.base_url.port))
    watcher.sendall(f"GET {PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode())
    return watcher


async def test_whoever_does_not_read_costs_no_memory_and_keeps_nobody_waiting(
    rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """His buffer fills to its limit and stays there; then he is given up; others hear every change meanwhile."""
    monkeypatch.setattr(live, "EVENTS_PER_SECOND", 1000)
    monkeypatch.setattr(live, "HEARTBEAT", b": " + b"x" * 60_000 + b"\n\n")
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.001)
    monkeypatch.setattr(protocol, "STALLED_SECONDS", 1.0)
    made: list[protocol.Connection] = []
    monkeypatch.setattr(
        protocol.Connection, "pause_writing", _noted(protocol.Connection.pause_writing, made), raising=True
    )
    with deaf(rest.client):
        await eventually(lambda: made)
        connection = made[0]
        size = connection.transport.get_write_buffer_size()
        for _ in range(5):
            await asyncio.sleep(0.05)
            assert connection.transport.get_write_buffer_size() <= size < 400_000
        await sold(rest.app)
        assert (await rest.client.get("/api/v1/figures")).json()["orders"] == 1
        await eventually(connection.transport.is_closing)


def _noted(pause: Callable[..., None], made: list[protocol.Connection]) -> Callable[[protocol.Connection], None]:
    def noted(self: protocol.Connection) -> None:
        made.append(self)
        pause(self)

    return noted


async def test_head_asks_and_gets_no_stream(rest: Rest) -> None:
    answer = await rest.client.head(PATH)
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_server_that_stops_ends_its_streams(home: Path) -> None:
    with server(home) as (process, address), httpx.Client(base_url=address, timeout=20) as client:
        with client.stream("GET", PATH) as answer:
            lines = answer.iter_lines()
            while not next(lines).startswith("data: "):
                pass
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            list(lines)
        assert process.wait(10) == 0
        assert time.monotonic() - began < 5


def test_a_server_stops_although_a_watcher_does_not_read(home: Path) -> None:
    with server(home) as (process, address), httpx.Client(base_url=address, timeout=20) as client:
        watcher = socket.create_connection((client.base_url.host, client.base_url.port))
        with watcher:
            watcher.sendall(f"GET {PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode())
            assert client.get("/livez").status_code == 200
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
            assert time.monotonic() - began < 5


async def test_windows_are_served_in_pages(rest: Rest) -> None:
    await sold(rest.app, orders=3)
    for size in ("minute", "hour", "day"):
        page = (await rest.client.get("/api/v1/figures/windows", params={"size": size, "from": "2020-01-01"})).json()
        assert sum(one["orders"] for one in page["items"]) == 3
    page = (await rest.client.get("/api/v1/figures/windows?size=day&limit=1")).json()
    assert page["next"] == page["items"][0]["start"]
    following = (await rest.client.get(f"/api/v1/figures/windows?size=day&limit=1&to={page['next']}")).json()
    assert following == {"items": [], "next": ""}
    wrong = await rest.client.get("/api/v1/figures/windows?from_=2020-01-01")
    assert wrong.status_code == 422 and "from" in wrong.json()["remedy"]
    described = (await rest.client.get("/openapi.json")).json()["paths"]["/api/v1/figures/windows"]["get"]
    assert {one["name"] for one in described["parameters"]} == {"size", "from", "to", "limit"}
