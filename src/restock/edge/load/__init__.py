"""Orders sent to a running server over REST, as its customers send them: made up, the published twenty, or a real shop's."""
