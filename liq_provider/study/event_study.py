"""
The event study: does price run on or revert after a wave, in this recording?

What is asked is fixed here, before any data is seen:

* the two hypotheses are the two trades that the strategy can make: ``follow`` where the candles
  agree with the wave, and ``fade`` where they agree with the opposite, each held for the
  primary horizon and paying costs
* a hypothesis qualifies if its mean after costs lies above zero with ``LEVEL`` confidence, and
  both the placebo and the sign flip are beaten with ``ALPHA``, divided by the declared trials
* everything else that is shown is description
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd

from liq_provider.config.settings import Settings
from liq_provider.core.arrays import BoolArray, FloatArray
from liq_provider.core.durations import DAY_MS, HOUR_MS, MINUTE_MS
from liq_provider.judge.decisions import Rules
from liq_provider.measure.waves import Thresholds
from liq_provider.study.events import PairWaves, clustered, find_waves
from liq_provider.study.pair_past import PairPast
from liq_provider.study.placebo import placebo_means
from liq_provider.study.stats import (
    Clusters,
    Mean,
    by_cluster,
    mean_of,
    needed,
    placebo_p,
    sign_flip_p,
)

HORIZONS_MIN = (1, 5, 15, 60, 240)
PRIMARY_MIN = 60
LEVEL = 0.99
ALPHA = 0.005
SHOWN_LEVEL = 0.95
MIN_EVENTS = 30
MIN_DAYS = 20
# Means after costs that are asked for, as shares: 5, 10 and 20 bp.
EDGES = (0.0005, 0.001, 0.002)

Way = Literal["follow", "fade"]
Finding = Literal["qualified", "not qualified", "not enough data"]

_BREAKDOWNS = ("strength", "liquidated", "trend", "venues", "hours")
_NEVER_Z = -1e9


@dataclass(frozen=True, slots=True)
class Options:
    """
    :param fee: taker fee of one side, as a share
    :param slippage: between the price that was decided on and the fill, of one side
    :param trials: settings that were tried on this recording before, as the user declares
    """

    fee: float = 0.0005
    slippage: float = 0.0002
    trials: int = 1
    seed: int = 1

    @property
    def cost(self) -> float:
        """Of a round trip, as a share of the price."""
        return 2 * (self.fee + self.slippage)


@dataclass(frozen=True, slots=True)
class Cell:
    """
    One line of a table.

    :param gross: mean of the way's own direction, before costs
    :param net: after 1x costs; so is ``net_2x`` after twice that
    """

    name: str
    gross: Mean
    net: float
    net_2x: float


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """
    :param mean: before costs, with the interval of ``LEVEL``
    :param net: after 1x costs; so are the interval's ends
    :param placebo_mean: of random times of the same pairs and days
    :param needed_events: to tell a mean after costs from zero, by that mean as a share
    """

    way: Way
    finding: Finding
    mean: Mean
    net: float
    net_low: float
    net_high: float
    net_2x: float
    placebo_mean: float
    placebo_p: float
    sign_flip_p: float
    needed_events: dict[float, int | None]


@dataclass(frozen=True, slots=True)
class PairShare:
    """
    :param known: candles with known liquidations
    """

    pair: str
    candles: int
    known: int
    waves: int


@dataclass(frozen=True, slots=True)
class Study:
    """
    Everything that the report says about one span.

    :param unseen: waves that are left out, as their beginning was not seen
    :param known_days: time in which something was known of any pair
    """

    from_ms: int
    to_ms: int
    timeframe_min: int
    horizon_min: int
    pairs: list[PairShare]
    events: int
    unseen: int
    clusters: int
    days: int
    hypotheses: list[Hypothesis]
    horizons: list[Cell]
    late_entry: list[Cell]
    breakdowns: dict[str, list[Cell]]
    ablation: list[Cell]
    known_days: float
    known_by_day: dict[str, float]
    waves_by_day: dict[str, int]
    cells: int = field(default=0)


def follow_rules(settings: Settings) -> Rules:
    """:return: the configured rules, looked at in the direction of the liquidations"""
    return Rules.of(settings.model_copy(update={"direction_mode": "follow"}))


def horizons_of(timeframe_min: int) -> tuple[int, ...]:
    """:return: those that are whole candles"""
    return tuple(h for h in HORIZONS_MIN if h % timeframe_min == 0) or (timeframe_min,)


def primary_of(timeframe_min: int) -> int:
    """:return: the primary horizon, or the nearest that the candles have"""
    return min(horizons_of(timeframe_min), key=lambda minutes: abs(minutes - PRIMARY_MIN))


def run_study(pairs: Sequence[PairPast], settings: Settings, options: Options) -> Study:
    """
    :param pairs: at least one, with candles, all of one timeframe
    """
    rng = np.random.default_rng(options.seed)
    rules = follow_rules(settings)
    waves = {past.pair: find_waves(past, settings, rules) for past in pairs}
    timeframe_min = pairs[0].timeframe_ms // MINUTE_MS
    horizon = primary_of(timeframe_min)
    events = _events(waves, settings.segment_min, horizons_of(timeframe_min), horizon)
    primary = f"r{horizon}"
    cells = Cells(options, rng)
    horizons = [
        cells.of(f"{minutes} min, {name}", part, f"r{minutes}")
        for minutes in horizons_of(timeframe_min)
        for name, part in (("all waves", events), ("candles agree", _with(events, "with")))
    ]
    late = [
        cells.of(name, _with(events, "with"), column)
        for name, column in (("at the next open", primary), ("one candle later", "late"))
    ]
    breakdowns = {
        name: [cells.of(str(key), part, primary) for key, part in events.groupby(name)]
        for name in _BREAKDOWNS
    }
    return Study(
        from_ms=min(int(past.close_ms[0]) for past in pairs),
        to_ms=max(int(past.close_ms[-1]) for past in pairs),
        timeframe_min=timeframe_min,
        horizon_min=horizon,
        pairs=[_share(pair) for pair in waves.values()],
        events=len(events),
        unseen=sum(pair.unseen for pair in waves.values()),
        clusters=int(events["cluster"].nunique()),
        days=int(events["day"].nunique()),
        hypotheses=[_test(way, events, waves, horizon, options, rng) for way in ("follow", "fade")],
        horizons=horizons,
        late_entry=late,
        breakdowns=breakdowns,
        ablation=_ablation(pairs, settings, rules, horizon, cells),
        known_days=_known_days(waves, pairs[0].timeframe_ms),
        known_by_day=_known_by_day(waves),
        waves_by_day={_day(day): int(n) for day, n in events["day"].value_counts().items()},
        cells=cells.made,
    )


def _events(
    waves: Mapping[str, PairWaves],
    segment_min: int,
    horizons: Sequence[int],
    primary: int,
) -> pd.DataFrame:
    tables = []
    for pair in waves.values():
        row, sign = pair.events["row"].to_numpy(), pair.events["sign"].to_numpy()
        returns = {f"r{h}": pair.past.forward(h)[row] * sign for h in horizons}
        returns["late"] = pair.past.forward(primary, late_candles=1)[row] * sign
        tables.append(pair.events.assign(**returns))
    events = clustered(pd.concat(tables, ignore_index=True), segment_min)
    hour = (events["close_ms"] % DAY_MS // HOUR_MS).astype("int64")
    liquidated = np.where(events["sign"] > 0, "shorts", "longs")
    return events.assign(
        liquidated=liquidated, hours=[f"{h - h % 4:02d}-{h - h % 4 + 4:02d} UTC" for h in hour]
    )


def _with(events: pd.DataFrame, trend: str) -> pd.DataFrame:
    return events[events["trend"] == trend]


@dataclass(slots=True)
class Cells:
    """Makes the cells of descriptive tables, and counts them."""

    options: Options
    rng: np.random.Generator
    made: int = 0

    def of(self, name: str, events: pd.DataFrame, column: str) -> Cell:
        self.made += 1
        values, days = clusters_of(events, events[column].to_numpy())
        mean = mean_of(values, days, SHOWN_LEVEL, self.rng)
        cost = self.options.cost
        return Cell(name, mean, mean.mean - cost, mean.mean - 2 * cost)


def clusters_of(events: pd.DataFrame, values: FloatArray) -> Clusters:
    """
    :param events: with their clusters
    :param values: one per event
    """
    return by_cluster(values, events["cluster"].to_numpy(), events["day"].to_numpy())


def _test(
    way: Way,
    events: pd.DataFrame,
    waves: Mapping[str, PairWaves],
    horizon: int,
    options: Options,
    rng: np.random.Generator,
) -> Hypothesis:
    chosen, turn = _with(events, "with" if way == "follow" else "against"), 1
    if way == "fade":
        turn = -1
    chosen = chosen[np.isfinite(chosen[f"r{horizon}"])]
    values, days = clusters_of(chosen, turn * chosen[f"r{horizon}"].to_numpy())
    level = 1 - (1 - LEVEL) / options.trials
    mean = mean_of(values, days, level, rng)
    enough = mean.n >= MIN_EVENTS and mean.days >= MIN_DAYS
    p_placebo = p_flip = placebo_mean = np.nan
    if mean.n:
        signs = turn * chosen["sign"].to_numpy().astype(np.float64)
        placebo = placebo_means(chosen, waves, horizon, signs, rng)
        placebo_mean = float(np.mean(placebo)) if np.isfinite(placebo).any() else np.nan
        p_placebo = placebo_p(placebo, mean.mean)
        p_flip = sign_flip_p(values, days, rng)
    net, alpha = mean.mean - options.cost, ALPHA / options.trials
    passed = mean.low > options.cost and p_placebo <= alpha and p_flip <= alpha
    finding: Finding = "qualified" if passed else "not qualified"
    return Hypothesis(
        way,
        finding if enough else "not enough data",
        mean,
        net,
        mean.low - options.cost,
        mean.high - options.cost,
        mean.mean - 2 * options.cost,
        placebo_mean,
        p_placebo,
        p_flip,
        {edge: needed(mean.spread, edge, level) for edge in EDGES},
    )


def _ablation(
    pairs: Sequence[PairPast], settings: Settings, rules: Rules, horizon: int, cells: Cells
) -> list[Cell]:
    """Each gate left out in turn; the others stay."""
    made = []
    for name, thresholds, any_trend in _without(rules.thresholds):
        changed = replace(rules, thresholds=thresholds)
        waves = {past.pair: find_waves(past, settings, changed) for past in pairs}
        events = _events(waves, settings.segment_min, [horizon], horizon)
        part = events if any_trend else _with(events, "with")
        made.append(cells.of(name, part, f"r{horizon}"))
    return made


def _without(full: Thresholds) -> list[tuple[str, Thresholds, bool]]:
    strong = replace(full, z_threshold=full.z_strong, purity_threshold=full.purity_strong - 1e-9)
    return [
        ("all gates", full, False),
        ("strong waves only", strong, False),
        ("without z", replace(full, z_threshold=_NEVER_Z), False),
        ("without purity", replace(full, purity_threshold=0.5), False),
        ("without min_count", replace(full, min_count=0), False),
        ("without min_segment_usd", replace(full, min_segment_usd=0.0), False),
        ("without the candles", full, True),
    ]


def _share(pair: PairWaves) -> PairShare:
    return PairShare(
        pair.past.pair, len(pair.past.open_ms), int(pair.known.sum()), len(pair.events)
    )


def _known_days(waves: Mapping[str, PairWaves], timeframe_ms: int) -> float:
    """What is known of several pairs at once is one time: their events at once are one, too."""
    known = [pair.past.close_ms[pair.known] for pair in waves.values()]
    return len(np.unique(np.concatenate(known))) * timeframe_ms / DAY_MS


def _known_by_day(waves: Mapping[str, PairWaves]) -> dict[str, float]:
    days: FloatArray = np.concatenate([pair.past.close_ms // DAY_MS for pair in waves.values()])
    known: BoolArray = np.concatenate([pair.known for pair in waves.values()])
    shares = pd.Series(known).groupby(days).mean()
    return {_day(day): float(share) for day, share in shares.items()}


def _day(day: object) -> str:
    return str(np.datetime64(int(str(day)), "D"))
