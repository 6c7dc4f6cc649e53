"""HTTP as bytes: whole, in pieces, several at once, broken, slow; each request gets its answer, in order."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator

import httpx
import pytest
from rest_world import Rest

from restock.edge.rest import protocol
from restock.edge.rest.protocol import Connection, Door

ALIVE = b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
FLOW = b'{"product_id":"PROD-001"}'
POST = b"POST /purchasing/flow HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
WHOLE = POST + b"content-length: %d\r\n\r\n" % len(FLOW) + FLOW
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n5\r\n" + FLOW[:5] + b"\r\n%x\r\n" % (len(FLOW) - 5) + FLOW[5:]
CHUNKED += b"\r\n0\r\n\r\n"


class Caller:
    """A caller who writes bytes and reads answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def hear(self, *, body: bool = True) -> tuple[int, dict[str, str], bytes]:
        """Read one answer."""
        async with asyncio.timeout(5):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:] if line)
            length = int(headers.get("content-length", "0")) if body else 0
            return int(head[0].split()[1]), headers, await self.reader.readexactly(length)

    async def is_hung_up(self) -> bool:
        """Tell that nothing more comes and the connection is closed."""
        async with asyncio.timeout(5):
            return await self.reader.read() == b""


@pytest.fixture
async def door(rest: Rest) -> AsyncIterator[Door]:
    yield Door(rest.application)


@pytest.fixture
async def address(door: Door) -> AsyncIterator[tuple[str, int]]:
    server = await asyncio.get_running_loop().create_server(lambda: Connection(door), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[:2]
        for each in list(door.connections):
            each.stop()


@pytest.fixture
async def caller(address: tuple[str, int]) -> AsyncIterator[Caller]:
    reader, writer = await asyncio.open_connection(*address)
    yield Caller(reader, writer)
    writer.close()


@pytest.mark.parametrize("sent", [WHOLE, CHUNKED], ids=["whole", "chunked"])
@pytest.mark.parametrize("seed", range(6))
async def test_a_request_in_pieces_is_the_request(caller: Caller, sent: bytes, seed: int) -> None:
    drawn = random.Random(seed)
    cuts = sorted(drawn.sample(range(1, len(sent)), drawn.randint(1, 12)))
    for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        caller.say(sent[start:end])
        await asyncio.sleep(0)
    status, headers, body = await caller.hear()
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body)["outcome"] == "ordered"


async def test_requests_at_once_are_answered_in_their_order_on_a_connection_that_stays(caller: Caller) -> None:
    caller.say(WHOLE + ALIVE + b"GET /nowhere HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" + CHUNKED)
    answers = [await caller.hear() for _ in range(4)]
    assert [status for status, _, _ in answers] == [200, 200, 404, 200]
    assert json.loads(answers[0][2])["outcome"] == "ordered" and json.loads(answers[3][2])["outcome"] == "covered"
    assert len({headers["x-request-id"] for _, headers, _ in answers}) == 4
    caller.say(ALIVE)
    assert (await caller.hear())[0] == 200


async def test_many_requests_at_once_are_read_as_they_are_answered(caller: Caller) -> None:
    count = protocol.MAX_PIPELINED * 5
    caller.say(ALIVE * count)
    assert [(await caller.hear())[0] for _ in range(count)] == [200] * count


@pytest.mark.parametrize(
    "sent",
    [
        ALIVE.replace(b"1.1", b"1.0"),
        ALIVE.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"),
        ALIVE.replace(b"\r\n\r\n", b"\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"),
    ],
    ids=["1.0", "close", "upgrade"],
)
async def test_who_will_not_stay_is_answered(caller: Caller, sent: bytes) -> None:
    caller.say(sent)
    status, headers, _ = await caller.hear()
    assert status == 200
    assert headers["connection"] == "close" and await caller.is_hung_up()


