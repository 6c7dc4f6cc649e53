"""The published gRPC interface, asked by a client that is made from the proto alone."""

from __future__ import annotations

import importlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from restock.app import App, opened
from restock.edge.grpc import messages
from restock.edge.grpc.offers import offers
from restock.edge.grpc.server import Served, serving
from restock.edge.grpc.streamhouse import NotHere, StreamHouse
from restock.engine.stream import partition_for
from restock.engine.stream.registry import Given
from restock.settings import Settings

PROTOS = sorted(messages.PROTOS.glob("*.proto"))
PROTO = messages.PROTOS / "streamhouse.proto"


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what protoc makes of the protos."""
    folder = tmp_path_factory.mktemp("client")
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO.parent}", f"--python_out={folder}"]
    command += [
        f"--grpc_python_out={folder}",
        f"--descriptor_set_out={folder / 'fresh.binpb'}",
        *(one.name for one in PROTOS),
    ]
    subprocess.run(command, check=True, timeout=50)
    return folder


@dataclass
class Caller:
    """A client: its messages, its stub, its channel, and the program it calls."""

    pb: ModuleType
    stub: Any
    channel: Any
    app: App


@pytest.fixture
async def caller(home: Path, compiled: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Caller]:
    monkeypatch.syspath_prepend(str(compiled))
    pb, stubs = importlib.import_module("streamhouse_pb2"), importlib.import_module("streamhouse_pb2_grpc")
    async with (
        opened(Settings(home=home, dispatch_process=False)) as app,
        serving(Served(offers(app), app.clock), "127.0.0.1", 0) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        yield Caller(pb, stubs.StreamHouseStub(channel), channel, app)


async def code(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.details()
    return str(caught.value.code().name)


def test_what_is_compiled_is_the_proto(compiled: Path) -> None:
    assert messages.COMPILED.read_bytes() == (compiled / "fresh.binpb").read_bytes(), "Run `make proto`."


async def test_topics_are_made_listed_and_kept(caller: Caller) -> None:
    pb, stub = caller.pb, caller.stub
    made = await stub.CreateTopic(pb.CreateTopicRequest(name="clicks", partition_count=3, retention_ms=1000))
    assert (made.topic_id, made.partition_count) == ("clicks", 3)
    assert await code(stub.CreateTopic(pb.CreateTopicRequest(name="clicks", partition_count=3))) == "ALREADY_EXISTS"
    assert await code(stub.CreateTopic(pb.CreateTopicRequest(name="none"))) == "INVALID_ARGUMENT"
    found = (await stub.GetTopic(pb.GetTopicRequest(name="clicks"))).topic
    assert (found.name, found.partition_count, found.retention_ms, dict(found.config)) == ("clicks", 3, 1000, {})
    assert found.created_at > 1_700_000_000_000
    sized = pb.CreateTopicRequest(name="small", partition_count=1, config={"retention.bytes": "5000", "other": "x"})
    await stub.CreateTopic(sized)
    listed = {one.name: one for one in (await stub.ListTopics(pb.ListTopicsRequest())).topics}
    assert dict(listed["small"].config) == {"retention.bytes": "5000"}
    assert not listed["small"].HasField("retention_ms")
    for config in ({"retention.ms": "a day"}, {"retention.bytes": "-2"}):
        wrong = pb.CreateTopicRequest(name="wrong", partition_count=1, config=config)
        assert await code(stub.CreateTopic(wrong)) == "INVALID_ARGUMENT"
    names = [one.name for one in (await stub.ListTopics(pb.ListTopicsRequest())).topics]
    assert names == ["clicks", "inventory-updates", "orders", "purchase-orders", "small"]
    assert await code(stub.GetTopic(pb.GetTopicRequest(name="nothing"))) == "NOT_FOUND"
    assert await code(stub.DeleteTopic(pb.DeleteTopicRequest(name="nothing"))) == "NOT_FOUND"
    assert await code(stub.DeleteTopic(pb.DeleteTopicRequest(name="clicks"))) == "UNIMPLEMENTED"


async def test_what_is_produced_is_consumed(caller: Caller) -> None:
    pb, stub = caller.pb, caller.stub
    await stub.CreateTopic(pb.CreateTopicRequest(name="clicks", partition_count=2))
    one = pb.ProduceRequest(topic="clicks", partition=1, key=b"k", value=b"\xff\x00", headers={"h": "1"})
    assert (await stub.Produce(one)).offset == 0
    batch = pb.ProduceBatchRequest(topic="clicks", partition=1, ack_mode=pb.ACK_DURABLE)
    batch.records.extend(pb.Record(value=str(n).encode()) for n in range(5))
    told = await stub.ProduceBatch(batch)
    assert (told.first_offset, told.last_offset, told.count, told.duplicates_filtered) == (1, 5, 5, False)
    ask = pb.ConsumeRequest(topic="clicks", partition=1, offset=0, max_records=2, consumer_group="ignored")
    page = await stub.Consume(ask)
    assert [(r.offset, r.key, r.value, dict(r.headers)) for r in page.records] == [
        (0, b"k", b"\xff\x00", {"h": "1"}),
        (1, b"", b"0", {}),
    ]
    assert page.records[0].timestamp > 1_700_000_000_000
    assert (page.high_watermark, page.has_more) == (6, True)
    whole = await stub.Consume(pb.ConsumeRequest(topic="clicks", partition=1, offset=2))
    assert (len(whole.records), whole.has_more) == (4, False)
    end = await stub.Consume(pb.ConsumeRequest(topic="clicks", partition=1, offset=(1 << 64) - 1))
    assert (len(end.records), end.high_watermark, end.has_more) == (0, 6, False)


async def test_an_answer_fits_into_what_usual_clients_take(caller: Caller) -> None:
    pb, stub = caller.pb, caller.stub
    await stub.CreateTopic(pb.CreateTopicRequest(name="big", partition_count=1))
    batch = pb.ProduceBatchRequest(topic="big")
    batch.records.extend(pb.Record(value=b"x" * 1_000_000) for _ in range(9))
    await stub.ProduceBatch(batch)
    offset, answers = 0, 0
    while True:
        page = await stub.Consume(pb.ConsumeRequest(topic="big", offset=offset, max_records=100))
        offset, answers = page.records[-1].offset + 1, answers + 1
        if not page.has_more:
            break
    assert (offset, answers) == (9, 3)


async def test_offsets_are_kept_and_never_go_back(caller: Caller) -> None:
    pb, stub = caller.pb, caller.stub
    place = {"consumer_group": "g", "topic": "orders", "partition": 2}
    assert (await stub.GetOffset(pb.GetOffsetRequest(**place))).offset == 0
    for offset in (7, 3):
        assert (await stub.CommitOffset(pb.CommitOffsetRequest(**place, offset=offset, metadata="m"))).success
        found = await stub.GetOffset(pb.GetOffsetRequest(**place))
        assert (found.offset, found.HasField("metadata")) == (7, False)
    assert await code(stub.GetOffset(pb.GetOffsetRequest(**{**place, "topic": "none"}))) == "NOT_FOUND"
    assert await code(stub.GetOffset(pb.GetOffsetRequest(**{**place, "partition": 9}))) == "INVALID_ARGUMENT"
    assert await code(stub.CommitOffset(pb.CommitOffsetRequest(**place, offset=1 << 63))) == "INVALID_ARGUMENT"


async def test_what_goes_wrong_has_the_published_status(caller: Caller) -> None:
    pb, stub = caller.pb, caller.stub
    right = partition_for("k", 6)
    wrong = pb.ProduceRequest(topic="orders", partition=(right + 1) % 6, key=b"k", value=b"v")
    assert await code(stub.Produce(wrong)) == "INVALID_ARGUMENT"
    assert await code(stub.Produce(pb.ProduceRequest(topic="none", key=b"k"))) == "NOT_FOUND"
    assert await code(stub.ProduceBatch(pb.ProduceBatchRequest(topic="orders"))) == "INVALID_ARGUMENT"
    await stub.CreateTopic(pb.CreateTopicRequest(name="clicks", partition_count=1))
    assert await code(stub.Produce(pb.ProduceRequest(topic="clicks", partition=1))) == "INVALID_ARGUMENT"
    assert await code(stub.Produce(pb.ProduceRequest(topic="clicks", key=b"\xff"))) == "INVALID_ARGUMENT"
    assert await code(stub.Consume(pb.ConsumeRequest(topic="clicks", partition=1))) == "INVALID_ARGUMENT"
    for wrong in ({"transaction_id": "t"}, {"base_sequence": 0}, {"producer_id": 1, "base_sequence": -1}):
        batch = pb.ProduceBatchRequest(topic="clicks", records=[pb.Record()], **wrong)
        assert await code(stub.ProduceBatch(batch)) == "INVALID_ARGUMENT", wrong
    unknown = pb.ProduceBatchRequest(topic="clicks", records=[pb.Record()], producer_id=(1 << 64) - 1)
    assert await code(stub.ProduceBatch(unknown)) == "NOT_FOUND"
    for name in ("BeginTransaction", "CommitTransaction", "AbortTransaction"):
        assert await code(getattr(stub, name)(getattr(pb, f"{name}Request")(producer_id=7))) == "NOT_FOUND", name


async def test_health_and_reflection_answer(caller: Caller) -> None:
    health = health_pb2_grpc.HealthStub(caller.channel)
    for name in ("", "streamhouse.StreamHouse"):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    ask = reflection_pb2.ServerReflectionRequest(list_services="")
    stub = reflection_pb2_grpc.ServerReflectionStub(caller.channel)
    answers = [one async for one in stub.ServerReflectionInfo(iter([ask]))]
    names = [one.name for one in answers[0].list_services_response.service]
    assert "streamhouse.StreamHouse" in names


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_a_server_serves_grpc_beside_rest(home: Path, compiled: Path) -> None:
    port = free_port()
    environment = {**os.environ, "RESTOCK_HOME": str(home), "RESTOCK_GRPC_PORT": str(port), "RESTOCK_PORT": "0"}
    command = [sys.executable, "-m", "restock", "serve", "stream"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        try:
            assert "serves http://" in server.stdout.readline()
            assert f"serves grpc://127.0.0.1:{port}" in server.stdout.readline()
            client = (
                "import grpc, streamhouse_pb2 as pb, streamhouse_pb2_grpc as stubs\n"
                f"with grpc.insecure_channel('127.0.0.1:{port}') as channel:\n"
                "    stub = stubs.StreamHouseStub(channel)\n"
                "    print([one.name for one in stub.ListTopics(pb.ListTopicsRequest()).topics])\n"
            )
            done = subprocess.run(
                [sys.executable, "-c", client], cwd=compiled, check=True, capture_output=True, text=True, timeout=30
            )
            assert re.findall(r"[\w-]+", done.stdout) == ["inventory-updates", "orders", "purchase-orders"]
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0


def test_plain_text_is_served_on_loopback_only(home: Path) -> None:
    environment = {**os.environ, "RESTOCK_HOME": str(home), "RESTOCK_GRPC_PORT": str(free_port())}
    command = [sys.executable, "-m", "restock", "serve", "--host", "0.0.0.0", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=50, check=False)
    assert done.returncode == 2
    assert "loopback only" in done.stderr


async def test_values_are_checked_against_the_schema_of_their_topic(caller: Caller) -> None:
    """The bytes of a stock serializer pass; others, and those of a schema that the topic does not hold, do not."""
    pb, stub, registry = caller.pb, caller.stub, caller.app.registry
    await stub.CreateTopic(pb.CreateTopicRequest(name="returns", partition_count=1))
    text = '{"type": "record", "name": "Return", "fields": [{"name": "sku", "type": "string"}]}'
    number = await registry.register("returns-value", Given(text))
    other = await registry.register("elsewhere-value", Given(text.replace("sku", "name")))
    frame, body = b"\0" + number.to_bytes(4, "big"), b"\x06abc"
    assert (await stub.Produce(pb.ProduceRequest(topic="returns", value=frame + body))).offset == 0
    more = text.replace("]}", ', {"name": "why", "type": "string", "default": ""}]}')
    newest = await registry.register("returns-value", Given(more))
    assert (await stub.Produce(pb.ProduceRequest(topic="returns", value=frame + body))).offset == 1, "an older version"
    new = b"\0" + newest.to_bytes(4, "big") + body + b"\x02x"
    assert (await stub.Produce(pb.ProduceRequest(topic="returns", value=new))).offset == 2
    await stub.CreateTopic(pb.CreateTopicRequest(name="tickets", partition_count=1))
    number = await registry.register("tickets-value", Given('{"type": "object", "required": ["id"]}', "JSON"))
    framed = [b"\0" + number.to_bytes(4, "big") + document for document in (b'{"id": 1}', b"{}")]
    assert (await stub.Produce(pb.ProduceRequest(topic="tickets", value=framed[0]))).offset == 0
    assert await code(stub.Produce(pb.ProduceRequest(topic="tickets", value=framed[1]))) == "INVALID_ARGUMENT"
    for wrong in (body, b"{}", frame, frame + body + b"x", b"\0" + other.to_bytes(4, "big") + body, b""):
        assert await code(stub.Produce(pb.ProduceRequest(topic="returns", value=wrong))) == "INVALID_ARGUMENT", wrong


async def values(caller: Caller, topic: str) -> list[str]:
    page = await caller.stub.Consume(caller.pb.ConsumeRequest(topic=topic, max_records=1000))
    return [one.value.decode() for one in page.records]


async def test_a_producer_that_numbers_its_records_stores_each_once(caller: Caller) -> None:
    pb, stub = caller.pb, caller.stub
    await stub.CreateTopic(pb.CreateTopicRequest(name="clicks", partition_count=1))
    made = await stub.InitProducer(pb.InitProducerRequest(timeout_ms=1000, metadata={"a": "b"}))

    async def send(first: int, *texts: str, epoch: int = made.epoch) -> Any:
        batch = pb.ProduceBatchRequest(
            topic="clicks", producer_id=made.producer_id, producer_epoch=epoch, base_sequence=first
        )
        batch.records.extend(pb.Record(value=text.encode()) for text in texts)
        return await stub.ProduceBatch(batch)

    told = await send(0, "a", "b")
    assert (told.first_offset, told.last_offset, told.count, told.duplicates_filtered) == (0, 1, 2, False)
    told = await send(0, "a", "b")
    assert (told.first_offset, told.last_offset, told.count, told.duplicates_filtered) == (0, 1, 2, True)
    told = await send(1, "b", "c", "d")
    assert (told.first_offset, told.last_offset, told.duplicates_filtered) == (2, 3, True), "the new ones of a batch"
    assert (await send(0, "a")).duplicates_filtered
    assert await code(send(5, "f")) == "FAILED_PRECONDITION", "the fifth was never seen"
    assert await code(send(4, "e", epoch=1)) == "FAILED_PRECONDITION"
    assert await values(caller, "clicks") == ["a", "b", "c", "d"]
    beat = await stub.Heartbeat(pb.HeartbeatRequest(producer_id=made.producer_id, producer_epoch=0))
    assert (beat.valid, beat.HasField("error")) == (True, False)
    beat = await stub.Heartbeat(pb.HeartbeatRequest(producer_id=made.producer_id, producer_epoch=3))
    assert not beat.valid and "epoch 0, not 3" in beat.error


async def test_a_transaction_is_read_whole_or_not_at_all(caller: Caller) -> None:
    pb, stub = caller.pb, caller.stub
    for name in ("clicks", "views"):
        await stub.CreateTopic(pb.CreateTopicRequest(name=name, partition_count=1))
    made = await stub.InitProducer(pb.InitProducerRequest(transactional_id="shop"))
    who = {"producer_id": made.producer_id, "producer_epoch": made.epoch}

    async def begin() -> str:
        return str((await stub.BeginTransaction(pb.BeginTransactionRequest(**who))).transaction_id)

    async def send(transaction: str, topic: str, first: int, *texts: str) -> Any:
        batch = pb.ProduceBatchRequest(topic=topic, base_sequence=first, transaction_id=transaction, **who)
        batch.records.extend(pb.Record(value=text.encode()) for text in texts)
        return await stub.ProduceBatch(batch)

    one = await begin()
    assert await code(begin()) == "FAILED_PRECONDITION", "one at a time"
    told = await send(one, "clicks", 0, "a", "b")
    assert (told.first_offset, told.last_offset, told.count) == (0, 0, 2)
    await send(one, "views", 0, "v")
    assert (await send(one, "clicks", 0, "a", "b")).duplicates_filtered
    assert await values(caller, "clicks") == await values(caller, "views") == []
    done = await stub.CommitTransaction(pb.CommitTransactionRequest(**who, transaction_id=one))
    assert done.success and done.commit_timestamp > 1_700_000_000_000
    again = await stub.CommitTransaction(pb.CommitTransactionRequest(**who, transaction_id=one))
    assert again.commit_timestamp == done.commit_timestamp, "an answer that was lost is given again"
    assert (await values(caller, "clicks"), await values(caller, "views")) == (["a", "b"], ["v"])
    assert await code(stub.AbortTransaction(pb.AbortTransactionRequest(**who, transaction_id=one))) == (
        "FAILED_PRECONDITION"
    )
    two = await begin()
    await send(two, "clicks", 2, "never")
    for _ in range(2):
        assert (await stub.AbortTransaction(pb.AbortTransactionRequest(**who, transaction_id=two))).success
    assert await code(send(two, "clicks", 3, "late")) == "FAILED_PRECONDITION"
    assert await code(stub.CommitTransaction(pb.CommitTransactionRequest(**who, transaction_id=two))) == (
        "FAILED_PRECONDITION"
    )
    three = await begin()
    await send(three, "clicks", 3, "fenced")
    taken = await stub.InitProducer(pb.InitProducerRequest(transactional_id="shop"))
    assert (taken.producer_id, taken.epoch) == (made.producer_id, 1)
    assert await code(stub.CommitTransaction(pb.CommitTransactionRequest(**who, transaction_id=three))) == (
        "FAILED_PRECONDITION"
    )
    beat = await stub.Heartbeat(pb.HeartbeatRequest(**who, transaction_id=three))
    assert not beat.valid
    assert await values(caller, "clicks") == ["a", "b"]
    assert (await stub.Produce(pb.ProduceRequest(topic="clicks", value=b"c"))).offset == 2, "and no gap is left"


async def test_without_the_embedded_log_producers_with_epochs_are_refused_by_name(home: Path, compiled: Path) -> None:
    async with opened(Settings(home=home, dispatch_process=False)) as app:
        calls = StreamHouse(app.streams, app.clock)
        with pytest.raises(NotHere, match="embedded log"):
            await calls.InitProducer(messages.message("streamhouse.InitProducerRequest")())
