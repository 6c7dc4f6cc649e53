"""A server in a process of its own: start, stop under load, death and return."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from rest_world import copied_home, server, stocked

from restock.core.errors import InvalidInput, Unavailable
from restock.edge.rest.server import bound

STOP_SECONDS = 20


def post(address: str, product: str, **headers: str) -> httpx.Response:
    return httpx.post(f"{address}/purchasing/flow", json={"product_id": product}, headers=headers, timeout=20)


@contextmanager
def stocked_server(home: Path, more: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    copied_home(home)
    stocked(home, more)
    with server(home) as running:
        yield running


def test_it_answers_when_it_says_so_and_ends_well(home: Path) -> None:
    with stocked_server(home) as (process, address):
        assert httpx.get(f"{address}/readyz").status_code == 200
        assert post(address, "PROD-001").json()["po"]["total_amount"] == 1599
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0
        assert process.stderr is not None and process.stderr.read() == ""


def test_control_c_ends_it_well(home: Path) -> None:
    copied_home(home)
    with server(home) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(STOP_SECONDS) == 0


async def test_a_stop_under_load_fails_no_request(home: Path) -> None:
    """Every request that was sent is answered; a caller learns from `connection: close` that the server leaves."""
    copied_home(home)
    await asyncio.to_thread(stocked, home, 2000)
    with server(home) as (process, address):
        names = iter([f"MORE-{n:05}" for n in range(2000)])
        answered: list[int] = []
        failed: list[str] = []

        async def caller() -> None:
            where = urlsplit(address)
            reader, writer = await asyncio.open_connection(where.hostname, where.port)
            for name in names:
                body = json.dumps({"product_id": name}).encode()
                writer.write(
                    b"POST /purchasing/flow HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: %d\r\n\r\n%s"
                    % (len(body), body)
                )
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                    length = int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
                    reply = json.loads(await reader.readexactly(length))
                except (asyncio.IncompleteReadError, ConnectionError) as error:
                    failed.append(f"{name}: {error!r}")
                    return
                answered.append(int(head[9:12]))
                assert reply["outcome"] == "ordered", reply
                if b"connection: close" in head:
                    break
            writer.close()

        callers = [asyncio.create_task(caller()) for _ in range(32)]
        while len(answered) < 200:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        await asyncio.gather(*callers)
        assert await asyncio.to_thread(process.wait, STOP_SECONDS) == 0
    assert not failed and set(answered) == {200}
    assert 200 <= len(answered) < 2000, "it was stopped in the middle"
    with server(home) as (process, address):
        orders = await asyncio.to_thread(count_orders, address)
        assert orders == len(answered), "an order for each answer, and no other"


def count_orders(address: str) -> int:
    orders, before = 0, ""
    while True:
        page = httpx.get(f"{address}/api/v1/purchase-orders", params={"limit": 1000, "before": before}).json()
        orders += len(page["items"])
        before = page["next"]
        if not before:
            return orders


def test_the_same_key_after_death_gives_the_same_order(home: Path) -> None:
    with stocked_server(home) as (process, address):
        first = post(address, "PROD-002", **{"Idempotency-Key": "k-1"})
        assert first.json()["outcome"] == "ordered"
        process.kill()
        process.wait(STOP_SECONDS)
    with server(home) as (_, address):
        again = post(address, "PROD-002", **{"Idempotency-Key": "k-1"})
        assert again.json()["po"]["po_id"] == first.json()["po"]["po_id"]
        assert len(httpx.get(f"{address}/api/v1/purchase-orders").json()["items"]) == 1


@pytest.mark.parametrize("place", ["po.create.after", "decisions.keep_reply.before", "decisions.keep_reply.after"])
def test_death_between_effect_and_reply_gives_one_order(home: Path, place: str) -> None:
    copied_home(home)
    stocked(home)
    with server(home, RESTOCK_FAILPOINT=place) as (process, address):
        with pytest.raises(httpx.TransportError):
            post(address, "PROD-001", **{"Idempotency-Key": "k-1"})
        assert process.wait(STOP_SECONDS) == 137
    with server(home) as (_, address):
        reply = post(address, "PROD-001", **{"Idempotency-Key": "k-1"}).json()
        assert reply["outcome"] == "ordered" and reply["po"]["total_amount"] == 1599
        assert len(httpx.get(f"{address}/api/v1/purchase-orders").json()["items"]) == 1


def test_a_body_of_100_mb_is_refused_and_the_server_goes_on(home: Path) -> None:
    copied_home(home)
    with server(home) as (process, address):
        where = urlsplit(address)
        with closing(http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)) as connection:
            connection.request("POST", "/purchasing/flow", body=b'{"product_id":"' + b"x" * (100 << 20) + b'"}')
            answer = connection.getresponse()
            assert answer.status == 413 and json.loads(answer.read())["status"] == 413
            connection.request("GET", "/livez")
            assert connection.getresponse().status == 200
        resident = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        assert resident < 300 << 20, "the body was not kept"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"400"),
        (b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + b"y" * 65_536 + b"\r\n\r\n", b"200"),
        (b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\n" + b"x: y\r\n" * 200_000, b"431"),
        (b"GET /\xff HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", b"400"),
    ],
)
def test_what_is_not_http_is_refused(home: Path, sent: bytes, status: bytes) -> None:
    copied_home(home)
    with server(home) as (_, address):
        where = urlsplit(address)
        with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
            try:
                connection.sendall(sent)
            except ConnectionError:
                assert status == b"431"
                return
            try:
                assert connection.recv(100).startswith(b"HTTP/1.1 " + status)
            except ConnectionError:
                assert status == b"431"
        assert httpx.get(f"{address}/livez").status_code == 200


def test_a_busy_port_and_a_public_host_are_told() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(Unavailable, match="Stop what uses it"):
            bound("127.0.0.1", other.getsockname()[1])
    for host in ("0.0.0.0", "192.168.1.1", "::", "example.com", ""):
        with pytest.raises(InvalidInput) as refused:
            bound(host, 0)
        assert refused.value.field == "host"
    bound("localhost", 0).close()


def test_the_command_tells_a_public_host_without_a_trace(home: Path) -> None:
    copied_home(home)
    done = subprocess.run(
        [sys.executable, "-m", "restock", "serve", "--host", "0.0.0.0", "--port", "0"],
        env={**os.environ, "RESTOCK_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2 and "loopback" in done.stderr and "Traceback" not in done.stderr
