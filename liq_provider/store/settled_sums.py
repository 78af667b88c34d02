"""
What settled minutes brought, kept for whoever looks at the same coins minute after minute.

Nothing is added to a settled minute any more, so each is read once. Only who changes the past does,
as an import: that is said in the store (``statements.change_past``), and then all is read anew.
What is known of minutes changes all the time. It is little, and read each time.
"""

from collections.abc import Sequence
from threading import Lock

import numpy as np
import numpy.typing as npt

from liq_provider.core.durations import HOUR_MS, MINUTE_MS
from liq_provider.measure.minute_grid import MinuteGrid
from liq_provider.store.grids import Sums, dense, rows_by_coin
from liq_provider.store.reader import Reader
from liq_provider.store.statements import PAST

_Rows = npt.NDArray[np.void]

# A row of ``minutes``: when, and which of the venues.
_ROW = [
    ("minute_ms", np.int64),
    ("venue", np.int64),
    ("long_usd", np.float64),
    ("short_usd", np.float64),
    ("count", np.int64),
]
_NOTHING: _Rows = np.zeros(0, _ROW)

# Some look back from the running minute, others from one that was missed half an hour ago.
_SPARE_MS = HOUR_MS


class SettledSums:
    """
    Several threads may ask it; one is answered after the other, by what the first one read.

    :param reader: of the store; its coverage, doubts and fills are asked for each time
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._lock = Lock()
        self._made_for: tuple[object, ...] = ()
        # All rows of these coins in this span are here.
        self._rows: dict[str, _Rows] = {}
        self._from_ms = self._to_ms = 0

    def clear(self) -> None:
        """The store is another one. Waits for nobody who reads it."""
        self._made_for = ()

    def grids(
        self, base_assets: Sequence[str], venues: Sequence[str], from_ms: int, to_ms: int
    ) -> dict[str, MinuteGrid]:
        """See ``Reader.grids``: the same, to the last bit."""
        with self._lock:
            booked = self._sums(base_assets, tuple(sorted(venues)), from_ms, to_ms)
        return self._reader.grids(base_assets, venues, from_ms, to_ms, booked)

    def _sums(
        self, base_assets: Sequence[str], names: tuple[str, ...], from_ms: int, to_ms: int
    ) -> dict[str, Sums]:
        # First of all: what changes afterwards is noticed the next time.
        facts = self._reader.states(["watermark_ms", PAST])
        settled_ms = int(facts.get("watermark_ms") or 0)
        if (names, facts.get(PAST)) != self._made_for or settled_ms < self._to_ms:
            self._rows, self._made_for = {}, (names, facts.get(PAST))
        self._advance(names, from_ms, min(settled_ms, to_ms))
        new = [base for base in base_assets if base not in self._rows]
        if new:
            self._from_ms = max(self._from_ms, from_ms - _SPARE_MS)
            self._rows |= self._read(new, new, names, self._from_ms, self._to_ms)
        # What may still be added to is read each time.
        open_ms, running = max(self._to_ms, from_ms), {}
        if open_ms < to_ms:
            running = self._read(base_assets, base_assets, names, open_ms, to_ms)
        shape = len(names), (to_ms - from_ms) // MINUTE_MS
        return {
            base: _dense(shape, from_ms, self._rows[base], running.get(base, _NOTHING))
            for base in base_assets
        }

    def _advance(self, names: tuple[str, ...], from_ms: int, settled_ms: int) -> None:
        """Have the minutes up to ``settled_ms`` of the coins that are here."""
        if not self._rows or not self._from_ms <= from_ms < self._to_ms:
            self._rows, self._from_ms, self._to_ms = {}, 0, max(from_ms, settled_ms)
        if settled_ms <= self._to_ms:
            return
        # Of all coins: whoever had none in these minutes costs nothing.
        new = self._read(None, list(self._rows), names, self._to_ms, settled_ms)
        self._from_ms = max(self._from_ms, from_ms - _SPARE_MS)
        kept = {}
        for base, rows in self._rows.items():
            newer = new[base]
            if len(newer):
                since = np.searchsorted(rows["minute_ms"], self._from_ms)
                newer = np.concatenate([rows[since:], newer])
            else:
                newer = rows
            if len(newer) and newer["minute_ms"][-1] >= from_ms:
                kept[base] = newer
        self._rows, self._to_ms = kept, settled_ms

    def _read(
        self,
        asked: Sequence[str] | None,
        base_assets: Sequence[str],
        names: tuple[str, ...],
        from_ms: int,
        to_ms: int,
    ) -> dict[str, _Rows]:
        """
        :param asked: None for all that the store has
        :param base_assets: those that are wanted
        :return: their rows, by time
        """
        rows = self._reader.sum_rows(asked, names, from_ms, to_ms)
        if asked is not None and len(asked) == 1:
            by_coin = {asked[0]: rows}
        else:
            if asked is None:
                wanted = map(set(base_assets).__contains__, rows["coin"])
                rows = rows[np.fromiter(wanted, np.bool_, len(rows))]
            by_coin = rows_by_coin(rows, base_assets)
        minutes = (to_ms - from_ms) // MINUTE_MS
        return {base: _dated(own, from_ms, minutes) for base, own in by_coin.items()}


def _dated(rows: _Rows, from_ms: int, minutes: int) -> _Rows:
    """:return: rows of one coin in a grid as those of a time, ascending"""
    dated: _Rows = np.empty(len(rows), _ROW)
    dated["venue"], column = np.divmod(rows["cell"], minutes)
    dated["minute_ms"] = from_ms + column * MINUTE_MS
    for name in ("long_usd", "short_usd", "count"):
        dated[name] = rows[name]
    # Two markets of one venue and minute stay in their order, and so the bits of their sum.
    return dated[np.argsort(dated["minute_ms"], kind="stable")]


def _dense(shape: tuple[int, int], from_ms: int, kept: _Rows, running: _Rows) -> Sums:
    _, minutes = shape
    bounds = np.searchsorted(kept["minute_ms"], (from_ms, from_ms + minutes * MINUTE_MS))
    rows = kept[bounds[0] : bounds[1]]
    if len(running):
        rows = np.concatenate([rows, running])
    cells = rows["venue"] * minutes + (rows["minute_ms"] - from_ms) // MINUTE_MS
    return dense(shape, cells, rows)
