"""Keys land where Kafka's Java client puts them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restock.engine.stream.murmur2 import murmur2, partition_for

VECTORS = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}


@pytest.mark.parametrize(("key", "expected"), VECTORS.items())
def test_the_hash_is_that_of_kafka(key: str, expected: int) -> None:
    assert murmur2(key.encode()) == expected


def test_the_partition_drops_the_sign_and_takes_the_remainder() -> None:
    assert partition_for("21", 1000) == ((-973932308) & 0x7FFFFFFF) % 1000
    assert partition_for("abc", 6) == 479470107 % 6


@given(st.text(), st.integers(1, 256))
def test_text_and_its_utf8_bytes_share_a_partition_in_range(key: str, partitions: int) -> None:
    assert partition_for(key, partitions) == partition_for(key.encode(), partitions)
    assert 0 <= partition_for(key, partitions) < partitions
