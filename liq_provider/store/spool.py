"""Where liquidations wait on disk while the store cannot be written."""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from liq_provider.core import private_files
from liq_provider.core.liquidation import minutes_of
from liq_provider.errors import StoreUnusable
from liq_provider.store import spool_line
from liq_provider.store.booked_minute import Incoming

logger = logging.getLogger(__name__)

_MAX_BYTES = 256 * 1024 * 1024
_MAX_ASIDE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Waiting:
    """
    What waits, the oldest first.

    :param copies: these were written while a call to the store had them in hand, so they may
        be in the store already
    """

    orders: list[Incoming]
    copies: bool = False


@dataclass(frozen=True, slots=True)
class Removed:
    """
    What waited in a file that somebody took away.

    :param lines: how many
    :param minutes: venue, coin and start of each minute that they may have counted in; without
        those of an earlier run, which claims no minute any more
    """

    lines: int
    minutes: frozenset[tuple[str, str, int]]


class Spool:
    """
    A bounded file of liquidations, one a line with its checksum (see ``spool_line``). What an
    earlier run left there is taken up again; lines that cannot be one are set aside in a file
    beside it. Several threads may use it.

    :param max_bytes: what would make the file larger does not fit
    :ivar waiting: lines that were not taken yet
    :ivar set_aside: lines and liquidations in the file beside it since the start, or that found
        no room there any more
    :ivar error: why it cannot be used, None if it can
    """

    def __init__(self, path: Path, max_bytes: int = _MAX_BYTES) -> None:
        self._path = path
        self._aside = path.with_name(path.name + "-bad")
        self._max_bytes = max_bytes
        self._offset = 0
        self._taking: tuple[int, int, list[bytes]] = (0, 0, [])
        # The file as we left it: somebody may remove it, cut it, or put another in its place.
        self._file: tuple[int, int] | None = None
        self._end = 0
        self._minutes: set[tuple[str, str, int]] = set()
        self._removed = Removed(0, frozenset())
        self._lock = Lock()
        self.set_aside = 0
        self.error: str | None = None
        self.waiting = 0
        try:
            self._look()
        except OSError as error:
            # Recording does not depend on it as long as the store answers.
            self._failed(error)

    def put(self, orders: Sequence[Incoming], *, copies: bool = False) -> int:
        """
        :param copies: a call to the store has them in hand
        :return: how many of them, from the first on, are on disk now, whatever becomes of us
        """
        lines = [spool_line.write(order, copies) for order in orders]
        with self._lock:
            try:
                size = self._look()
                room, fitting = self._max_bytes - size, 0
                while fitting < len(lines) and len(lines[fitting]) <= room:
                    room -= len(lines[fitting])
                    fitting += 1
                _append(self._path, b"".join(lines[:fitting]))
                self.waiting += fitting
                for order in (incoming.liquidation for incoming in orders[:fitting]):
                    key = (order.venue, order.base_asset)
                    self._minutes |= {(*key, minute_ms) for minute_ms in minutes_of(order)}
                if fitting:
                    self._file, self._end = _measure(self._path)
            except OSError as error:
                self._failed(error)
                return 0
            self._works(fitting == len(lines))
        return fitting

    def take(self, count: int) -> Waiting:
        """
        :return: the oldest ones that wait, the same again until ``taken`` is called; fewer or
            none where lines are broken, or the file was taken away
        :raises StoreUnusable: it cannot be read
        """
        orders: list[Incoming] = []
        bad: list[bytes] = []
        copies: bool | None = None
        size = lines = 0
        with self._lock:
            if not self.waiting:
                return Waiting([])
            with self._readable() as file:
                if file is None:
                    return Waiting([])
                file.seek(self._offset)
                for line in file:
                    read = spool_line.read(line)
                    if read is not None and copies not in (None, read[1]):
                        break
                    size, lines = size + len(line), lines + 1
                    if read is None:
                        bad.append(line)
                    else:
                        orders.append(read[0])
                        copies = read[1]
                    if lines == count:
                        break
            self._taking = (size, lines, bad)
            if not lines:
                self._give_up()
        return Waiting(orders, bool(copies))

    def taken(self) -> int:
        """
        What ``take`` gave is in the store.

        :return: how many lines had to be set aside because they are broken
        """
        with self._lock:
            size, lines, bad = self._taking
            self._taking = (0, 0, [])
            self._offset += size
            self.waiting -= lines
            if bad:
                self._keep_aside(bad)
                logger.error(
                    "%d lines of %s are no liquidations; they are in %s",
                    *(len(bad), self._path, self._aside),
                )
            if not self.waiting:
                self._remove()
        return len(bad)

    def removed(self) -> Removed:
        """:return: what was taken away since the last call"""
        with self._lock:
            removed, self._removed = self._removed, Removed(0, frozenset())
        return removed

    def put_aside(self, incoming: Incoming) -> None:
        """Keep one that the store refuses for what it is, for somebody to look at."""
        with self._lock:
            self._keep_aside([spool_line.write(incoming)])

    def _look(self) -> int:
        """:return: the size of the file; is it not the one that we left, it is begun anew"""
        file, size = _measure(self._path)
        if file != self._file or size < self._end:
            self._give_up()
            self._offset, self._file = 0, file
            self.waiting = self._left_over()
            _, self._end = _measure(self._path)
        return size

    def _give_up(self) -> None:
        """What waits was taken away."""
        if self.waiting:
            logger.error(
                "%s was removed or replaced; the %d liquidations that waited there are lost",
                *(self._path, self.waiting),
            )
            self._removed = Removed(
                self._removed.lines + self.waiting, self._removed.minutes | self._minutes
            )
        self._taking = (0, 0, [])
        self._minutes.clear()
        self.waiting = 0

    def _left_over(self) -> int:
        try:
            if not self._path.is_file():
                return 0
            with self._path.open("rb") as file:
                lines, line = 0, b"\n"
                for line in file:  # noqa: B007
                    lines += 1
            if not line.endswith(b"\n"):
                # The process died while it wrote; the next line must not be appended to that one.
                _append(self._path, b"\n")
        except OSError as error:
            # Recording does not depend on it as long as the store answers.
            self._failed(error)
            return 0
        return lines

    def _keep_aside(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            self.set_aside += 1
            try:
                size = self._aside.stat().st_size if self._aside.exists() else 0
                if size + len(line) <= _MAX_ASIDE_BYTES:
                    _append(self._aside, line if line.endswith(b"\n") else line + b"\n")
            except OSError as error:
                self._failed(error)

    def _remove(self) -> None:
        try:
            self._minutes.clear()
            self._path.unlink(missing_ok=True)
            self._offset, self._file, self._end = 0, None, 0
        except OSError as error:
            # What is in it is stored again by the next run, which changes nothing.
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        if self.error is None:
            logger.error("The spool %s cannot be written: %s", self._path, error)
        self.error = f"{self._path}: {error.strerror or error}"

    def _works(self, all_fitted: bool) -> None:
        if all_fitted:
            self.error = None
        elif self.error is None:
            self.error = f"{self._path}: full, it holds {self._max_bytes:,} bytes"
            logger.error("The spool is full: %s", self.error)

    @contextmanager
    def _readable(self) -> Iterator[BinaryIO | None]:
        """None if nothing waits there any more."""
        try:
            self._look()
            if not self.waiting:
                yield None
                return
            with self._path.open("rb") as file:
                yield file
        except OSError as error:
            raise StoreUnusable(f"{self._path}: {error.strerror}") from error


def _measure(path: Path) -> tuple[tuple[int, int] | None, int]:
    """:return: what tells the file from another of its name, and its size"""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None, 0
    return (status.st_dev, status.st_ino), status.st_size


def waiting_in(path: Path) -> int:
    """:return: lines of somebody else's spool; without changing anything"""
    try:
        with path.open("rb") as file:
            return sum(1 for _ in file)
    except OSError:
        return 0


def waiting_words(path: Path | str, waiting: int) -> str:
    """:return: what ``waiting_in`` counted, said"""
    return f"{waiting:,} {'liquidation waits' if waiting == 1 else 'liquidations wait'} in {path}"


def _append(path: Path, lines: bytes) -> None:
    """All or nothing: what comes later must not be appended to half a line."""
    if not lines:
        return
    with open(path, "ab", buffering=0, opener=private_files.opener) as file:
        before = file.seek(0, SEEK_END)
        try:
            written = file.write(lines)
            if written != len(lines):
                raise OSError(f"only {written} of {len(lines)} bytes were written")
            os.fsync(file.fileno())
        except OSError:
            file.truncate(before)
            raise
