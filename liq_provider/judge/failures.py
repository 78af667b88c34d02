"""What can go wrong with a model, in words that are counted and shown."""

from typing import Final

# Failures of somebody who was not asked do not count against him.
NOT_ASKED: Final = frozenset({"no key", "over budget", "circuit open", "too late"})

# What a model was paid for to say, or should have said: another sidecar need not hear it again.
HEARD: Final = frozenset(
    {"timeout", "refused", "empty", "too long", "malformed", "wrong symbol", "contradictory"}
)
