"""What a user may set, checked once, and what the pure numbers are told of it."""
