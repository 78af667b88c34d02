"""
Sums of the market table's windows. All of them end at the same moment, now, so that a longer one
never shows less than a shorter one.

A day of a whole market is a million rows, so settled minutes are kept as sums of ten minutes each
and only what is newer is read every time. Now and then an old block is read again, because an
import may have added to it.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from liq_provider.core.durations import MINUTE_MS
from liq_provider.dashboard.queries import PageReader, Sums

_BLOCK_MS = 10 * MINUTE_MS
_SHORT_MIN = 10
_LONGEST_TAIL_MS = 70 * MINUTE_MS
_AT_ONCE = 24  # blocks
_LOADING_S = 0.25  # of one look, until a window is there
_SHARE = 0.1  # of the time may be spent on reading what is new


@dataclass(frozen=True, slots=True)
class Window:
    """
    :param sums: in the minutes of ``[from_ms, to_ms)``, the running one included
    """

    from_ms: int
    to_ms: int
    sums: Sums


class RecentSums:
    """
    :param lengths_min: of the windows
    """

    def __init__(self, reader: PageReader, lengths_min: Iterable[int]) -> None:
        self._reader = reader
        self._lengths_min = sorted(set(lengths_min))
        self._short_ms = max(_SHORT_MIN, self._lengths_min[0]) * MINUTE_MS
        self._blocks: dict[int, Sums] = {}
        self._blocks_version = 0
        self._middles: dict[int, tuple[tuple[int, int, int], Sums]] = {}
        self._heads: dict[int, tuple[int, Sums]] = {}
        self._due_s = 0.0
        self._windows: dict[int, Window] = {}

    def window(self, minutes: int) -> Window | None:
        """:return: None while it is not read yet"""
        return self._windows.get(minutes)

    def refresh(self, close_ms: int, settled_ms: int) -> None:
        """
        :param close_ms: close of the running minute
        :param settled_ms: what closed by then will not change any more
        """
        begun_s = time.monotonic()
        if begun_s < self._due_s:
            return
        cut_ms = min(settled_ms, close_ms - self._short_ms) // _BLOCK_MS * _BLOCK_MS
        cut_ms = max(
            cut_ms, (close_ms - self._short_ms - _LONGEST_TAIL_MS) // _BLOCK_MS * _BLOCK_MS
        )
        tail = self._reader.sums_by(MINUTE_MS, cut_ms, close_ms)
        took_s = time.monotonic() - begun_s
        self._due_s = begun_s + took_s / _SHARE
        self._load(close_ms, cut_ms)
        self._windows = {
            minutes: window
            for minutes in self._lengths_min
            if (window := self._window(close_ms, minutes, cut_ms, tail)) is not None
        }

    def _window(
        self, close_ms: int, minutes: int, cut_ms: int, tail: Mapping[int, Sums]
    ) -> Window | None:
        from_ms = close_ms - minutes * MINUTE_MS
        newest = [sums for minute_ms, sums in tail.items() if minute_ms >= from_ms]
        if from_ms >= cut_ms:
            return Window(from_ms, close_ms, _added(newest))
        first_ms = -(-from_ms // _BLOCK_MS) * _BLOCK_MS
        starts = range(first_ms, cut_ms, _BLOCK_MS)
        if any(start not in self._blocks for start in starts):
            return None
        key = (first_ms, cut_ms, self._blocks_version)
        middle = self._middles.get(minutes)
        if middle is None or middle[0] != key:
            middle = key, _added(self._blocks[start] for start in starts)
            self._middles[minutes] = middle
        head = self._heads.get(minutes)
        if head is None or head[0] != from_ms:
            head = from_ms, self._reader.sums(from_ms, min(first_ms, cut_ms))
            self._heads[minutes] = head
        return Window(from_ms, close_ms, _added([head[1], middle[1], *newest]))

    def _load(self, close_ms: int, cut_ms: int) -> None:
        """What is missing, the newest first; then the one that was read longest ago."""
        oldest_ms = -(-(close_ms - self._lengths_min[-1] * MINUTE_MS) // _BLOCK_MS) * _BLOCK_MS
        wanted = range(cut_ms - _BLOCK_MS, oldest_ms - 1, -_BLOCK_MS)
        self._blocks = {
            start: sums for start, sums in self._blocks.items() if oldest_ms <= start < cut_ms
        }
        missing = [start for start in wanted if start not in self._blocks]
        end_s = time.monotonic() + _LOADING_S
        for first in range(0, len(missing), _AT_ONCE):
            self._read(missing[first : first + _AT_ONCE])
            if time.monotonic() > end_s:
                return
        # In the order in which they were read: the first was read longest ago.
        self._read(list(self._blocks)[:1])

    def _read(self, starts: Sequence[int]) -> None:
        """
        :param starts: of neighbours, more or less
        """
        if not starts:
            return
        read = self._reader.sums_by(_BLOCK_MS, min(starts), max(starts) + _BLOCK_MS)
        for start in starts:
            known = self._blocks.pop(start, None)
            self._blocks[start] = read.get(start, {})
            if known is not None and known != self._blocks[start]:
                self._blocks_version += 1


def _added(many: Iterable[Sums]) -> Sums:
    total: Sums = {}
    for sums in many:
        for key, (longs, shorts, count, pair) in sums.items():
            known = total.get(key)
            if known is not None:
                longs, shorts, count = longs + known[0], shorts + known[1], count + known[2]
                pair = min(pair, known[3])
            total[key] = (longs, shorts, count, pair)
    return total
