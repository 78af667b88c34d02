"""
The gates of a decision: everything that can hinder an entry, in one order, with numbers and words.

Pure. Strategy, messages, charts, page, ``explain``, narrator and study read this list, and none of
them words a decision of its own. The gates of the wave follow from the arrays of ``decide``, so
that none of them failed if and only if there is an entry; behind them come those that only a bot
can answer. A gate that has nothing to look at, or whose answer is not known here, neither passed
nor failed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from liq_provider.core.durations import MINUTE_MS
from liq_provider.judge.bot_gates import OF_BOT, Standing
from liq_provider.judge.decisions import Decisions, VerdictMode
from liq_provider.judge.gate_list import BEGINNING_UNSEEN, OF_WAVE, DecisionGate, DecisionStory
from liq_provider.judge.matrix import ACTIONS, NEWS_CODES, Action, Confidence, News
from liq_provider.judge.matrix import decide as matrix_cell
from liq_provider.judge.matrix_judge import UNJUDGED
from liq_provider.judge.rules_in_force import RulesInForce
from liq_provider.judge.wave_context import WaveContext
from liq_provider.measure.feature_rows import State
from liq_provider.measure.readiness import too_thin_words, warming_up_words
from liq_provider.measure.scales import Score, score_words
from liq_provider.measure.trend import trend_word
from liq_provider.measure.waves import Strength, direction_word
from liq_provider.store.vetoes import REFUSED

# Of a minute whose features are not stored any more: there were enough segments, or it would not
# have been judged.
NOT_KEPT = -1

_NAMES: dict[Score, str] = {
    "classic": "classic z",
    "robust": "robust z",
    "percentile": "percentile",
}


def tell(
    decisions: Decisions,
    row: int,
    in_force: RulesInForce,
    mode: VerdictMode,
    verdict: Mapping[str, Any] | None = None,
    context: WaveContext | None = None,
    standing: Standing | None = None,
) -> DecisionStory:
    """
    :param row: position of the candle
    :param in_force: the rules that the decisions were made by
    :param mode: likewise
    :param verdict: behind the decision; or, if there is none in time, the one that came too late
    :param context: what else is known of how it was measured; changes numbers, and no outcome
    :param standing: what only a bot knows
    """
    teller = _Teller(decisions, row, in_force, mode, verdict, context or WaveContext())
    gates = (
        *teller.of_data(),
        *teller.of_wave(),
        *teller.of_judge(),
        *_of_bot(standing or Standing()),
    )
    action = ACTIONS[int(decisions.action[row])]
    level, close_ms = int(decisions.level[row]), int(decisions.close_ms[row])
    return DecisionStory(gates, action, level, in_force.owner, close_ms)


def undecided(in_force: RulesInForce, standing: Standing) -> DecisionStory:
    """:return: the story of a candle of which there is no decision; it is no entry"""
    wave = tuple(DecisionGate(name, None, "no decision", "") for name in OF_WAVE)
    gates = (*wave, *_of_bot(replace(standing, decided=False)))
    return DecisionStory(gates, Action.SKIP, 0, in_force.owner)


def _of_bot(standing: Standing) -> tuple[DecisionGate, ...]:
    gates = []
    for gate in OF_BOT:
        passed, why = standing.answer(gate.name), standing.words(gate)
        measured = {None: "not known here", True: "yes", False: why}[passed]
        said = why if passed is False else ""
        gates.append(DecisionGate(gate.name, passed, measured, gate.needed, said))
    return tuple(gates)


@dataclass(frozen=True, slots=True)
class _Teller:
    """The gates of one candle's wave, see ``tell``."""

    decisions: Decisions
    row: int
    in_force: RulesInForce
    mode: VerdictMode
    verdict: Mapping[str, Any] | None
    context: WaveContext

    @property
    def _state(self) -> State:
        return State(int(self.decisions.state[self.row]))

    @property
    def _usd(self) -> float:
        return float(self.decisions.long_usd[self.row] + self.decisions.short_usd[self.row])

    @property
    def _strength(self) -> Strength:
        return Strength(int(self.decisions.strength[self.row]))

    @property
    def _level(self) -> int:
        return int(self.decisions.level[self.row])

    def of_data(self) -> tuple[DecisionGate, ...]:
        """Is there anything to measure, and enough of it?"""
        windows, own = self.in_force.windows, self.in_force.rules.thresholds
        state, known = self._state, self._state > State.UNCOVERED
        passes, row = self.decisions.passes, self.row
        baseline = int(self.decisions.baseline_n[self.row])
        active = int(self.decisions.active_n[self.row])
        count = int(self.decisions.count[self.row])
        has_counts = self.decisions.has_counts
        unknown = f"no venue is known for all of the last {windows.segment_min} min"
        if not self.decisions.measured[self.row]:
            unknown = "nothing is on record of its last minutes"
        timeframe_min = self.in_force.timeframe_ms // MINUTE_MS
        return (
            _gate(
                "candle",
                int(self.decisions.close_ms[self.row]) % self.in_force.timeframe_ms == 0,
                f"{timeframe_min} min",
                "one that closes at that minute",
                f"no candle of {timeframe_min} min closed in the minutes that it was judged for",
            ),
            _gate(
                "coverage",
                known,
                self.context.covered or ("covered" if known else "not covered"),
                f"one venue for all of the last {windows.segment_min} min",
                unknown,
            ),
            _gate(
                "baseline",
                state > State.WARMING_UP if known else None,
                f"{_number(baseline)} of {windows.baseline_segments} segments known",
                f"{windows.min_baseline_segments}",
                warming_up_words(baseline, windows.min_baseline_segments, windows.segment_min),
            ),
            _gate(
                "activity",
                state > State.TOO_THIN if state > State.WARMING_UP else None,
                f"{_number(active)} segments with liquidations",
                f"{windows.min_active_segments}",
                too_thin_words(active, windows.min_active_segments),
            ),
            _gate(
                "count",
                passes.count[row] if known and has_counts else None,
                (_counted(count) if has_counts else "bars without counts") if known else "unknown",
                f"min_count {own.min_count}",
                f"{_counted(count)} {'is' if count == 1 else 'are'} fewer than "
                f"min_count {own.min_count}",
            ),
            _gate(
                "size",
                passes.size[row] if known else None,
                self._money() if known else "unknown",
                f"min_segment_usd {own.min_segment_usd:,.0f}",
                f"${self._usd:,.0f} is less than min_segment_usd {own.min_segment_usd:,.0f}",
            ),
        )

    def of_wave(self) -> tuple[DecisionGate, ...]:
        """Does it stand out, on one side, and was it there when it began?"""
        own, row = self.in_force.rules.thresholds, self.row
        z, pure = float(self.decisions.z[row]), float(self.decisions.purity[row])
        known, has_z = self._state > State.UNCOVERED, z == z
        sign = int(self.decisions.sign[self.row])
        side = direction_word(sign) if sign else "no direction"
        wave = bool(self.decisions.wave_ms[self.row])
        return (
            _gate(
                "z",
                self.decisions.passes.z[row] if has_z else None,
                self._score(z) if has_z else f"no {_NAMES[own.zscore]}",
                f"z_threshold {own.z_threshold:g}, strong from {own.z_strong:g}",
                f"{_below(own.zscore, z, own.z_threshold)} is below z_threshold "
                f"{own.z_threshold:g}",
            ),
            _gate(
                "purity",
                self.decisions.passes.purity[row] if known else None,
                f"{pure:.1%} on one side ({side})" if known else "unknown",
                f"above {own.purity_threshold:.0%}, strong from {own.purity_strong:.0%}",
                f"purity {pure:.0%} is not above {own.purity_threshold:.0%}",
            ),
            _gate(
                "wave",
                self._strength > Strength.NONE,
                f"strength {self._strength.word}",
                "medium or strong",
                "no wave",
            ),
            _gate(
                "beginning",
                bool(self.decisions.seen[self.row]) if wave else None,
                (self.context.began or "as far as is known here") if wave else "no wave",
                "its beginning was seen",
                f"its {BEGINNING_UNSEEN}",
            ),
        )

    def of_judge(self) -> tuple[DecisionGate, ...]:
        """What candles, judge and matrix make of it, and whether that is new."""
        decisions, row, rules = self.decisions, self.row, self.in_force.rules
        wave, level = self._strength > Strength.NONE, self._level
        change = float(decisions.change[row])
        known = change == change
        candles = f"return {change:+.2%}, noise {decisions.noise[row]:.2%}"
        judged = bool(decisions.judged[row]) and (
            self.verdict is not None or self.mode in ("matrix", "both")
        )
        candidate = bool(decisions.candidate[row])
        sure = Confidence(level).word if level else "none"
        return (
            _gate(
                "trend",
                bool(decisions.aligned[row] == 1) if wave else None,
                f"{trend_word(int(decisions.trend[row]))} ({candles})"
                if known
                else "unknown (no candles)",
                f"the wave's direction, beyond {rules.trend_k:g} x noise",
                "price does not follow" if known else "no candles to compare with",
            ),
            _gate(
                "verdict",
                judged if wave else None,
                self._answer() if wave else "not asked",
                f"a verdict ({self.mode})",
                self._late(),
            ),
            _gate(
                "matrix",
                level > 0 if wave and judged else None,
                self._came_to() if wave and judged else "not asked",
                "enter",
                self._unconvinced(),
            ),
            _gate(
                "confidence",
                decisions.sure[row] if level else None,
                sure,
                f"min_confidence {rules.min_confidence.word}",
                f"confidence {sure} is below min_confidence {rules.min_confidence.word}",
            ),
            _gate(
                "once per wave",
                bool(decisions.entry[row]) if candidate else None,
                ("first candle or upgrade" if decisions.entry[row] else "offered before")
                if candidate
                else "nothing to offer",
                "first of its wave, or surer than before",
                "its entry was due at an earlier candle",
            ),
        )

    def _money(self) -> str:
        long_usd, short_usd = self.decisions.long_usd[self.row], self.decisions.short_usd[self.row]
        baseline = f"; {self.context.baseline}" if self.context.baseline else ""
        return f"${self._usd:,.0f} (long ${long_usd:,.0f}, short ${short_usd:,.0f}{baseline})"

    def _score(self, z: float) -> str:
        zscore, windows = self.in_force.rules.thresholds.zscore, self.in_force.windows
        hours = windows.baseline_segments * windows.segment_min / 60
        words = score_words(zscore, z, 2, hours)
        return f"classic {words}" if zscore == "classic" else words

    def _answer(self) -> str:
        said, judged = self.verdict, self.decisions.judged[self.row]
        if not judged:
            return self._late()
        if said is None:
            return "the matrix without news"
        text = f"{said['judge']}: {said['action']} ({said['confidence']}), {said['action_reason']}"
        changes = json.loads(said["guard"])
        return f"{text}; guard: {'; '.join(changes)}" if changes else text

    def _late(self) -> str:
        """Why there is no verdict; one that is given here came, but not in time."""
        said, close_ms = self.verdict, int(self.decisions.close_ms[self.row])
        delay_ms = self.in_force.rules.delay_ms
        if said is None or said["available_at"] <= close_ms + delay_ms:
            return "no verdict in time"
        late_s = (said["available_at"] - close_ms) / 1000
        return f"its verdict came {late_s:.0f} s after the close, too late (max_entry_delay_s)"

    @property
    def _judge(self) -> str:
        return "" if self.verdict is None else str(self.verdict["judge"])

    @property
    def _news(self) -> News:
        return NEWS_CODES[int(self.decisions.news[self.row])]

    @property
    def _follows(self) -> bool:
        return int(self.decisions.aligned[self.row]) == 1

    @property
    def _cell_enters(self) -> bool:
        """Whether the matrix by itself would enter, so that only the judge stands in the way."""
        action, _ = matrix_cell(self._strength, self._follows, self._news)
        return action is Action.ENTER

    def _came_to(self) -> str:
        """What judge and matrix come to."""
        if self._level:
            return f"{Confidence(self._level).word} with news {self._news.value}"
        if self._judge == UNJUDGED:
            return "no verdict"
        if self._judge == REFUSED:
            return "refused by a judge"
        if self.verdict is not None and self._cell_enters:
            # Who says "enter" is less sure of it than the rules in force leave room for.
            refused = self.verdict["action"] != Action.ENTER
            return f"{'refused' if refused else 'doubted'} by {self._judge}"
        return f"no entry with news {self._news.value}"

    def _unconvinced(self) -> str:
        """Why the matrix has no entry, of all reasons the one that would have to change."""
        if self._judge == UNJUDGED:
            return "no verdict of the judge"
        if self._judge == REFUSED:
            return "refused: a judge was against this wave, or doubted it"
        if self._news is News.CONTRADICTS:
            return "the news is against it"
        if not self._follows:
            return "price does not follow"
        return "the judge is not convinced" if self._cell_enters else "no news supports it"


def _gate(name: str, passed: bool | None, measured: str, needed: str, words: str) -> DecisionGate:
    passed = None if passed is None else bool(passed)
    return DecisionGate(name, passed, measured, needed, words if passed is False else "")


def _counted(count: int) -> str:
    return "1 liquidation" if count == 1 else f"{count} liquidations"


def _number(kept: int) -> str:
    return "enough" if kept == NOT_KEPT else str(kept)


def _below(zscore: Score, value: float, threshold: float) -> str:
    """With as many digits as show that it is below."""
    digits = next((n for n in (1, 2, 3) if round(value, n) < threshold), 4)
    if zscore == "percentile":
        return f"percentile {value:.{digits + 2}f}"
    return score_words(zscore, value, digits)
