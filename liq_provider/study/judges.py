"""
Did the AI help? What a model said of recorded waves, against what the matrix alone says.

What is asked is fixed here, before any data is seen: of the waves that the matrix without a news
source would enter, did those that the model let pass do better than those that it refused? Both
look at the same wave at the same candle: the wave's first one at which the matrix enters and the
model's verdict is there. What either says of the wave later is not looked at.

* ``helped``: the difference (kept minus refused) lies above zero with ``LEVEL`` confidence, and
  random signs of whole days do as well with ``ALPHA`` at most, both divided by the declared trials
  and by the models that are compared
* ``hurt``: the same, below zero
* everything else that is shown is description

Returns are in the direction of the trade, so with ``fade`` against that of the liquidations.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from liq_provider.config.measuring import feature_params_of
from liq_provider.config.settings import Settings
from liq_provider.core.coins import base_asset_of_pair
from liq_provider.core.durations import DAY_MS, MINUTE_MS
from liq_provider.judge import matrix
from liq_provider.judge.decisions import (
    CandleTrend,
    Decisions,
    Rules,
    VerdictMode,
    decide,
    sure_by_matrix,
)
from liq_provider.judge.gates import tell
from liq_provider.judge.matrix import NEWS_CODES, Action, Confidence
from liq_provider.judge.matrix_judge import is_model
from liq_provider.judge.rules_in_force import RulesInForce
from liq_provider.measure.trend import trend_inputs
from liq_provider.measure.waves import Strength
from liq_provider.store.verdict_minutes import spans_of
from liq_provider.study.event_study import (
    ALPHA,
    LEVEL,
    MIN_DAYS,
    MIN_EVENTS,
    SHOWN_LEVEL,
    Cell,
    Cells,
    Options,
    clusters_of,
    primary_of,
)
from liq_provider.study.events import clustered
from liq_provider.study.foreknown import without_foreknown
from liq_provider.study.pair_past import PairPast
from liq_provider.study.recorded_verdicts import Bill, Recorded
from liq_provider.study.stats import Difference, difference_of

Answer = Literal["helped", "no difference", "hurt", "not enough data"]
Said = Literal["entered", "unsure", "held", "skipped"]
Fate = Literal["in time", "late", "unseen", "over", "bare"]

_WAVE = ["pair", "sign", "wave_ms"]
_SAID: dict[Said, str] = {
    "entered": "entered, {}",
    "unsure": "enter, {}: below min_confidence",
    "held": "held, {}",
    "skipped": "skipped, {}",
}
_MODE: VerdictMode = "recorded"
_NO_CANDLES = 2  # to compare the wave with, see ``Decisions.aligned``


@dataclass(frozen=True, slots=True)
class JudgeTable:
    """
    What one judge said, in time for an entry.

    :param waves: that it judged
    :param cells: by what was said and how surely; a wave counts once in each, from the first
        candle at which it was said
    """

    judge: str
    waves: int
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    One model against the matrix.

    :param waves: that both had a say about
    :param days: from the first to the last of them
    :param kept: of the waves that the matrix enters, those that the model enters, too
    :param difference: kept minus refused, with the interval of the strict level
    :param own: every wave that the model enters, at the candle where it does
    :param by_matrix: every wave that the matrix enters, at the candle where it does
    :param gain: own minus by_matrix, a trade
    :param alone: waves that the model enters, and the matrix had not by then
    """

    judge: str
    answer: Answer
    waves: int
    days: float
    kept: Cell
    refused: Cell
    difference: Difference
    own: Cell
    by_matrix: Cell
    gain: Difference
    alone: Cell
    bill: Bill | None


@dataclass(frozen=True, slots=True)
class Judges:
    """
    :param horizon_min: of the returns
    :param level: of the intervals of differences that are answers
    :param alpha: so for random signs
    :param said: verdicts of models that were recorded
    :param late: those of them that came too late for any entry
    :param unseen: those of them about what is no wave by the settings of now, or one of the
        other direction
    :param over: those of them about waves whose beginning was not seen
    :param bare: those of them at candles that are missing here
    :param foreknown: others, left out: the model may have read about their waves
    """

    horizon_min: int
    level: float
    alpha: float
    said: int
    late: int
    unseen: int
    over: int
    bare: int
    tables: list[JudgeTable]
    comparisons: list[Comparison]
    cells: int = 0
    foreknown: int = 0


