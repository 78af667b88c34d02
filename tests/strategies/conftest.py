"""The strategy's callbacks are tested in the bot's own surroundings."""

from tests.integration.conftest import full_minute, sim, store

__all__ = ["full_minute", "sim", "store"]
