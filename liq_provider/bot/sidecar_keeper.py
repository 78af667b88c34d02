"""Keeping the sidecar: the bot's heartbeat, and starting it where it does not run."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from liq_provider.bot.autostart import Autostart
from liq_provider.bot.background import Background
from liq_provider.sidecar.sidecar_files import SidecarFiles

logger = logging.getLogger(__name__)

_EVERY_S = 0.5
_SAID_AFTER_S = 30.0

Place = tuple[SidecarFiles, Autostart | None]


class SidecarKeeper:
    """
    Touches the files, which may lie on a mount that hangs, so in a thread of its own.

    :param find: where they are, and what starts the sidecar, None where it is a service of its
        own; called in that thread, too
    """

    def __init__(self, find: Callable[[], Place]) -> None:
        self.told: Mapping[str, Any] | None = None
        self._find = find
        self._place: Place | None = None
        self._error: str | None = None

    def __call__(self, before: None, answered: Callable[[], None]) -> None:
        """Once for each loop of the bot: one that stands still is no longer there."""
        told, self.told = self.told, None
        if told is not None:
            self.work(told)
        answered()

    def hang_up(self) -> None:
        """What waits for a file cannot be broken off."""

    def close(self) -> None:
        """The sidecar goes on."""

    def work(self, told: Mapping[str, Any]) -> None:
        """
        Blocks for as long as the files do. What fails is logged once and tried again in the
        next loop: a bot that is started again has positions to manage, whatever the store does.
        """
        try:
            files, autostart = self._place = self._place or self._find()
            try:
                files.beat(told)
            finally:
                if autostart is not None:
                    autostart.ensure()
            self._error = None
        except Exception as error:
            if repr(error) != self._error:
                logger.error(
                    "liq_provider.store: the sidecar cannot be started or watched beside %s (%s); "
                    "check that its directory exists and is writable",
                    *(self._place[0].prefix if self._place else "the store", error),
                    exc_info=None if isinstance(error, OSError) else error,
                )
            self._error = repr(error)


class SidecarWatch:
    """
    :param find: see ``SidecarKeeper``
    """

    def __init__(self, find: Callable[[], Place]) -> None:
        self._keeper = keeper = SidecarKeeper(find)
        self._thread: Background[None] = Background(
            "liqtrend-watch", lambda: keeper, None, _EVERY_S
        )
        self._silence_said = False

    def ask(self, told: Mapping[str, Any]) -> None:
        """
        The bot's loop is alive; never waits.

        :param told: about the bot, for the dashboard; is not changed any more
        """
        self._keeper.told = told
        self._thread.take()
        silent_s = self._thread.unanswered_s
        if silent_s > _SAID_AFTER_S and not self._silence_said:
            logger.warning(
                "liq_provider.store: the files beside it have not answered for %.0f s; the bot's "
                "heartbeat and restarts of the sidecar wait",
                silent_s,
            )
        self._silence_said = silent_s > _SAID_AFTER_S

    def end(self) -> None:
        """The bot ends, or is configured anew; the sidecar goes on."""
        self._thread.end()
