"""What several commands need; none of it is a command."""
