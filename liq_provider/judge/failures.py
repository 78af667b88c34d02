"""What can go wrong with a judge, in words that are counted and shown."""

from typing import Final

TOO_LATE: Final = "too late"
NOT_LOADED: Final = "not loaded"

# Failures of somebody who was not asked do not count against him.
NOT_ASKED: Final = frozenset({"no key", "over budget", "circuit open", TOO_LATE, NOT_LOADED})

# What a judge said, or should have said: another sidecar need not hear it again.
HEARD: Final = frozenset(
    {"timeout", "refused", "empty", "too long", "malformed", "wrong symbol", "contradictory"}
)
