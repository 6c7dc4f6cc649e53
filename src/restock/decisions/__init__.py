"""Facts in, decision and explanation out. Rules decide and never act."""
