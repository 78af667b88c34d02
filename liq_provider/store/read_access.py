"""A store that is read: its engine, and queries as rows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection, Engine, Select, select
from sqlalchemy.exc import DBAPIError

from liq_provider.errors import StoreError
from liq_provider.store.database import BUSY_TIMEOUT_S, check_revision, open_engine, store_errors
from liq_provider.store.hangup import Hangup


class ReadAccess:
    """
    Read access to a store. Holds no connection between calls; can be pickled.

    :param url: absolute SQLAlchemy URL
    :param busy_timeout_s: how long to wait for somebody else's lock
    """

    def __init__(self, url: str, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.url = url
        self.busy_timeout_s = busy_timeout_s
        self._checked = False

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self.url, "busy_timeout_s": self.busy_timeout_s, "_checked": False}

    @cached_property
    def _engine(self) -> Engine:
        return open_engine(self.url, read_only=True, busy_timeout_s=self.busy_timeout_s)

    @cached_property
    def hang_up(self) -> Hangup:
        """Breaks off a call that may never return, from another thread."""
        return Hangup(self._engine)

    def check(self) -> None:
        """
        Nothing is done where it is known to be in order.

        :raises StoreError: it is no store that this program reads
        """
        if not self._checked:
            check_revision(self._engine, must_be_current=True)
            self._checked = True

    def close(self) -> None:
        """Give pooled connections back (PostgreSQL); the reader stays usable."""
        self._engine.dispose()

    def _rows(self, query: Select[Any]) -> Sequence[Any]:
        with self._asking() as connection:
            return connection.execute(query).all()

    def _columns(self, query: Select[Any], kinds: npt.DTypeLike) -> npt.NDArray[np.void]:
        """
        Many rows, straight from the driver: an object for each costs more than the database.

        :param query: nothing in it is NULL
        :param kinds: a field for each column of the query, in its order
        :return: one record per row
        """
        with self._asking() as connection:
            failure = connection.dialect.loaded_dbapi.Error
            rows: Any = connection.execute(query).cursor
            try:
                columns: npt.NDArray[np.void] = np.fromiter(rows, np.dtype(kinds))
            except failure as error:
                raise DBAPIError.instance(str(query), None, error, failure) from error
            return columns

    def _ends(self, number: ColumnElement[int], *of: ColumnElement[bool]) -> tuple[int, int] | None:
        """
        :param number: a column that an index goes by, once ``of`` is given
        :return: its smallest and its largest value, None if there is none
        """
        # Asked for together, a database reads everything in between.
        query = select(number).where(*of).limit(1)
        first, last = (self._rows(query.order_by(by)) for by in (number, number.desc()))
        return (int(first[0][0]), int(last[0][0])) if first and last else None

    @contextmanager
    def _asking(self) -> Iterator[Connection]:
        self.check()
        try:
            with store_errors("Reading the store"), self._engine.connect() as connection:
                yield connection
        except StoreError:
            # It may be another store by now.
            self._checked = False
            raise

    def _dicts(self, query: Select[Any]) -> list[dict[str, Any]]:
        """:return: rows by the names of their columns"""
        return [dict(row._mapping) for row in self._rows(query)]

    def _dict(self, query: Select[Any]) -> dict[str, Any] | None:
        """:return: the first row, None if there is none"""
        return next(iter(self._dicts(query)), None)
