"""What the files beside the store tell: which bots are there, and whether we are alone."""

import asyncio
import logging
import time
from dataclasses import dataclass, replace
from typing import Any

from liq_provider.core.one_thread import OneThread
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.sidecar.sidecar_lock import SidecarLock

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Told:
    bots: list[dict[str, Any]]
    beat_s: float | None
    alone: bool


class Neighbours:
    """
    The bots of this machine, and any other sidecar of the same store. They are looked for from a
    thread of its own: the files lie on a disk that may hang.

    :param files: whose lock this process holds, if it holds one
    :param own_run: which run of the sidecar this is
    :param idle_exit_min: end when no bot was there for so long; None: serve without any
    """

    def __init__(
        self, files: SidecarFiles, own_run: str = "", idle_exit_min: float | None = None
    ) -> None:
        self._files = files
        self._lock = SidecarLock(files, own_run)
        self._idle_exit_min = idle_exit_min
        self._begun_s = time.monotonic()
        self._told = _Told([], None, True)
        self._thread = OneThread("beside")
        self._looking: asyncio.Future[_Told] | None = None

    @property
    def bots(self) -> list[dict[str, Any]]:
        """What the bots that are there told about themselves."""
        return self._told.bots

    @property
    def alone(self) -> bool:
        """No other sidecar serves this store."""
        return self._told.alone

    @property
    def idle_s(self) -> float:
        """How long no bot has been there, counted from the start."""
        since_s = time.monotonic() - self._begun_s
        return since_s if self._told.beat_s is None else min(self._told.beat_s, since_s)

    async def look(self, within_s: float) -> None:
        """
        :param within_s: later it goes on by itself, and what was told before stands
        """
        if self._looking is None:
            loop = asyncio.get_running_loop()
            self._looking = loop.run_in_executor(self._thread, self._read)
        await asyncio.wait({self._looking}, timeout=within_s)
        if self._looking.done():
            looking, self._looking = self._looking, None
            self._told = looking.result()

    def is_time_to_end(self) -> bool:
        """:return: whether the sidecar is to end because of them; the reason is logged"""
        if self._idle_exit_min is not None and self.idle_s > self._idle_exit_min * 60:
            logger.info("No bot for %g minutes; ending", self._idle_exit_min)
            return True
        if not self.alone:
            logger.error("Another sidecar serves this store now; ending")
        return not self.alone

    def close(self) -> None:
        """Look no more."""
        self._thread.shutdown(wait=False)

    def _read(self) -> _Told:
        alone = self._lock.keep()
        try:
            return _Told(self._files.bots(), self._files.last_beat_s(), alone)
        except OSError as error:
            logger.debug("Beside the store: %s", error)
            return replace(self._told, alone=alone)
