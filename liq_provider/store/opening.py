"""
Opening the store when it can be opened, and again when it is another than the one that is open.

A file that was removed or replaced goes on existing for whoever has it open: everything would
be written into it, and nobody else would ever see it.
"""

import logging
import time
from pathlib import Path

from sqlalchemy.engine import make_url

from liq_provider.errors import LiqError, NoStore, StoreTooNew, StoreUnusable, UsageError
from liq_provider.store.writer import Writer

logger = logging.getLogger(__name__)

_LOOK_S = 2.0

_FileId = tuple[int, int]
_ENDINGS = ("", "-wal", "-shm")


class Opening:
    """
    All of it runs in the store's thread.

    :param writer: that is opened here
    :param url: absolute URL of the store
    :ivar refusal: why the store that was there at the start is not for this sidecar
    """

    def __init__(self, writer: Writer, url: str) -> None:
        self.refusal: LiqError | None = None
        self._writer = writer
        parsed = make_url(url)
        is_file = parsed.get_backend_name() == "sqlite" and parsed.database
        self._path = Path(parsed.database or "") if is_file else None
        # Of the database itself and of the files that SQLite keeps beside it.
        self._open_files: dict[str, _FileId | None] = {}
        self._tried = False
        self._looked_s = float("-inf")
        self._served = False

    def is_due(self) -> bool:
        """:return: whether ``ensure`` should be called although nothing is to be written"""
        return not self._writer.opened or time.monotonic() - self._looked_s > _LOOK_S

    def ensure(self) -> bool:
        """
        Have the store open that is there now.

        :return: True if it is another one than before
        :raises StoreError: it cannot be opened
        """
        self._looked_s = time.monotonic()
        if self._writer.opened and self._moved():
            logger.error(
                "%s was removed or replaced while it was open; the sidecar goes over to what "
                "is there now. What only the old file held is not in it.",
                self._path,
            )
            self._writer.shut()
            self._remove_leftovers()
        if self._writer.opened:
            return False
        before = self._open_files.get("")
        made = self._open()
        # Not by ``moved``: it may have taken several attempts, or been put back meanwhile.
        another = self._served and (made or self._open_files.get("") != before)
        self._served = True
        return another

    def doubt(self) -> None:
        """An error that a look at the store's version may explain: look before it is used."""
        self._writer.shut()

    def _open(self) -> bool:
        first, self._tried = not self._tried, True
        if self._served and self._path is not None and not self._path.parent.is_dir():
            # Made anew it would be in the way of the one that is moved or mounted back.
            raise StoreUnusable(f"{self._path.parent} is away; put it back, or make an empty one")
        try:
            made = self._writer.open()
            self._writer.refuse_if_stale()
        except (NoStore, StoreTooNew, UsageError) as error:
            self._writer.shut()
            # Once liquidations wait for it, it is better to go on than to end.
            self.refusal = error if first else None
            raise StoreUnusable(str(error)) from error
        except BaseException:
            self._writer.shut()
            raise
        if self._path is not None:
            self._open_files = {ending: _id_of(self._beside(ending)) for ending in _ENDINGS}
        return made

    def _moved(self) -> bool:
        if self._path is None:
            return False
        return _id_of(self._path) != self._open_files.get("")

    def _remove_leftovers(self) -> None:
        """
        The old file's log would be taken for the new one's, and overwrite what a restored
        backup holds. One that came with the backup is another file, and stays.
        """
        for ending in _ENDINGS[1:]:
            path, known = self._beside(ending), self._open_files.get(ending)
            try:
                if known is not None and _id_of(path) == known:
                    path.unlink()
            except OSError as error:
                raise StoreUnusable(
                    f"{path} belongs to a store that was replaced and cannot be removed: "
                    f"{error.strerror}"
                ) from error

    def _beside(self, ending: str) -> Path:
        path = self._path or Path()
        return path.with_name(path.name + ending) if ending else path


def _id_of(path: Path) -> _FileId | None:
    """:return: what tells a file from another of the same name, None if there is none"""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnusable(f"{path}: {error.strerror}") from error
    return status.st_dev, status.st_ino
