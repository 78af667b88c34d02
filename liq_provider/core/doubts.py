"""
What may be missing in minutes during which a feed was connected.

A damaged frame, a refused record, an order that fitted nowhere, a feed that turns out to have
been silent: each makes some minutes unknown, of the coins that it may concern and no others.
A sidecar notes here what IT may have missed; another one that heard all of such a minute still
knows it. What the store itself finds, an order that is counted in no minute, counts for all.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock

from liq_provider.core.coverage import Interval, merge, minutes_around
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import minute_of

ANY_COIN = ""


@dataclass(frozen=True, slots=True, order=True)
class Doubt:
    """
    :param base_asset: the coin of which something may be missing, ``ANY_COIN`` for all
    :param span: whole minutes
    """

    venue: str
    base_asset: str
    span: Interval


class Doubts:
    """
    One sidecar's, from when they come up until they are in the store. Feeds and the store's
    threads add to them.

    :param settle_ms: a minute is settled this long after its close
    """

    def __init__(self, settle_ms: int) -> None:
        self._settle_ms = settle_ms
        self._spans: dict[tuple[str, str], list[Interval]] = {}
        self._adding = Lock()

    def add(self, venue: str, base_asset: str, from_ms: int, to_ms: int) -> None:
        """Something may be missing in the minutes that ``[from_ms, to_ms)`` touches."""
        key, span = (venue, base_asset), minutes_around(Interval(from_ms, to_ms))
        with self._adding:
            self._spans[key] = merge([*self._spans.get(key, ()), span])

    def unread(self, venue: str, base_assets: Iterable[str], received_ms: int) -> None:
        """
        Something could not be read. An order in it would have counted in the minute in which
        it came, or in the one before while that was not settled.

        :param base_assets: the coins that it may have been about
        """
        for base_asset in base_assets:
            self.add(venue, base_asset, received_ms - self._settle_ms, received_ms + 1)

    def take(self, close_ms: int) -> list[Doubt]:
        """:return: those of minutes that closed by then, which are forgotten here"""
        taken: list[Doubt] = []
        with self._adding:
            for key, spans in list(self._spans.items()):
                taken += [
                    Doubt(*key, Interval(span.start_ms, min(span.end_ms, close_ms)))
                    for span in spans
                    if span.start_ms < close_ms
                ]
                left = [
                    Interval(max(span.start_ms, close_ms), span.end_ms)
                    for span in spans
                    if span.end_ms > close_ms
                ]
                if left:
                    self._spans[key] = left
                else:
                    del self._spans[key]
        return sorted(taken)

    def put_back(self, doubts: Iterable[Doubt]) -> None:
        """They could not be written; the store is told of them later."""
        for doubt in doubts:
            self.add(doubt.venue, doubt.base_asset, doubt.span.start_ms, doubt.span.end_ms)


def blind(doubts: Iterable[Doubt], close_ms: int) -> set[str]:
    """:return: venues of which anything may be missing in the minute that closes then"""
    minute_ms = minute_of(close_ms - MINUTE_MS)
    return {
        doubt.venue
        for doubt in doubts
        if doubt.base_asset == ANY_COIN and doubt.span.start_ms <= minute_ms < doubt.span.end_ms
    }