def run_judges(
    pairs: Sequence[PairPast], recorded: Recorded, settings: Settings, options: Options
) -> Judges:
    """
    :param pairs: at least one, all of one timeframe
    :param recorded: what was said of their coins within their candles
    """
    recorded, foreknown = without_foreknown(recorded, settings)
    horizon = primary_of(pairs[0].timeframe_ms // MINUTE_MS)
    rules = Rules.of(settings)
    fates: Counter[Fate] = Counter()
    tables = []
    for past in pairs:
        verdicts = recorded.verdicts.get(base_asset_of_pair(past.pair), ())
        decisions = _decisions(past, verdicts, settings, rules)
        tables.append(_judged(past, decisions, verdicts, _in_force(past, settings), horizon))
        within = _by_models(verdicts, int(past.close_ms[0]))
        fates.update(_fate(verdict, decisions, rules) for verdict in within)
    judged = pd.concat(tables, ignore_index=True)
    names = sorted(judged["judge"].unique(), key=lambda name: (not _is_model(name), name))
    models = [name for name in names if _is_model(name)]
    corrected = options.trials * max(len(models), 1)
    compare = _Compare(
        Cells(options, np.random.default_rng(options.seed)),
        settings.segment_min,
        1 - (1 - LEVEL) / corrected,
        ALPHA / corrected,
    )
    by_judge = {name: judged[judged["judge"] == name] for name in names}
    return Judges(
        horizon,
        compare.level,
        compare.alpha,
        fates.total(),
        fates["late"],
        fates["unseen"],
        fates["over"],
        fates["bare"],
        [compare.table(name, part) for name, part in by_judge.items()],
        [compare.model(name, by_judge[name], recorded.bills.get(name)) for name in models],
        compare.cells.made,
        foreknown,
    )


def _is_model(judge: str) -> bool:
    return is_model(judge)


def _by_models(verdicts: Sequence[Mapping[str, Any]], from_ms: int) -> list[Mapping[str, Any]]:
    return [said for said in verdicts if _is_model(said["judge"]) and said["close_ms"] >= from_ms]


def _decisions(
    past: PairPast, verdicts: Sequence[Mapping[str, Any]], settings: Settings, rules: Rules
) -> Decisions:
    change, noise = trend_inputs(past.close, settings.trend_candles)
    trend = CandleTrend(change, noise)
    return decide(past.close_ms, past.rows, trend, verdicts, rules, _MODE)


def _in_force(past: PairPast, settings: Settings) -> RulesInForce:
    windows = feature_params_of(settings)
    return RulesInForce(Rules.of(settings), windows, past.timeframe_ms)


def _judged(
    past: PairPast,
    decisions: Decisions,
    verdicts: Sequence[Mapping[str, Any]],
    in_force: RulesInForce,
    horizon: int,
) -> pd.DataFrame:
    """
    :return: candles with a verdict that a bot could have acted on, with the columns pair,
        close_ms, sign, wave_ms, judge, said, confidence, enters, matrix_enters, gross
    """
    rows = np.flatnonzero(
        (decisions.verdict >= 0) & (decisions.aligned != _NO_CANDLES) & decisions.seen
    )
    heard = [verdicts[decisions.verdict[row]] for row in rows]
    answers = [
        _answer(decisions, int(row), verdict, in_force)
        for row, verdict in zip(rows, heard, strict=True)
    ]
    return pd.DataFrame(
        {
            "pair": past.pair,
            "close_ms": decisions.close_ms[rows],
            "sign": decisions.sign[rows],
            "wave_ms": decisions.wave_ms[rows],
            "judge": pd.Series([verdict["judge"] for verdict in heard], dtype=object),
            "said": pd.Series([said for said, _ in answers], dtype=object),
            "confidence": np.array([int(sure) for _, sure in answers], dtype=np.int64),
            "enters": decisions.candidate[rows],
            "matrix_enters": sure_by_matrix(decisions, in_force.rules)[rows],
            "gross": past.forward(horizon)[rows] * decisions.sign[rows],
        }
    )


def _answer(
    decisions: Decisions, row: int, verdict: Mapping[str, Any], in_force: RulesInForce
) -> tuple[Said, Confidence]:
    """What the verdict comes to with the strength and alignment that the candle has."""
    story = tell(decisions, row, in_force, _MODE, verdict).as_judged
    if story.level:
        return "entered" if story.enters else "unsure", Confidence(story.level)
    confidence = Confidence.of(verdict["confidence"])
    if Action(verdict["action"]) is Action.ENTER:
        # It was about a stronger state of the wave, so the matrix says what is left of it.
        _, confidence = matrix.decide(*_facts(decisions, row), NEWS_CODES[decisions.news[row]])
    return "held" if story.verb == Action.HOLD.value else "skipped", confidence


def _facts(decisions: Decisions, row: int) -> tuple[Strength, bool]:
    return Strength(int(decisions.strength[row])), bool(decisions.aligned[row])


def _fate(verdict: Mapping[str, Any], decisions: Decisions, rules: Rules) -> Fate:
    sign = 1 if verdict["direction"] == "LONG" else -1
    spans = spans_of(verdict, rules.verdict_life_ms)
    bounds = [np.searchsorted(decisions.close_ms, [first, last + 1]) for first, last in spans]
    within = np.concatenate([np.arange(first, end) for first, end in bounds])
    within = within[(decisions.wave_ms[within] > 0) & (decisions.sign[within] == sign)]
    if not len(within):
        return "unseen"
    within = within[decisions.seen[within]]
    if not len(within):
        return "over"
    within = within[decisions.close_ms[within] + rules.delay_ms >= verdict["available_at"]]
    if not len(within):
        return "late"
    return "in time" if (decisions.aligned[within] != _NO_CANDLES).any() else "bare"


@dataclass(frozen=True, slots=True)
class _Compare:
    """
    :param level: of the interval that answers the question
    :param alpha: of random signs
    """

    cells: Cells
    segment_min: int
    level: float
    alpha: float

    def table(self, judge: str, part: pd.DataFrame) -> JudgeTable:
        """What one judge said, surest first."""
        once = part.drop_duplicates([*_WAVE, "said", "confidence"])
        cells = []
        for said, words in _SAID.items():
            for sure in sorted(Confidence, reverse=True):
                group = once[(once["said"] == said) & (once["confidence"] == sure)]
                if len(group):
                    cells.append(self._cell(words.format(sure.word), group))
        return JudgeTable(judge, len(part.drop_duplicates(_WAVE)), cells)

    def model(self, judge: str, part: pd.DataFrame, bill: Bill | None) -> Comparison:
        """
        :param part: candles that it judged, ascending within each wave
        """
        by_matrix = part[part["matrix_enters"]].drop_duplicates(_WAVE)
        own = part[part["enters"]].drop_duplicates(_WAVE)
        kept, refused = by_matrix[by_matrix["enters"]], by_matrix[~by_matrix["enters"]]
        left, right = self._cell("kept by the model", kept), self._cell("refused by it", refused)
        difference = self._difference(kept, refused, self.level)
        span_ms = part["close_ms"].max() - part["close_ms"].min()
        return Comparison(
            judge=judge,
            answer=self._answer(left, right, difference),
            waves=len(part.drop_duplicates(_WAVE)),
            days=max(float(span_ms) / DAY_MS, 1.0),
            kept=left,
            refused=right,
            difference=difference,
            own=self._cell("all that the model enters", own),
            by_matrix=self._cell("all that the matrix enters", by_matrix),
            gain=self._difference(own, by_matrix, SHOWN_LEVEL),
            alone=self._cell("entered by the model alone", _not_before(own, by_matrix)),
            bill=bill,
        )

    def _answer(self, kept: Cell, refused: Cell, difference: Difference) -> Answer:
        groups = (kept.gross, refused.gross)
        if any(group.n < MIN_EVENTS or group.days < MIN_DAYS for group in groups):
            return "not enough data"
        if difference.p > self.alpha or difference.low <= 0 <= difference.high:
            return "no difference"
        return "helped" if difference.low > 0 else "hurt"

    def _cell(self, name: str, events: pd.DataFrame) -> Cell:
        return self.cells.of(name, clustered(events, self.segment_min), "gross")

    def _difference(self, first: pd.DataFrame, second: pd.DataFrame, level: float) -> Difference:
        both = [clustered(events, self.segment_min) for events in (first, second)]
        left, right = (clusters_of(events, events["gross"].to_numpy()) for events in both)
        return difference_of(left, right, level, self.cells.rng)


def _not_before(own: pd.DataFrame, by_matrix: pd.DataFrame) -> pd.DataFrame:
    """Entries of the model that the matrix had not made by then; later ones nobody could know."""
    first = by_matrix[[*_WAVE, "close_ms"]].rename(columns={"close_ms": "matrix_ms"})
    both = own.merge(first, how="left", on=_WAVE)
    return both[both["matrix_ms"].isna() | (both["matrix_ms"] > both["close_ms"])]
