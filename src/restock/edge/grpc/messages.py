"""The messages of the published interfaces, made from the compiled protos: no generated source is kept.

`make proto` writes published.binpb from the files in protos; a test fails when it did not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import ServiceDescriptor

COMPILED = Path(__file__).with_name("published.binpb")
PROTOS = Path(__file__).with_name("protos")


def _load() -> None:
    """Make the interfaces known to the pool from which reflection answers."""
    pool = descriptor_pool.Default()
    for file in descriptor_pb2.FileDescriptorSet.FromString(COMPILED.read_bytes()).file:
        for each in file.message_type:
            _unnamed(each)
        pool.AddSerializedFile(file.SerializeToString())  # the same file again changes nothing


def _unnamed(kind: descriptor_pb2.DescriptorProto) -> None:
    """Leave out the JSON names, as generated clients do: one may live in the same process."""
    for field in kind.field:
        field.ClearField("json_name")
    for inner in kind.nested_type:
        _unnamed(inner)


_load()


def service(name: str) -> ServiceDescriptor:
    """Give a published service by its full name, such as `oms.OmsService`."""
    return descriptor_pool.Default().FindServiceByName(name)


def message(name: str) -> Any:
    """Give the class of a message by its full name."""
    return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name))


Topic = message("streamhouse.Topic")
ConsumedRecord = message("streamhouse.ConsumedRecord")
CreateTopicResponse = message("streamhouse.CreateTopicResponse")
GetTopicResponse = message("streamhouse.GetTopicResponse")
ListTopicsResponse = message("streamhouse.ListTopicsResponse")
ProduceResponse = message("streamhouse.ProduceResponse")
ProduceBatchResponse = message("streamhouse.ProduceBatchResponse")
ConsumeResponse = message("streamhouse.ConsumeResponse")
CommitOffsetResponse = message("streamhouse.CommitOffsetResponse")
GetOffsetResponse = message("streamhouse.GetOffsetResponse")
InitProducerResponse = message("streamhouse.InitProducerResponse")
BeginTransactionResponse = message("streamhouse.BeginTransactionResponse")
CommitTransactionResponse = message("streamhouse.CommitTransactionResponse")
AbortTransactionResponse = message("streamhouse.AbortTransactionResponse")
HeartbeatResponse = message("streamhouse.HeartbeatResponse")
