"""
What there is to see of one pair in a span of time.

The numbers are those that trading is made with: the same features of
``minute_features.history``, the same thresholds, what was recorded of verdicts. What was not known
stays unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from liq_provider.bot.rules_of_bots import in_force_of
from liq_provider.config.measuring import thresholds_of
from liq_provider.config.settings import Settings
from liq_provider.core.arrays import BoolArray, FloatArray
from liq_provider.core.coins import base_asset_of_pair
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import DAY_MIN, DAY_MS, MINUTE_MS
from liq_provider.errors import UsageError
from liq_provider.judge.rules_in_force import RulesInForce
from liq_provider.judge.verdict_story import read_story
from liq_provider.measure.feature_rows import FeatureRows
from liq_provider.measure.minute_grid import MinuteGrid
from liq_provider.measure.minute_results import Computed
from liq_provider.measure.scales import EVERY_SCORE, Score
from liq_provider.measure.waves import Strength, Thresholds, direction_word, score, waves_of
from liq_provider.plot.heat import HeatMap, Prints, heat_map
from liq_provider.plot.records import Candles, LiquidationBars, TradeRecord, VerdictMark, WaveSpan
from liq_provider.store.minute_features import history
from liq_provider.store.reader import Reader
from liq_provider.store.simulated_spans import mark_of

MOST_STEPS = 14 * DAY_MIN  # minutes, or a vendor's candles, that one picture can hold
# Waves that began this many segments before the span are still seen from their beginning.
_WAVE_SEGMENTS = 24
_SIMULATED_CANDLES = "SIMULATED candles: they are of an exchange that is simulated on this machine"


@dataclass(frozen=True, slots=True)
class PairView:
    """
    Everything of one pair in ``[from_ms, to_ms)``, which are candle bounds.

    :param candles: may be empty
    :param rows: features at every minute (or bar) close in ``(from_ms, to_ms]``, dense
    :param covered: by venue, where it was heard
    :param unknown: where no venue was heard
    :param trades: alive in the span
    :param source: the setting ``backtest_source``: minutes, or a vendor of bars
    :param zscore: which z is held against the thresholds
    :param simulated: what is to be said of data that never happened, None if all of it did
    :param without_candles: why there are none, or only some, and how to get them
    """

    pair: str
    timeframe_ms: int
    from_ms: int
    to_ms: int
    candles: Candles
    bars: LiquidationBars
    rows: FeatureRows
    covered: dict[str, tuple[Interval, ...]]
    unknown: tuple[Interval, ...]
    waves: tuple[WaveSpan, ...]
    verdicts: tuple[VerdictMark, ...]
    trades: tuple[TradeRecord, ...]
    heat: HeatMap
    z_threshold: float
    z_strong: float
    zscore: Score
    source: str
    simulated: str | None
    without_candles: str

    @property
    def known_share(self) -> float:
        """Share of the span in which a venue was heard."""
        lost_ms = sum(span.end_ms - span.start_ms for span in self.unknown)
        return 1 - lost_ms / (self.to_ms - self.from_ms)

    @property
    def candle_share(self) -> float:
        """Share of the span's candles that are there; one that still runs may be missing."""
        possible = (self.to_ms - self.from_ms) // self.timeframe_ms
        return min(1.0, (len(self.candles) + 1) / possible) if len(self.candles) else 0.0


