"""The stream as people see it: topics, groups, lag, records, what a record led to."""
