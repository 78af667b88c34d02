"""
Behind the strategy's callbacks: what the bot knows, what it decided, and what it may enter.

The strategy file translates Freqtrade's callbacks into calls of ``Engine``; everything that is
decided here can be tested without Freqtrade's loop. Of a backtest it holds no open connection, lock
or thread, as hyperopt copies it.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pandas import DataFrame

from liq_provider.bot.backtest_coverage import CoverageReport
from liq_provider.bot.candle_delay import CandleDelay
from liq_provider.bot.columns import decision_columns, entry_columns, exit_columns
from liq_provider.bot.dealings import Dealings
from liq_provider.bot.ranking import Candidate, Wave, wave_of
from liq_provider.bot.snapshot import not_understood
from liq_provider.bot.source import HistorySource, LiveSource
from liq_provider.bot.window_choices import CONFIGURED
from liq_provider.config.settings import Settings
from liq_provider.core.arrays import FloatArray, IntArray
from liq_provider.core.coins import base_asset_of_pair
from liq_provider.core.durations import MINUTE_MS
from liq_provider.judge.decisions import CandleTrend, Decisions, Rules, VerdictMode, decide
from liq_provider.measure.feature_rows import FeatureRows
from liq_provider.measure.trend import trend_inputs

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class PairState:
    """
    What is known of one pair as of its last populate.

    :param close_ms: closes of its candles
    :param rows: features, by the name of the windows that they were made with
    :param by_close: position of each candle in the arrays
    :param rules: that the decisions were made by, of the ``windows``
    """

    close_ms: IntArray
    high: FloatArray
    low: FloatArray
    rows: dict[str, FeatureRows]
    verdicts: Sequence[Mapping[str, Any]]
    decisions: Decisions | None = None
    by_close: dict[int, int] = field(default_factory=dict)
    rules: Rules | None = None
    windows: str = CONFIGURED


class Engine:
    """
    :param settings: validated settings
    :param timeframe_ms: length of a candle
    :param source: live snapshot, or the past
    :param mode: where verdicts come from
    """

    def __init__(
        self,
        settings: Settings,
        timeframe_ms: int,
        source: LiveSource | HistorySource,
        mode: VerdictMode,
    ) -> None:
        self.settings = settings
        self.source = source
        self.live = isinstance(source, LiveSource)
        self.mode: VerdictMode = mode
        self.timeframe_ms = timeframe_ms
        self.problem: str | None = "not started"
        self.now_ms = 0  # of the loop
        self.coverage: CoverageReport | None = None  # in backtests and hyperopt
        self.whitelist: frozenset[str] | None = None
        self.pairs: dict[str, PairState] = {}
        self.dealings = Dealings()
        self.candles: CandleDelay | None = None
        self._changed: set[str] = set()
        self._populated: set[str] = set()
        self._done: dict[str, int] = {}
        late = 0 if self.live or settings.backtest_entry == "open" else 1
        self._late_candles = late
        self._late_ms = late * timeframe_ms

    # -- one loop of the live bot ---------------------------------------------------------

    def refresh(self, now_ms: int) -> None:
        """Take what is new of the store; sets ``problem``, never waits, and never raises."""
        assert isinstance(self.source, LiveSource)
        self.now_ms = now_ms
        try:
            self._changed |= self.source.refresh()
            problem = self.source.snapshot.problem(now_ms, self.settings)
        except Exception as error:
            # What the store holds is no bug of the loop; exits must go on whatever it is.
            problem = not_understood(error)
            if problem != self.problem:
                logger.exception("What was read from the store cannot be used")
        self.problem = problem

    def to_analyze(self, newest_close_ms: Mapping[str, int]) -> list[str]:
        """
        :param newest_close_ms: close of each pair's newest candle
        :return: pairs with a new candle or a changed snapshot, in the given order
        """
        due = [
            pair
            for pair, close_ms in newest_close_ms.items()
            if self._done.get(pair) != close_ms or base_asset_of_pair(pair) in self._changed
        ]
        self._populated.difference_update(due)
        return due

    def analyzed(self, pairs: Iterable[str], newest_close_ms: Mapping[str, int]) -> None:
        """Note that ``pairs`` were populated; what failed is tried again in the next loop."""
        for pair in pairs:
            if pair in self._populated:
                self._done[pair] = newest_close_ms[pair]
            else:
                # Freqtrade keeps the frame of an earlier loop; nothing may be entered on it.
                self._done.pop(pair, None)
                self.pairs.pop(pair, None)
        self._changed.clear()

    def choose(
        self, close_ms: int, pairs: Sequence[str], free_slots: float, blocked: Collection[str]
    ) -> list[str]:
        """
        Rank this candle's candidates, see ``Dealings.choose``; none while there is a problem.

        :param pairs: the whitelist
        """
        candidates: list[Candidate] = []
        if self.problem is None:
            candidates = [c for pair in pairs if (c := self.candidate(pair, close_ms)) is not None]
        changed = self.dealings.choose(candidates, close_ms, pairs, free_slots, blocked)
        self._populated.difference_update(changed)
        return changed

    # -- columns --------------------------------------------------------------------------

    def indicators(
        self, frame: DataFrame, pair: str, windows: Sequence[str] = (CONFIGURED,)
    ) -> DataFrame:
        """
        Add what does not depend on thresholds: the trend's inputs.

        :param windows: that may be asked for; hyperopt's epochs choose one of them each
        """
        self.pairs.pop(pair, None)
        close_ms = self._closes(frame)
        rows, verdicts = self._known(pair, close_ms, windows)
        self.pairs[pair] = PairState(
            close_ms, frame["high"].to_numpy(), frame["low"].to_numpy(), rows, verdicts
        )
        if self.coverage is not None:
            self.coverage.count(pair, close_ms, next(iter(rows.values())))
        change, noise = trend_inputs(frame["close"].to_numpy(), self.settings.trend_candles)
        return frame.assign(liq_trend_change=change, liq_trend_noise=noise)

    def columns(self, frame: DataFrame, pair: str, rules: Rules) -> DataFrame:
        """Add every candle's decision, and nothing that Freqtrade would trade on."""
        decisions = self._decide(frame, pair, rules, CONFIGURED)
        return frame.assign(**decision_columns(decisions, rules.thresholds))

    def entries(
        self, frame: DataFrame, pair: str, rules: Rules, windows: str = CONFIGURED
    ) -> DataFrame:
        """
        Add every candle's decision, and the entry columns that follow from it.

        :param windows: one of those that the indicators were made for
        """
        decisions = self._decide(frame, pair, rules, windows)
        close_ms = decisions.close_ms
        wave = wave_of(pair, decisions, -1) if self.live and len(close_ms) else None
        if wave is not None and decisions.candidate[-1]:
            decisions.entry[-1] |= self.dealings.reopens(
                wave, int(close_ms[-1]) - self.timeframe_ms
            )
        entry = decisions.entry.copy()
        if wave is not None:
            wanted = wave if entry[-1] else None
            entry[-1] = self.dealings.signal(pair, int(close_ms[-1]), wanted)
        return frame.assign(
            **decision_columns(decisions, rules.thresholds),
            **entry_columns(decisions, entry, self._late_candles),
        )

    def _decide(self, frame: DataFrame, pair: str, rules: Rules, windows: str) -> Decisions:
        state = self.pairs[pair]
        trend = CandleTrend(
            frame["liq_trend_change"].to_numpy(), frame["liq_trend_noise"].to_numpy()
        )
        # Not state.close_ms: hyperopt trims frames between indicators and entries.
        close_ms = self._closes(frame)
        # Live there is one set only, see ``LiveLoop``.
        rows = next(iter(state.rows.values())) if self.live else state.rows[windows]
        decisions = decide(close_ms, rows, trend, state.verdicts, rules, self.mode)
        state.decisions, state.rules, state.windows = decisions, rules, windows
        state.by_close = {int(ms): row for row, ms in enumerate(close_ms)}
        return decisions

    def exits(self, frame: DataFrame, pair: str) -> DataFrame:
        """Add the exit columns of the decisions that ``entries`` made."""
        decisions = self.pairs[pair].decisions
        assert decisions is not None
        self._populated.add(pair)
        return frame.assign(**exit_columns(decisions, self._late_candles))

    def _closes(self, frame: DataFrame) -> IntArray:
        opened: IntArray = frame["date"].dt.as_unit("ms").astype("int64").to_numpy()
        return opened + self.timeframe_ms

    def _known(
        self, pair: str, close_ms: IntArray, windows: Sequence[str]
    ) -> tuple[dict[str, FeatureRows], Sequence[Mapping[str, Any]]]:
        base = base_asset_of_pair(pair)
        if isinstance(self.source, LiveSource):
            live = self.source.rows(base)
            rows = {CONFIGURED: FeatureRows.empty() if live is None else live}
            return rows, self.source.verdicts(base)
        if not len(close_ms):
            return {name: FeatureRows.empty() for name in windows}, ()
        first = int(close_ms[0]) - self.timeframe_ms + MINUTE_MS
        last = int(close_ms[-1])
        rows = {name: self.source.rows(base, first, last, name) for name in windows}
        if self.mode == "matrix":
            return rows, ()
        return rows, self.source.verdicts(base, first, last)

    # -- single candles -------------------------------------------------------------------

    def signal_close_ms(self, now_ms: int) -> int:
        """:return: close of the candle whose signal is traded at ``now_ms``"""
        return now_ms - now_ms % self.timeframe_ms - self._late_ms

    def decision(self, pair: str, close_ms: int) -> tuple[Decisions, int] | None:
        """:return: a pair's decisions and the position of a candle in them"""
        state = self.pairs.get(pair)
        if state is None or state.decisions is None:
            return None
        row = state.by_close.get(close_ms)
        return None if row is None else (state.decisions, row)

    def verdict(self, pair: str, close_ms: int) -> Mapping[str, Any] | None:
        """:return: the verdict behind a candle's decision"""
        decided = self.decision(pair, close_ms)
        if decided is None or decided[0].verdict[decided[1]] < 0:
            return None
        return self.pairs[pair].verdicts[int(decided[0].verdict[decided[1]])]

    def candidate(self, pair: str, close_ms: int) -> Candidate | None:
        """:return: the pair's entry at the candle that closed at ``close_ms``, if it has one"""
        decided = self.decision(pair, close_ms)
        if decided is None or not decided[0].entry[decided[1]]:
            return None
        decisions, row = decided
        _, sign, wave_ms = wave_of(pair, decisions, row)
        return Candidate(pair, int(decisions.level[row]), float(decisions.z[row]), sign, wave_ms)

    def wave(self, pair: str, close_ms: int) -> Wave | None:
        """:return: the wave that a candle's decision is about"""
        decided = self.decision(pair, close_ms)
        return None if decided is None else wave_of(pair, *decided)

    def upgrade(self, pair: str, close_ms: int) -> None:
        """A surer signal closes a position, which is to be opened again at the next candle."""
        wave = self.wave(pair, close_ms)
        if wave is not None:
            self.dealings.upgrade(wave, close_ms)

    def level_at(self, pair: str, close_ms: int, is_short: bool) -> int:
        """:return: confidence of the pair's candidate in this direction at a candle, else 0"""
        decided = self.decision(pair, close_ms)
        if decided is None or not decided[0].candidate[decided[1]]:
            return 0
        decisions, row = decided
        return int(decisions.level[row]) if decisions.sign[row] == (-1 if is_short else 1) else 0

    def best_completed(self, pair: str, opened_ms: int, now_ms: int, short: bool) -> float | None:
        """
        :param opened_ms: when the position was opened
        :return: best price of the candles since then that are complete, None if there is none
        """
        state = self.pairs.get(pair)
        if state is None:
            return None
        entry_close_ms = opened_ms - opened_ms % self.timeframe_ms + self.timeframe_ms
        first = int(np.searchsorted(state.close_ms, entry_close_ms))
        last = int(np.searchsorted(state.close_ms, now_ms, side="right"))
        if last <= first:
            return None
        prices = state.low[first:last] if short else state.high[first:last]
        return float(prices.min() if short else prices.max())
