"""Pure values that every other package may use; standard library only."""
