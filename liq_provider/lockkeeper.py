"""Being the one sidecar of a store, also after somebody removed the file that says so."""

import logging
from pathlib import Path

from filelock import FileLock, Timeout

from liq_provider.runtime import RuntimeFiles

logger = logging.getLogger(__name__)

_WAIT_S = 0.5


class LockKeeper:
    """
    A lock on a file that was removed locks nobody out.

    :param files: whose lock this process holds; if it holds none there is nothing to keep
    :param run: which run of the sidecar this is
    """

    def __init__(self, files: RuntimeFiles, run: str = "") -> None:
        self._files = files
        self._run = run
        self._held = _id_of(files.lock)
        self._again: FileLock | None = None

    def keep(self) -> bool:
        """
        Take the lock again if its file is another one. Blocks for a moment.

        :return: False if another sidecar has it now
        """
        if self._held is None or _id_of(self._files.lock) == self._held:
            return True
        try:
            lock = self._files.take_again(self._run, _WAIT_S)
        except Timeout:
            return False
        except OSError as error:
            logger.debug("The lock %s: %s", self._files.lock, error)
            return True  # its directory is away; the next look may find it
        self._again, self._held = lock, _id_of(self._files.lock)
        logger.warning("The lock %s had been removed; it is held again.", self._files.lock)
        return True


def _id_of(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
