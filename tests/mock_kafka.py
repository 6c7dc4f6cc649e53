"""Kafka without a broker: the mock cluster inside the client's library, with real sockets and answers that can be scripted.

It keeps records and offsets of groups in memory. It makes no topics by request, so tests make them here.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import confluent_kafka

PRODUCE, OFFSET_COMMIT = 0, 8
"""Requests by their number in Kafka's protocol."""

_FOLDER = Path(confluent_kafka.__file__).parent.with_suffix(".libs")


class MockCluster:
    """Brokers numbered from 1, one unless told otherwise; `servers` is their address."""

    def __init__(self, brokers: int = 1) -> None:
        (library,) = _FOLDER.glob("librdkafka*")
        self._lib = ctypes.CDLL(str(library))
        for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
            getattr(self._lib, name).restype = ctypes.c_void_p
        self._lib.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
        reason = ctypes.create_string_buffer(256)
        settings = ctypes.c_void_p(self._lib.rd_kafka_conf_new())
        self._client = ctypes.c_void_p(self._lib.rd_kafka_new(0, settings, reason, ctypes.c_size_t(256)))
        self._cluster = ctypes.c_void_p(self._lib.rd_kafka_mock_cluster_new(self._client, brokers))
        self._lib.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, ctypes.c_int32(0))
        self.servers = self._lib.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def create_topic(self, name: str, partitions: int) -> None:
        assert self._lib.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1) == 0

    def answer(self, request: int, *errors: int) -> None:
        """Let the next requests of a kind be answered with these errors."""
        values = (ctypes.c_int * len(errors))(*errors)
        self._lib.rd_kafka_mock_push_request_errors_array(
            self._cluster, ctypes.c_int16(request), ctypes.c_size_t(len(errors)), values
        )

    def lead(self, topic: str, partition: int, broker: int) -> None:
        """Let a broker be the leader of a partition from now on."""
        assert self._lib.rd_kafka_mock_partition_set_leader(self._cluster, topic.encode(), partition, broker) == 0

    def down(self) -> None:
        self._lib.rd_kafka_mock_broker_set_down(self._cluster, ctypes.c_int32(1))

    def up(self) -> None:
        self._lib.rd_kafka_mock_broker_set_up(self._cluster, ctypes.c_int32(1))

    def close(self) -> None:
        self._lib.rd_kafka_mock_cluster_destroy(self._cluster)
        self._lib.rd_kafka_destroy(self._client)
