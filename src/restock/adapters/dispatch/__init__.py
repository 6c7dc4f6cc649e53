"""Channels over which purchase orders reach suppliers: files today, mail and webhooks later."""
