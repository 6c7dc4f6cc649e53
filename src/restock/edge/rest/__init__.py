"""REST: the operation table over HTTP, with problem documents, idempotency keys, probes, metrics and its own manual."""