def pair_view(
    reader: Reader,
    settings: Settings,
    pair: str,
    candles: Candles,
    timeframe_ms: int,
    from_ms: int,
    to_ms: int,
    trades: Sequence[TradeRecord] = (),
    without_candles: str = "",
    *,
    simulated_candles: bool = False,
    in_force: RulesInForce | None = None,
) -> PairView:
    """
    :param candles: of that timeframe; those outside the span are left out
    :param from_ms: brought back to a candle's open
    :param to_ms: brought forward to a candle's close
    :param without_candles: why there are none, or not all
    :param simulated_candles: they are no exchange's
    :param in_force: whose thresholds are drawn, and by which decisions are told; the settings' own
        if it is None
    :raises UsageError: no span, too long a span, or bars that do not fit the timeframe
    """
    if from_ms >= to_ms:
        raise UsageError("the beginning of the span must be before its end")
    from_ms, to_ms = (
        from_ms // timeframe_ms * timeframe_ms,
        -(-to_ms // timeframe_ms) * timeframe_ms,
    )
    in_force = in_force or in_force_of(settings, {}, timeframe_ms, None, "the configuration")
    settings = in_force.applied_to(settings)
    _refuse_too_long(settings, timeframe_ms, from_ms, to_ms)
    base, source = base_asset_of_pair(pair), settings.backtest_source
    before_ms = _WAVE_SEGMENTS * settings.segment_min * MINUTE_MS
    computed = history(
        reader, base, settings, timeframe_ms // MINUTE_MS, from_ms - before_ms + MINUTE_MS, to_ms
    )
    rows = computed.rows(EVERY_SCORE)
    grid = _grid(reader, settings, base, computed, from_ms, to_ms)
    prints = Prints.of(reader.liquidations(base, settings.venues.enabled, from_ms, to_ms), pair)
    candles = candles.between(from_ms, to_ms)
    heard: BoolArray = np.any(grid.covered, axis=0)
    thresholds = thresholds_of(settings)
    return PairView(
        pair=pair,
        timeframe_ms=timeframe_ms,
        from_ms=from_ms,
        to_ms=to_ms,
        candles=candles,
        bars=_bars(grid, prints, timeframe_ms),
        rows=rows.since(from_ms + 1),
        covered={
            name: runs(grid.covered[row], grid.start_ms, grid.step_ms)
            for row, name in enumerate(grid.venues)
        },
        unknown=runs(~heard, grid.start_ms, grid.step_ms),
        waves=_waves(reader, base, rows, thresholds, settings.segment_min, from_ms, to_ms),
        verdicts=_verdicts(reader, in_force, base, rows, candles, prints, from_ms, to_ms),
        trades=tuple(
            trade
            for trade in trades
            if trade.pair == pair
            and trade.open_ms <= to_ms
            and (trade.close_ms is None or trade.close_ms >= from_ms)
        ),
        heat=heat_map(prints, candles, timeframe_ms, from_ms, to_ms),
        z_threshold=settings.z_threshold,
        z_strong=settings.z_strong,
        zscore=settings.zscore,
        source=source,
        simulated=_mark(reader, settings, from_ms, to_ms)
        or (_SIMULATED_CANDLES if simulated_candles and len(candles) else None),
        without_candles=without_candles,
    )


def _mark(reader: Reader, settings: Settings, from_ms: int, to_ms: int) -> str | None:
    """A vendor's bars come from an exchange whatever else is stored."""
    if settings.backtest_source != "minutes":
        return None
    return mark_of(reader, settings.venues.enabled, from_ms - settings.baseline_ms, to_ms)


def runs(flags: BoolArray, start_ms: int, step_ms: int) -> tuple[Interval, ...]:
    """:return: where consecutive columns are True"""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return tuple(
        Interval(start_ms + int(first) * step_ms, start_ms + int(end) * step_ms)
        for first, end in edges.reshape(-1, 2)
    )


def _refuse_too_long(settings: Settings, timeframe_ms: int, from_ms: int, to_ms: int) -> None:
    step_ms = MINUTE_MS if settings.backtest_source == "minutes" else timeframe_ms
    if to_ms - from_ms > MOST_STEPS * step_ms:
        days = MOST_STEPS * step_ms / DAY_MS
        raise UsageError(
            f"{(to_ms - from_ms) / DAY_MS:,.1f} days are too much for one picture; "
            f"ask for at most {days:,.0f}"
        )


def _grid(
    reader: Reader, settings: Settings, base: str, computed: Computed, from_ms: int, to_ms: int
) -> MinuteGrid:
    """The columns of the span that the features were made from."""
    source = settings.backtest_source
    if source == "minutes":
        return reader.grids([base], settings.venues.enabled, from_ms, to_ms)[base]
    closes = computed.features.close_ms
    bar_min = int(closes[1] - closes[0]) // MINUTE_MS
    return reader.bar_grid(base, source, bar_min, from_ms, to_ms)


def _bars(grid: MinuteGrid, prints: Prints, timeframe_ms: int) -> LiquidationBars:
    steps = timeframe_ms // grid.step_ms
    size = grid.minutes // steps
    known = grid.covered.any(axis=0).reshape(size, steps).sum(axis=1)

    def sums(usd: FloatArray) -> FloatArray:
        # What arrived while a venue was not proven alive is not all that there was.
        heard = np.where(grid.covered, usd, 0.0).sum(axis=0)
        return np.where(known > 0, heard.reshape(size, steps).sum(axis=1), np.nan)

    candle = (prints.event_ms - grid.start_ms) // timeframe_ms
    usd = np.bincount(candle, prints.usd, size)
    money = np.bincount(candle, prints.usd * prints.price, size)
    return LiquidationBars(
        open_ms=grid.start_ms + timeframe_ms * np.arange(size, dtype=np.int64),
        long_usd=sums(grid.long_usd),
        short_usd=sums(grid.short_usd),
        minutes_known=known.astype(np.int64) * grid.step_min,
        mean_price=np.divide(money, usd, out=np.full(size, np.nan), where=usd > 0),
    )


def _waves(
    reader: Reader,
    base: str,
    rows: FeatureRows,
    thresholds: Thresholds,
    segment_min: int,
    from_ms: int,
    to_ms: int,
) -> tuple[WaveSpan, ...]:
    """Waves above the thresholds, and those that the sidecar recorded although they are not."""
    waves = waves_of(rows, thresholds, segment_min)
    strength, sign, starts = waves.strength, waves.sign, waves.start_ms
    z, usd = score(rows, thresholds), rows.long_usd + rows.short_usd
    spans = []
    for start_ms, way in sorted({(int(a), int(b)) for a, b in zip(starts, sign, strict=True) if a}):
        of = np.flatnonzero((starts == start_ms) & (sign == way) & (strength > Strength.NONE))
        last_ms = int(rows.close_ms[of[-1]])
        if last_ms > from_ms:
            word = Strength(int(strength[of].max())).word
            peak_z, peak_usd = float(z[of].max()), float(usd[of].max())
            seen = bool(waves.seen[of[0]])
            spans.append(
                WaveSpan(start_ms, last_ms, direction_word(way), word, peak_z, peak_usd, seen=seen)
            )
    for row in reader.waves_of(base, from_ms + 1, to_ms):
        if not any(_overlap(wave, row) for wave in spans):
            keys = ("start_ms", "last_ms", "direction", "strength", "peak_z", "peak_usd")
            spans.append(WaveSpan(**{key: row[key] for key in keys}, below=True))
    return tuple(sorted(spans, key=lambda wave: wave.start_ms))


def _overlap(wave: WaveSpan, row: dict[str, Any]) -> bool:
    apart = wave.start_ms > row["last_ms"] or row["start_ms"] > wave.last_ms
    return wave.direction == row["direction"] and not apart


def _verdicts(
    reader: Reader,
    in_force: RulesInForce,
    base: str,
    rows: FeatureRows,
    candles: Candles,
    prints: Prints,
    from_ms: int,
    to_ms: int,
) -> tuple[VerdictMark, ...]:
    if len(candles):
        times, prices = candles.open_ms, candles.close
    else:
        times, prices = prints.event_ms, prints.price

    def price_at(ms: int) -> float | None:
        at = int(np.searchsorted(times, ms, side="right")) - 1
        return float(prices[max(at, 0)]) if len(prices) else None

    told = [
        (row, read_story(reader, row, in_force, in_force.lists(row["symbol"]), rows))
        for row in reader.verdicts(from_ms, to_ms, [base])
        if from_ms <= row["available_at"] < to_ms
    ]
    return tuple(
        VerdictMark(
            available_at=int(row["available_at"]),
            direction="LONG" if row["direction"] == "LONG" else "SHORT",
            enters=story.enters,
            words=story.words,
            judge=row["judge"],
            reason=row["action_reason"],
            price=price_at(int(row["available_at"])),
        )
        for row, story in told
    )
