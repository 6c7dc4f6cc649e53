"""The messages of the published interface, made from the compiled proto: no generated source is kept.

`make proto` writes streamhouse.binpb from streamhouse.proto; a test fails when it did not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import ServiceDescriptor

COMPILED = Path(__file__).with_name("streamhouse.binpb")

SERVICE = "streamhouse.StreamHouse"


def loaded() -> ServiceDescriptor:
    """Give the service, known to the pool from which reflection answers."""
    pool = descriptor_pool.Default()
    for file in descriptor_pb2.FileDescriptorSet.FromString(COMPILED.read_bytes()).file:
        for each in file.message_type:
            _unnamed(each)
        pool.AddSerializedFile(file.SerializeToString())  # the same file again changes nothing
    return pool.FindServiceByName(SERVICE)


def _unnamed(kind: descriptor_pb2.DescriptorProto) -> None:
    """Leave out the JSON names, as generated clients do: one may live in the same process."""
    for field in kind.field:
        field.ClearField("json_name")
    for inner in kind.nested_type:
        _unnamed(inner)


STREAMHOUSE = loaded()


def message(name: str) -> Any:
    """Give the class of a message."""
    found = descriptor_pool.Default().FindMessageTypeByName(f"streamhouse.{name}")
    return message_factory.GetMessageClass(found)


Topic = message("Topic")
ConsumedRecord = message("ConsumedRecord")
CreateTopicResponse = message("CreateTopicResponse")
GetTopicResponse = message("GetTopicResponse")
ListTopicsResponse = message("ListTopicsResponse")
ProduceResponse = message("ProduceResponse")
ProduceBatchResponse = message("ProduceBatchResponse")
ConsumeResponse = message("ConsumeResponse")
CommitOffsetResponse = message("CommitOffsetResponse")
GetOffsetResponse = message("GetOffsetResponse")
InitProducerResponse = message("InitProducerResponse")
BeginTransactionResponse = message("BeginTransactionResponse")
CommitTransactionResponse = message("CommitTransactionResponse")
AbortTransactionResponse = message("AbortTransactionResponse")
HeartbeatResponse = message("HeartbeatResponse")
