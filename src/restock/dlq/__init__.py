"""Dead letters as people see them: what a group could not handle, and what was decided about it."""
