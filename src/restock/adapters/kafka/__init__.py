"""The stream on Kafka, by confluent-kafka (extra `kafka`); only `restock.adapters.streams` imports it, and late.

`stream` fulfils the port; `publisher`, `reading` and `member` each keep a synchronous client on a thread of its own and hand
results to the event loop (the client's own asyncio producer refuses headers); `positions` asks for and sets what groups
have committed; `client` has what they share.
"""
