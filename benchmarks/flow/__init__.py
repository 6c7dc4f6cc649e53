"""The flow in process."""
