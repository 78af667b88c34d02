"""The strategy's callbacks are tested in the bot's own surroundings."""

from tests.integration.conftest import sim, store

__all__ = ["sim", "store"]
