"""Settling a minute: make it final, compute its features, find its waves."""

from collections.abc import Collection, Sequence
from concurrent.futures import Executor

from liq_provider.config.measuring import feature_params_of, floor_of
from liq_provider.config.settings import Settings
from liq_provider.core.coverage import Interval
from liq_provider.core.doubts import Doubt
from liq_provider.core.durations import MINUTE_MS
from liq_provider.measure.minute_results import NewestMinutes, Settled, in_their_waves
from liq_provider.sidecar.pair_of_coin import PairOfCoin, pair_for_coin
from liq_provider.store.liquidation_rows import Row
from liq_provider.store.minute_features import compute
from liq_provider.store.reader import Reader
from liq_provider.store.settled_sums import SettledSums
from liq_provider.store.writer import Writer

# Minutes that are final but were not computed, as the store was busy or another sidecar that did
# it went away. Without their rows the bot would take a wave that goes on for one that begins.
_CATCH_UP_MIN = 30


class Settler:
    """
    :param writing: the store's single thread, where computing has one of its own; it is waited for
    :param sums: what it reads of the past; shared with who looks at the running minute
    :param names: gives the pair that stands for a coin on the bot's exchange; coins that it does
        not list are named by the venue's pair
    """

    def __init__(
        self,
        writer: Writer,
        reader: Reader,
        settings: Settings,
        names: PairOfCoin | None = None,
        writing: Executor | None = None,
        sums: SettledSums | None = None,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._settings = settings
        self._params = feature_params_of(settings)
        self._floor = floor_of(settings)
        self._names = names or PairOfCoin()
        self._writing = writing
        self._sums = sums or SettledSums(reader)

    def settle(
        self, close_ms: int, heard: Collection[str], now_ms: int, doubts: Sequence[Doubt] = ()
    ) -> None:
        """
        Make the minute that closes at ``close_ms`` final.

        :param heard: venues whose feeds were heard for all of it
        :param now_ms: exchange time; when this became known
        :param doubts: what may be missing in it, or in earlier ones
        """
        minute = Interval(close_ms - MINUTE_MS, close_ms)
        self._writer.settle(close_ms, {venue: [minute] for venue in heard}, now_ms, doubts)

    def doubt(self, doubts: Sequence[Doubt], now_ms: int) -> None:
        """
        :param doubts: what may be missing in minutes that are final already
        """
        self._writer.put_doubts(doubts, now_ms)

    def compute(self, close_ms: int, now_ms: int) -> Settled:
        """
        Features and waves of a settled minute, and of those before it that nobody has computed.

        :param now_ms: exchange time; when they became available
        """
        for missed_ms in self._missed(close_ms):
            self._compute(missed_ms, now_ms)
        return self._compute(close_ms, now_ms)

    def _missed(self, close_ms: int) -> list[int]:
        computed_ms = int(self._reader.states(["computed_ms"]).get("computed_ms") or close_ms)
        first_ms = max(computed_ms + MINUTE_MS, close_ms - _CATCH_UP_MIN * MINUTE_MS)
        return [ms for ms in range(first_ms, close_ms, MINUTE_MS) if self._covered(ms)]

    def _compute(self, close_ms: int, now_ms: int) -> Settled:
        segment_ms = self._settings.segment_min * MINUTE_MS
        active = self._reader.active(close_ms - segment_ms, close_ms)
        names = self._names()
        pairs = {base: pair_for_coin(base, listed, names) for base, listed in active.items()}
        computed = compute(
            self._sums,
            sorted(active),
            self._settings.venues.enabled,
            self._params,
            close_ms,
            close_ms,
        )
        newest = NewestMinutes(computed)
        marked = newest.anomalies(self._floor)
        # One question for all: one for each would cost more than measuring the coins.
        before = self._reader.newest_waves(close_ms - segment_ms) if marked else {}
        anomalies, waves = in_their_waves(marked, before, pairs, self._settings.segment_min, now_ms)
        self._put(newest.table_rows(pairs, now_ms), waves, close_ms, now_ms)
        return Settled(close_ms, anomalies, pairs, self._covered(close_ms))

    def _put(self, features: list[Row], waves: list[Row], close_ms: int, now_ms: int) -> None:
        results = features, waves, close_ms, now_ms
        if self._writing is None:
            self._writer.put_results(*results)
        else:
            self._writing.submit(self._writer.put_results, *results).result()

    def _covered(self, close_ms: int) -> tuple[str, ...]:
        spans = self._reader.coverage(self._settings.venues.enabled, close_ms - MINUTE_MS, close_ms)
        return tuple(
            venue
            for venue, intervals in spans.items()
            if any(i.start_ms <= close_ms - MINUTE_MS and i.end_ms >= close_ms for i in intervals)
        )
