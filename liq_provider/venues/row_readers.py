"""
Files of recorded liquidations: how a row becomes the frame that the venue sent.

That frame is read by the venue's own session, so history and live data cannot be understood
differently. Nothing here reads files.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from liq_provider.venues.frame import Frame
from liq_provider.venues.units import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """
    Which columns of a CSV say what, so that many rows can be read at once.

    It says nothing that the venue's own parser does not: that reads one row of each kind first,
    and the columns serve the others only if they say the same of that one. Whatever is not plain
    is read row by row. For venues whose frames are understood without those before them.

    :param words: those that say together which market and which side a row is about; all that may
        change how the others are understood belongs to them, whether a file has it or not
    :param price: the first of them that states one counts
    :param unit: what ``amount`` counts
    :param per_ms: what the times count, such as 1,000 for microseconds; cut off, not rounded
    :param received: when it was received, of the same unit; empty if files do not say
    """

    words: tuple[str, ...]
    time: str
    price: tuple[str, ...]
    amount: str
    unit: Unit = "contracts"
    per_ms: int = 1
    received: str = ""


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    """
    :param frame: as the venue would have sent it
    :param market_id: to name the market of a row that is refused
    """

    frame: Frame
    market_id: str = ""


@dataclass(frozen=True, slots=True)
class DayName:
    """
    The name of a file that covers a whole day of one market.

    :param pattern: of the whole name, with the groups ``market`` and ``day`` (such as 2024-03-01)
    :param example: such a name
    :param refuse: why a market's file cannot be read, None if it can
    """

    pattern: re.Pattern[str]
    example: str
    refuse: Callable[[str], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowReader:
    """
    One kind of file.

    :param name: for ``import --format``
    :param columns: of a CSV, without which a row is of no use
    :param header: columns by which such a CSV is recognised
    :param row: the frame of a row, or what is wrong with it; is given the market that the
        file's name states, too
    :param json_suffixes: of files that hold JSON instead
    :param answer: frames of a JSON value, or what is wrong with it; None where a line is no JSON
    :param recognise: whether the first line of a file, a JSON object, is of this kind
    :param keys: parts of a JSON answer by which it is recognised, all of them
    :param day_name: its files cover a day each, and their names say which
    :param per_market: recorded market by market: of markets that are not in it, a file says nothing
    :param at_once: how many rows of such a CSV are read at once, None to read each by itself
    """

    name: str
    columns: tuple[str, ...]
    header: frozenset[str]
    row: Callable[[dict[str, str], str], RecordedFrame | str]
    json_suffixes: frozenset[str] = frozenset()
    answer: Callable[[Any], Iterable[RecordedFrame | str]] | None = None
    recognise: Callable[[Mapping[str, Any]], bool] | None = None
    keys: tuple[bytes, ...] = ()
    day_name: DayName | None = None
    per_market: bool = False
    at_once: Columns | None = None


@dataclass(frozen=True, slots=True)
class TardisRow:
    """
    A row of Tardis' ``liquidations``.

    :param order_side: ``buy`` or ``sell``, of the order
    :param event_ms: digits of the trade time in milliseconds
    """

    market_id: str
    order_side: str
    price: str
    amount: str
    event_ms: str


@dataclass(frozen=True, slots=True)
class TardisRows:
    """
    :param exchange: Tardis' name of the venue
    :param frame: the frame of a row
    :param unit: what ``amount`` counts, so that many rows can be read at once; None to read each
        by itself
    """

    exchange: str
    frame: Callable[[TardisRow], Frame]
    unit: Unit | None = None
