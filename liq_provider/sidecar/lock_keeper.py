"""Being the one sidecar of a store, also after somebody removed the file that says so."""

import logging
from pathlib import Path

from filelock import FileLock, Timeout

from liq_provider.sidecar.sidecar_files import SidecarFiles

logger = logging.getLogger(__name__)

_WAIT_S = 0.5


class LockKeeper:
    """
    A lock on a file that was removed locks nobody out.

    :param files: whose lock this process holds; if it holds none there is nothing to keep
    :param run: which run of the sidecar this is
    """

    def __init__(self, files: SidecarFiles, run: str = "") -> None:
        self._files = files
        self._run = run
        # All that this process holds: a directory that was away may come back.
        first = _id_or_nothing(files.lock)
        self._held = set() if first is None else {first}
        self._again: list[FileLock] = []

    def keep(self) -> bool:
        """
        Take the lock again if its file is another one. Blocks for a moment.

        :return: False if another sidecar has it now
        """
        try:
            if not self._held or _id_of(self._files.lock) in self._held:
                return True
            lock = self._files.take_again(self._run, _WAIT_S)
        except Timeout:
            # It may have been put back meanwhile.
            return _id_or_nothing(self._files.lock) in self._held
        except OSError as error:
            # Its directory is away, or its disk does not answer; a later look may tell.
            logger.debug("The lock %s: %s", self._files.lock, error)
            return True
        self._again.append(lock)
        held = _id_or_nothing(self._files.lock)
        if held is not None:
            self._held.add(held)
        logger.warning("The lock %s had been removed; it is held again.", self._files.lock)
        return True


def _id_of(path: Path) -> tuple[int, int] | None:
    """
    :return: None if there is no such file
    :raises OSError: it cannot be told
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _id_or_nothing(path: Path) -> tuple[int, int] | None:
    try:
        return _id_of(path)
    except OSError:
        return None
