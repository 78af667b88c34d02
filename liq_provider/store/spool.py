"""Where liquidations wait on disk while the store cannot be written."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO

import orjson

from liq_provider.errors import StoreUnusable
from liq_provider.liquidation import Liquidation
from liq_provider.store.booking import Incoming

logger = logging.getLogger(__name__)


class Spool:
    """
    A bounded file of liquidations, one JSON object a line. What an earlier run left there is
    taken up again.

    :param max_bytes: what would make the file larger does not fit
    :raises StoreUnusable: the file cannot be read
    """

    def __init__(self, path: Path, max_bytes: int = 256 * 1024 * 1024) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._offset = 0
        self._taking = (0, 0, 0)
        self.waiting = self._left_over()

    def put(self, items: Sequence[Incoming]) -> int:
        """:return: how many of them, from the first on, are on disk now"""
        lines = [orjson.dumps(asdict(item)) + b"\n" for item in items]
        try:
            room = self._max_bytes - (self._path.stat().st_size if self._path.exists() else 0)
            fitting = 0
            while fitting < len(lines) and len(lines[fitting]) <= room:
                room -= len(lines[fitting])
                fitting += 1
            self._write(b"".join(lines[:fitting]))
        except OSError as error:
            logger.error("The spool %s cannot be written: %s", self._path, error)
            return 0
        self.waiting += fitting
        return fitting

    def take(self, count: int) -> list[Incoming]:
        """
        :return: the oldest ones that wait, the same again until ``taken`` is called; fewer or
            none where lines are broken
        """
        found: list[Incoming] = []
        if not self.waiting:
            return found
        with self._readable() as file:
            file.seek(self._offset)
            lines = [line for _, line in zip(range(count), file, strict=False)]
        for line in lines:
            incoming = _read(line)
            if incoming is not None:
                found.append(incoming)
        self._taking = (sum(map(len, lines)), len(lines), len(lines) - len(found))
        return found

    def taken(self) -> int:
        """
        What ``take`` gave is in the store.

        :return: how many lines had to be left out because they are broken
        """
        size, lines, broken = self._taking
        self._taking = (0, 0, 0)
        self._offset += size
        # Without a line the file is shorter than it was: somebody else took it away.
        self.waiting = self.waiting - lines if lines else 0
        if not self.waiting:
            self._path.unlink(missing_ok=True)
            self._offset = 0
        if broken:
            logger.error("%d broken lines in %s were left out", broken, self._path)
        return broken

    def _left_over(self) -> int:
        if not self._path.exists():
            return 0
        with self._readable() as file:
            lines, line = 0, b"\n"
            for line in file:  # noqa: B007
                lines += 1
        if not line.endswith(b"\n"):
            # The process died while it wrote; the next line must not be appended to that one.
            self._write(b"\n")
        return lines

    def _write(self, data: bytes) -> None:
        """All or nothing, for the same reason."""
        with self._path.open("ab", buffering=0) as file:
            before = file.seek(0, SEEK_END)
            try:
                written = file.write(data)
                if written != len(data):
                    raise OSError(f"only {written} of {len(data)} bytes were written")
            except OSError:
                file.truncate(before)
                raise

    @contextmanager
    def _readable(self) -> Iterator[BinaryIO]:
        try:
            with self._path.open("rb") as file:
                yield file
        except OSError as error:
            raise StoreUnusable(f"{self._path}: {error.strerror}") from error


def _read(line: bytes) -> Incoming | None:
    try:
        raw = orjson.loads(line)
        return Incoming(Liquidation(**raw["liquidation"]), raw["since_ms"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
