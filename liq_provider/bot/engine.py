"""
Behind the strategy's callbacks: what the bot knows, what it decided, and what it may enter.

The strategy file translates Freqtrade's callbacks into calls of ``Engine``; everything that is
decided here can be tested without Freqtrade's loop. Of a backtest it holds no open connection, lock
or thread, as hyperopt copies it.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pandas import DataFrame

from liq_provider.bot.backtest_coverage import CoverageReport
from liq_provider.bot.candle_arrivals import CandleArrivals
from liq_provider.bot.candle_delay import CandleDelay
from liq_provider.bot.columns import (
    NO_ENTRIES,
    NO_EXITS,
    NO_SIGNALS,
    decision_columns,
    entry_columns,
    exit_columns,
)
from liq_provider.bot.dealings import Dealings
from liq_provider.bot.known_waves import KnownWaves
from liq_provider.bot.ranking import Candidate, Wave, wave_of
from liq_provider.bot.row_of_candle import BestPrice, row_at
from liq_provider.bot.snapshot import not_understood
from liq_provider.bot.source import HistorySource, LiveSource
from liq_provider.bot.wide_frame import beside
from liq_provider.bot.window_choices import CONFIGURED
from liq_provider.config.settings import Settings
from liq_provider.core.arrays import BoolArray, FloatArray, IntArray
from liq_provider.core.coins import base_asset_of_pair
from liq_provider.core.durations import HOUR_MS, MINUTE_MS
from liq_provider.judge.decisions import CandleTrend, Decisions, Rules, VerdictMode, decide
from liq_provider.measure.feature_rows import FeatureRows
from liq_provider.measure.trend import trend_inputs

logger = logging.getLogger(__name__)

# Of coins that nothing happened to; always the same, so that what is known of it stays known.
_NO_ROWS = FeatureRows.empty()


Shown = Callable[[FloatArray, FloatArray, FloatArray], Mapping[str, Any]]
"""Columns for charts, of highs, lows and closes."""


@dataclass(slots=True)
class PairState:
    """
    What is known of one pair as of its last populate.

    :param close_ms: closes of its candles
    :param best: prices of its candles
    :param rows: features, by the name of the windows that they were made with
    :param rules: that the decisions were made by, of the ``windows``
    :param ahead: its frame has all columns already
    """

    close_ms: IntArray
    best: BestPrice
    rows: dict[str, FeatureRows]
    verdicts: Sequence[Mapping[str, Any]]
    decisions: Decisions | None = None
    rules: Rules | None = None
    windows: str = CONFIGURED
    ahead: bool = False


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
        self.arrivals = CandleArrivals()
        self._waves = KnownWaves()
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
        # What changed while a pair was not in the list, nobody noted for it.
        for pair in [pair for pair in self._done if pair not in newest_close_ms]:
            del self._done[pair]
        due = [
            pair
            for pair, close_ms in newest_close_ms.items()
            if self._done.get(pair) != close_ms or base_asset_of_pair(pair) in self._changed
        ]
        self.arrivals.take(newest_close_ms, self.now_ms)
        self._populated.difference_update(due)
        self._forget(newest_close_ms)
        return due

    def _forget(self, newest_close_ms: Mapping[str, int]) -> None:
        """Pairs that left the list an hour ago; one with a position never leaves it."""
        oldest_ms = max(newest_close_ms.values(), default=0) - HOUR_MS
        for pair, state in list(self.pairs.items()):
            if pair not in newest_close_ms and not (state.close_ms > oldest_ms).any():
                del self.pairs[pair]
                self._waves.forget(pair)

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
        self,
        frame: DataFrame,
        pair: str,
        windows: Sequence[str] = (CONFIGURED,),
        shown: Shown | None = None,
        ahead: Rules | None = None,
    ) -> DataFrame:
        """
        Add what does not depend on thresholds: the trend's inputs.

        :param windows: that may be asked for; hyperopt's epochs choose one of them each
        :param shown: makes columns that follow, and decide nothing
        :param ahead: add every candle's decision by these rules as well, and that none enters or
            exits; ``entries`` and ``exits`` then change what is otherwise
        """
        self.pairs.pop(pair, None)
        close_ms = self._closes(frame)
        rows, verdicts = self._known(pair, close_ms, windows)
        high, low, close = (frame[name].to_numpy() for name in ("high", "low", "close"))
        best = BestPrice(close_ms, high, low, self.timeframe_ms)
        state = self.pairs[pair] = PairState(close_ms, best, rows, verdicts)
        if self.coverage is not None:
            self.coverage.count(pair, close_ms, next(iter(rows.values())))
        change, noise = trend_inputs(close, self.settings.trend_candles)
        columns: dict[str, Any] = {"liq_trend_change": change, "liq_trend_noise": noise}
        if shown is not None:
            columns |= shown(high, low, close)
        if ahead is not None:
            trend = CandleTrend(change, noise)
            decisions = self._decided(pair, state, close_ms, trend, ahead, windows[0])
            state.ahead = True
            columns |= NO_ENTRIES | decision_columns(decisions, ahead.thresholds) | NO_SIGNALS
        return beside(frame, columns)

    def columns(self, frame: DataFrame, pair: str, rules: Rules) -> DataFrame:
        """Add every candle's decision, and nothing that Freqtrade would trade on."""
        decisions = self._decide(frame, pair, rules, CONFIGURED)
        return beside(frame, decision_columns(decisions, rules.thresholds))

    def entries(
        self, frame: DataFrame, pair: str, rules: Rules, windows: str = CONFIGURED
    ) -> DataFrame:
        """
        Add every candle's decision, and the entry columns that follow from it.

        :param windows: one of those that the indicators were made for
        """
        state = self.pairs[pair]
        ahead = state.ahead and state.rules == rules
        decisions = state.decisions if ahead else self._decide(frame, pair, rules, windows)
        assert decisions is not None
        columns = entry_columns(decisions, self._entering(pair, decisions), self._late_candles)
        if not ahead:
            # Few candles close anything, so the columns for it are made along with the others.
            columns = decision_columns(decisions, rules.thresholds) | columns | NO_EXITS
        elif isinstance(columns["enter_tag"], str):
            return frame  # no candle enters
        return beside(frame, columns)

    def _entering(self, pair: str, decisions: Decisions) -> BoolArray:
        """:return: candles that may enter; live the newest one only if it is its turn"""
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
        return entry

    def _decide(self, frame: DataFrame, pair: str, rules: Rules, windows: str) -> Decisions:
        state = self.pairs[pair]
        trend = CandleTrend(
            frame["liq_trend_change"].to_numpy(), frame["liq_trend_noise"].to_numpy()
        )
        # Not state.close_ms: hyperopt trims frames between indicators and entries.
        return self._decided(pair, state, self._closes(frame), trend, rules, windows)

    def _decided(
        self,
        pair: str,
        state: PairState,
        close_ms: IntArray,
        trend: CandleTrend,
        rules: Rules,
        windows: str,
    ) -> Decisions:
        # Live there is one set only, see ``LiveLoop``.
        rows = next(iter(state.rows.values())) if self.live else state.rows[windows]
        waves = self._waves.of(pair, rows, rules) if self.live else None
        decisions = decide(close_ms, rows, trend, state.verdicts, rules, self.mode, waves)
        state.decisions, state.rules, state.windows = decisions, rules, windows
        return decisions

    def exits(self, frame: DataFrame, pair: str) -> DataFrame:
        """Add the exit columns of the decisions that ``entries`` made."""
        state = self.pairs[pair]
        decisions = state.decisions
        assert decisions is not None
        self._populated.add(pair)
        if not decisions.sure.any() and (state.ahead or _closes_nothing(frame)):
            return frame
        return beside(frame, exit_columns(decisions, self._late_candles))

    def _closes(self, frame: DataFrame) -> IntArray:
        dates: Any = frame["date"].array
        opened: IntArray = dates.as_unit("ms").asi8
        return opened + self.timeframe_ms

    def _known(
        self, pair: str, close_ms: IntArray, windows: Sequence[str]
    ) -> tuple[dict[str, FeatureRows], Sequence[Mapping[str, Any]]]:
        base = base_asset_of_pair(pair)
        if isinstance(self.source, LiveSource):
            live = self.source.rows(base)
            rows = {CONFIGURED: _NO_ROWS if live is None else live}
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
        row = row_at(state.decisions.close_ms, close_ms, self.timeframe_ms)
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
        return None if state is None else state.best.since(opened_ms, now_ms, short)


def _closes_nothing(frame: DataFrame) -> bool:
    """The exit columns are there, and are as ``entries`` made them."""
    sides = [name for name in NO_EXITS if name in frame.columns and name != "exit_tag"]
    return len(sides) == 2 and not any(frame[name].to_numpy().any() for name in sides)
