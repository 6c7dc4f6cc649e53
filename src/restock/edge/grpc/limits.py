"""What server and client of gRPC agree on beside the calls themselves."""

from __future__ import annotations

MOST_BYTES = 16 << 20
"""Bytes of one request or answer: a batch of records, each of which may have 1 MiB; a thousand decisions are 3 MiB."""

ERROR_KEY = "restock-error-bin"
"""The trailing metadata in which an error of Restock travels whole."""

DEFECT = "Something went wrong in Restock; the details are in its log."
"""What a server says of an error that nobody foresaw."""
