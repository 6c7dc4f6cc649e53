"""REST, measured from another process."""