async def test_a_head_gives_the_headers_of_the_body_it_leaves_out(caller: Caller) -> None:
    caller.say(ALIVE.replace(b"GET", b"HEAD") + ALIVE)
    status, headers, _ = await caller.hear(body=False)
    assert status == 200 and int(headers["content-length"]) > 0
    assert (await caller.hear())[2].startswith(b"{")


async def test_who_asks_before_sending_is_told_to_go_on(caller: Caller) -> None:
    caller.say(POST + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(FLOW))
    assert (await caller.reader.readuntil(b"\r\n\r\n")) == b"HTTP/1.1 100 Continue\r\n\r\n"
    caller.say(FLOW)
    assert (await caller.hear())[0] == 200


async def test_what_breaks_off_after_a_request_is_refused_after_its_answer(caller: Caller) -> None:
    caller.say(WHOLE + b"nonsense\r\n\r\n")
    assert (await caller.hear())[0] == 200
    status, headers, body = await caller.hear()
    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert json.loads(body)["type"].endswith("broken-request") or json.loads(body)["status"] == 400
    assert await caller.is_hung_up()


@pytest.mark.parametrize("seed", range(20))
async def test_noise_is_refused_or_waited_for_but_never_fails(
    address: tuple[str, int], door: Door, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = random.Random(seed)
    noise = bytearray(WHOLE * 2)
    for _ in range(drawn.randint(1, 20)):
        noise[drawn.randrange(len(noise))] = drawn.randrange(256)
    reader, writer = await asyncio.open_connection(*address)
    writer.write(bytes(noise))
    writer.write_eof()
    async with asyncio.timeout(5):
        heard = await reader.read()
    assert all(int(part[:3]) < 500 for part in heard.split(b"HTTP/1.1 ")[1:])
    assert "Traceback" not in capsys.readouterr().err
    writer.close()


async def test_who_leaves_before_the_answer_gets_his_order_once(rest: Rest, address: tuple[str, int]) -> None:
    _, writer = await asyncio.open_connection(*address)
    writer.write(WHOLE)
    await writer.drain()
    writer.close()
    for _ in range(500):
        orders = (await rest.client.get("/api/v1/purchase-orders")).json()["items"]
        if orders:
            break
        await asyncio.sleep(0.01)
    assert len(orders) == 1


async def test_an_idle_connection_is_closed_and_a_busy_one_is_not(door: Door, caller: Caller) -> None:
    caller.say(ALIVE)
    await caller.hear()
    (connection,) = door.connections
    door.close_idle(connection.heard_at)
    caller.say(ALIVE)
    assert (await caller.hear())[0] == 200
    door.close_idle(connection.heard_at + 1)
    assert await caller.is_hung_up() and not door.connections


async def test_answers_wait_for_a_caller_who_does_not_read(address: tuple[str, int], door: Door) -> None:
    reader, writer = await asyncio.open_connection(*address, limit=1 << 10)
    count = 200
    writer.write(b"GET /openapi.json HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" * count)
    await asyncio.sleep(0.3)
    (connection,) = door.connections
    assert connection.transport.get_write_buffer_size() < 20 << 20, "answers are not piled up"
    heard = 0
    async with asyncio.timeout(20):
        while heard < count:
            heard += (await reader.read(1 << 20)).count(b"HTTP/1.1 200")
    writer.close()


async def test_a_server_that_stops_says_so_in_its_last_answers(rest: Rest, caller: Caller) -> None:
    rest.application.condition.leave()
    caller.say(ALIVE + ALIVE)
    assert (await caller.hear())[1]["connection"] == "close"
    assert await caller.is_hung_up()


async def test_a_header_that_comes_twice_counts_once(client: httpx.AsyncClient, caller: Caller) -> None:
    caller.say(ALIVE.replace(b"\r\n\r\n", b"\r\nx-request-id: a\r\nX-Request-Id: b\r\n\r\n"))
    assert (await caller.hear())[1]["x-request-id"] == "b"
