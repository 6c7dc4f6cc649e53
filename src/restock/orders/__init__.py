"""Customer orders, and the demand that follows from what was sold."""
