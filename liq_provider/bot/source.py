"""Where the strategy gets its features and verdicts: a live snapshot, or the past as a whole."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from liq_provider.bot.background import Background
from liq_provider.bot.clock_watch import ClockWatch
from liq_provider.bot.snapshot import READING, Snapshot
from liq_provider.bot.store_reading import StoreReading
from liq_provider.bot.window_choices import CONFIGURED, settings_with
from liq_provider.config.settings import Settings
from liq_provider.core.coins import base_asset_of_pair
from liq_provider.measure.feature_rows import FeatureRows
from liq_provider.store.known_coins import known_coin
from liq_provider.store.minute_features import history
from liq_provider.store.reader import Reader

# A minute that settles is seen so soon; it must not cost much while nothing happens.
_EVERY_S = 0.2

_GIVE_UP_S = 20.0


class Published(Protocol):
    """Who has the newest snapshot."""

    @property
    def unanswered_s(self) -> float:
        """For how long the store has not answered."""

    def take(self) -> Snapshot:
        """:return: the newest snapshot; never waits"""

    def end(self) -> None:
        """No more reading."""


def reader_in_background(
    open_reader: Callable[[], Reader], settings: Settings
) -> Background[Snapshot]:
    """:return: what reads the store for a live bot, once it is asked"""
    return Background(
        "liqtrend-reader",
        partial(StoreReading, open_reader, settings),
        Snapshot(error=READING),
        _EVERY_S,
        _GIVE_UP_S,
    )


class LiveSource:
    """
    The store as a live bot sees it. ``refresh`` once a loop; everything is memory.

    :param published: has the newest snapshot
    :param watch: judges this machine's clock
    """

    def __init__(
        self, published: Published, settings: Settings, watch: ClockWatch | None = None
    ) -> None:
        self.snapshot = Snapshot(error=READING)
        self._published = published
        self._watch = watch or ClockWatch(settings.max_skew_ms)

    def refresh(self) -> set[str]:
        """
        Take the newest snapshot.

        :return: coins whose features or verdicts changed since the last one
        """
        before, self.snapshot = self.snapshot, self.look()
        return self.snapshot.changed_since(before)

    def look(self) -> Snapshot:
        """:return: the newest snapshot, judged by the clocks of this moment, but not taken"""
        newest = self._published.take()
        return replace(
            newest,
            unanswered_s=self._published.unanswered_s,
            clock=self._watch.problem(newest.sidecar, newest.heard),
        )

    def coins(self) -> frozenset[str] | None:
        """
        :return: coins that an enabled venue lists, None while not all lists are known, or the
            store failed last
        """
        return None if self.snapshot.error is not None else self.snapshot.coins

    def rows(self, base_asset: str) -> FeatureRows | None:
        """:return: the coin's recent features, None if it had no liquidations"""
        return self.snapshot.rows.get(base_asset)

    def verdicts(self, base_asset: str) -> Sequence[dict[str, Any]]:
        """:return: the coin's recent verdicts, by ``available_at``"""
        return self.snapshot.verdicts.get(base_asset, [])

    def end(self) -> None:
        """The bot ends, or is configured anew."""
        self._published.end()


class HistorySource:
    """
    The store as a backtest sees it: computed for the whole span of a pair at once.

    :param reader: None where there is no store, and so no liquidations
    :param timeframe_min: length of a candle
    """

    def __init__(self, reader: Reader | None, settings: Settings, timeframe_min: int = 1) -> None:
        self._reader = reader
        self._settings = settings
        self._timeframe_min = timeframe_min

    def rows(
        self,
        base_asset: str,
        from_close_ms: int,
        to_close_ms: int,
        windows: str = CONFIGURED,
        *,
        quiet: bool = True,
    ) -> FeatureRows:
        """
        :param quiet: also where the segment is empty
        :return: features at every minute close of the span, or at every close of a bar
        """
        if self._reader is None:
            return FeatureRows.empty()
        computed = history(
            self._reader,
            base_asset,
            settings_with(self._settings, windows),
            self._timeframe_min,
            from_close_ms,
            to_close_ms,
            quiet=quiet,
        )
        return computed.rows((self._settings.zscore,), self._settings.min_segment_usd)

    def coin(self, pair: str) -> str:
        """
        :return: the coin behind a pair that a user typed
        :raises UsageError: nothing is known of it
        """
        if self._reader is None:
            return base_asset_of_pair(pair)
        return known_coin(self._reader, self._settings, pair)

    def verdicts(self, base_asset: str, from_ms: int, to_ms: int) -> Sequence[dict[str, Any]]:
        """:return: recorded verdicts for candles that close in the span, by ``available_at``"""
        if self._reader is None:
            return ()
        # The last candle, too, may know what came up to max_entry_delay_s after its close.
        last_ms = to_ms + self._settings.max_entry_delay_ms
        return self._reader.verdicts(from_ms, last_ms, [base_asset])
