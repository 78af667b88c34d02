"""Who is the one sidecar of a store, also after somebody removed the file that says so."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from liq_provider.core import private_files
from liq_provider.errors import StoreUnusable
from liq_provider.sidecar.process_mark import ProcessMark
from liq_provider.sidecar.sidecar_files import SidecarFiles

logger = logging.getLogger(__name__)

# Not at once: others take the lock for a moment to see whether it is free.
_WAIT_S = 0.5


class SidecarLock:
    """
    The lock beside a store: asked about, held, and kept.

    :param run: which run of the sidecar this is
    """

    def __init__(self, files: SidecarFiles, run: str = "") -> None:
        self._files = files
        self._run = run
        # All that this process holds: a directory that was away may come back. A lock on a file
        # that was removed locks nobody out.
        first = _id_or_nothing(files.lock)
        self._held = set() if first is None else {first}
        self._again: list[FileLock] = []

    def running(self) -> bool:
        """:return: True if a sidecar holds the lock"""
        if not self._files.lock.exists():
            return False
        lock = self._new_lock()
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return True
        except OSError:
            return False
        lock.release()
        return False

    def holder(self) -> ProcessMark | None:
        """:return: who holds the lock, None if nobody does or it cannot be told"""
        return self._said() if self.running() else None

    @contextmanager
    def held(self) -> Iterator[bool]:
        """
        Be the one sidecar of this store.

        :return: False if another one is running
        :raises StoreUnusable: the directory cannot be written
        """
        path = self._files.lock
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = self._new_lock()
            lock.acquire(timeout=_WAIT_S)
        except Timeout:
            yield False
            return
        except OSError as error:
            raise StoreUnusable(
                f"{path}: {error.strerror}; check that the directory of "
                "liq_provider.store exists and is writable"
            ) from error
        try:
            # They were for sidecars of before.
            self._files.forget_requests()
            self._write_pid()
            yield True
        finally:
            # Another one may have taken the lock meanwhile, if somebody removed its file.
            if self._said() == ProcessMark.mine(self._run):
                self._files.pid.unlink(missing_ok=True)
                self._files.forget_requests()
            lock.release()

    def keep(self) -> bool:
        """
        Take the lock again if its file is another one than it was when this object was made.
        Blocks for a moment; without such a file there was nothing to keep.

        :return: False if another sidecar has it now
        """
        try:
            if not self._held or _id_of(self._files.lock) in self._held:
                return True
            lock = self._taken_again()
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

    def _taken_again(self) -> FileLock:
        """
        :raises Timeout: another sidecar has it
        :raises OSError: its directory is away
        """
        # The lock would make it anew, and what was moved away could not be moved back.
        self._files.lock.parent.stat()
        lock = self._new_lock()
        lock.acquire(timeout=_WAIT_S)
        self._write_pid()
        return lock

    def _new_lock(self) -> FileLock:
        path = self._files.lock
        return FileLock(path, mode=private_files.mode_in(path.parent))

    def _said(self) -> ProcessMark | None:
        try:
            return ProcessMark.read(self._files.pid.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def _write_pid(self) -> None:
        try:
            private_files.replace_text(self._files.pid, ProcessMark.mine(self._run).write())
        except OSError as error:
            # A disk that is full now is no reason not to record.
            logger.warning("%s: %s", self._files.pid, error.strerror)


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
