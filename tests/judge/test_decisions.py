"""From features, trend and verdicts to entries."""

import json
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pytest

from liq_provider.judge.decisions import Decisions, VerdictMode, _verdict_of, decide
from liq_provider.measure.feature_rows import State
from tests.bot.helpers import at, feature_rows, rules, trend, verdict

LONGS_WIPED = (9.0, 0.98)  # strong, SHORT
SHORTS_WIPED = (9.0, 0.02)  # strong, LONG
MILD = (4.0, 0.98)  # medium
QUIET = (0.5, 0.98)


def decided(
    minutes: Mapping[int, tuple[float, float]],
    verdicts: list[dict[str, Any]],
    mode: VerdictMode = "live",
    *,
    sign: int | None = -1,
    candles: int = 20,
    every: int = 1,
    unknown_before: Collection[int] = (),
    **section: Any,
) -> Decisions:
    close_ms = np.array([at(minute) for minute in range(0, candles, every)], dtype=np.int64)
    return decide(
        close_ms,
        feature_rows(minutes, unknown_before=unknown_before),
        trend(sign, len(close_ms)),
        verdicts,
        rules(**section),
        mode,
    )


def entered(decisions: Decisions) -> list[int]:
    return [int(row) for row in np.flatnonzero(decisions.entry)]


# -- was the beginning seen? --------------------------------------------------------------


@pytest.mark.parametrize("mode", ["live", "recorded", "matrix", "both"])
def test_a_wave_whose_beginning_was_not_seen_is_never_entered(mode: VerdictMode) -> None:
    wave = {5: MILD, 6: MILD, 7: LONGS_WIPED}
    said = [verdict(5, 6, strength="medium", news="supports"), verdict(5, 7, news="supports")]
    seen = decided(wave, said, mode, min_confidence="low")
    unseen = decided(wave, said, mode, min_confidence="low", unknown_before=[5])
    assert seen.seen[5:8].all() and entered(seen)
    assert unseen.strength[5:8].tolist() == [1, 1, 2]
    assert unseen.level.tolist() == seen.level.tolist(), "shown with what it would have been"
    assert not unseen.seen.any()
    assert not unseen.candidate.any()
    assert entered(unseen) == [], "an upgrade neither"


def test_the_next_wave_is_entered_again() -> None:
    decisions = decided({5: LONGS_WIPED, 15: LONGS_WIPED}, [], "matrix", unknown_before=[5])
    assert entered(decisions) == [15]


def test_a_candle_of_several_minutes_takes_the_word_of_the_waves_first() -> None:
    wave = dict.fromkeys(range(8, 11), LONGS_WIPED)
    assert entered(decided(wave, [], "matrix", every=5)) == [2]
    assert entered(decided(wave, [], "matrix", every=5, unknown_before=[8])) == []
    assert entered(decided(wave, [], "matrix", every=5, unknown_before=[9, 10])) == [2]


# -- where verdicts come from -------------------------------------------------------------


@pytest.mark.parametrize("mode", ["live", "recorded"])
def test_no_verdict_no_entry(mode: VerdictMode) -> None:
    decisions = decided({5: LONGS_WIPED}, [], mode)
    assert decisions.strength[5] == 2
    assert not decisions.judged.any()
    assert entered(decisions) == []


@pytest.mark.parametrize("mode", ["live", "recorded", "both"])
def test_a_verdict_lets_the_wave_in(mode: VerdictMode) -> None:
    decisions = decided({5: LONGS_WIPED}, [verdict(5)], mode)
    assert entered(decisions) == [5]
    assert (decisions.sign[5], decisions.level[5]) == (-1, 2)


@pytest.mark.parametrize("mode", ["matrix", "both"])
def test_the_matrix_stands_in_where_there_is_no_verdict(mode: VerdictMode) -> None:
    assert entered(decided({5: LONGS_WIPED}, [], mode)) == [5]


def test_the_matrix_mode_does_not_look_at_verdicts() -> None:
    supports = verdict(5, news="supports")
    assert decided({5: LONGS_WIPED}, [supports], "matrix").level[5] == 2
    assert decided({5: LONGS_WIPED}, [supports], "both").level[5] == 3


def test_news_against_it_keeps_out_in_every_mode_that_reads_verdicts() -> None:
    against = verdict(5, news="contradicts")
    for mode in ("live", "recorded", "both"):
        assert entered(decided({5: LONGS_WIPED}, [against], mode)) == []  # type: ignore[arg-type]


def test_what_the_guard_took_off_is_taken_off_again() -> None:
    assert decided({5: LONGS_WIPED}, [verdict(5, downgrade=1)]).level[5] == 1
    assert decided({5: LONGS_WIPED}, [verdict(5, downgrade=3)]).level[5] == 0


@pytest.mark.parametrize("mode", ["live", "recorded", "both"])
def test_a_verdict_made_without_candles_lets_nothing_in(mode: VerdictMode) -> None:
    unknown = verdict(5, aligned="unknown", action="skip", confidence="low")
    decisions = decided({5: LONGS_WIPED}, [unknown], mode)
    assert decisions.aligned[5] == 1
    assert not decisions.judged.any()
    assert entered(decisions) == []


def test_the_verdict_made_once_candles_are_there_counts() -> None:
    wave = dict.fromkeys((5, 6), LONGS_WIPED)
    said = [verdict(5, 6, aligned="unknown"), verdict(5, 6, after_s=63)]
    assert entered(decided(wave, said)) == [6]


def test_the_matrix_does_not_enter_a_wave_before_its_recorded_verdict() -> None:
    wave = dict.fromkeys(range(5, 8), LONGS_WIPED)
    late = [verdict(5, 7, after_s=90)]
    assert entered(decided(wave, late, "recorded")) == [6]
    assert entered(decided(wave, late, "both")) == [6]
    never = [verdict(5, 7, after_s=600)]
    assert entered(decided(wave, never, "both")) == []


def test_the_matrix_stands_in_for_other_waves_than_the_recorded_one() -> None:
    two = {5: LONGS_WIPED, 15: LONGS_WIPED}
    assert entered(decided(two, [verdict(5, after_s=600)], "both")) == [15]
    opposite = [verdict(5, direction="LONG", after_s=600)]
    assert entered(decided({5: LONGS_WIPED}, opposite, "both")) == [5]


# -- when a verdict counts ----------------------------------------------------------------


@pytest.mark.parametrize(("after_s", "first"), [(3, 5), (30, 5), (30.001, 6), (90, 6), (91, 7)])
def test_a_verdict_counts_from_the_delay_on(after_s: float, first: int) -> None:
    wave = dict.fromkeys(range(5, 10), LONGS_WIPED)
    assert entered(decided(wave, [verdict(5, 9, after_s=after_s)])) == [first]


def test_a_verdict_ends_with_the_last_confirming_minute() -> None:
    wave = dict.fromkeys(range(5, 10), LONGS_WIPED)
    decisions = decided(wave, [verdict(5, 7)])
    assert [int(row) for row in np.flatnonzero(decisions.judged)] == [5, 6, 7]


def test_a_verdict_does_not_hold_while_the_wave_was_in_another_state() -> None:
    """Live it had expired in between; that it was confirmed later nobody could know."""
    wave = dict.fromkeys(range(5, 10), LONGS_WIPED)
    spans = json.dumps([[at(5), at(5)], [at(8), at(9)]])
    decisions = decided(wave, [verdict(5, 9, confirmed=spans)])
    assert [int(row) for row in np.flatnonzero(decisions.judged)] == [5, 8, 9]


def test_a_verdict_says_nothing_about_the_other_direction() -> None:
    decisions = decided({5: SHORTS_WIPED}, [verdict(5)], sign=1)
    assert not decisions.judged.any()


def test_the_newer_verdict_of_a_wave_wins() -> None:
    wave = {5: LONGS_WIPED, 6: LONGS_WIPED}
    said = [verdict(5, 6), verdict(5, 6, after_s=63, news="supports", news_key="a")]
    decisions = decided(wave, said)
    assert list(decisions.level[5:7]) == [2, 3]
    assert list(decisions.verdict[5:7]) == [0, 1]


# -- waves --------------------------------------------------------------------------------


def test_one_entry_per_wave() -> None:
    wave = dict.fromkeys(range(5, 12), LONGS_WIPED)
    decisions = decided(wave, [verdict(5, 11)])
    assert decisions.candidate[5:12].all()
    assert entered(decisions) == [5]


def test_a_gap_of_segment_min_minutes_does_not_end_a_wave_and_one_more_does() -> None:
    close = {5: LONGS_WIPED, 10: LONGS_WIPED}
    assert entered(decided(close, [verdict(5, 10)])) == [5]
    apart = {5: LONGS_WIPED, 11: LONGS_WIPED}
    assert entered(decided(apart, [verdict(5), verdict(11)])) == [5, 11]


def test_an_upgrade_enters_again_and_once_more_to_reopen() -> None:
    """Freqtrade locks the side until the next candle after the upgrade has closed it."""
    wave = {5: MILD, 6: MILD, 7: LONGS_WIPED, 8: LONGS_WIPED, 9: LONGS_WIPED}
    decisions = decided(wave, [verdict(5, 9, news="supports")])
    assert list(decisions.level[5:10]) == [2, 2, 3, 3, 3]
    assert entered(decisions) == [5, 7, 8]


def test_the_upgrade_is_not_reopened_when_the_signal_has_gone() -> None:
    wave = {5: MILD, 6: LONGS_WIPED, 7: QUIET, 8: LONGS_WIPED}
    assert entered(decided(wave, [verdict(5, 8, news="supports")])) == [5, 6]


def test_the_first_entry_of_a_wave_is_not_repeated_as_if_it_were_an_upgrade() -> None:
    wave = {5: LONGS_WIPED, 6: LONGS_WIPED}
    assert entered(decided(wave, [verdict(5, 6)])) == [5]


def test_a_candle_later_than_the_first_minute_may_be_the_waves_first() -> None:
    wave = dict.fromkeys(range(4, 9), LONGS_WIPED)
    decisions = decided(wave, [verdict(4, 8)], every=5)
    assert entered(decisions) == [1]
    assert decisions.wave_ms[1] == at(4)


# -- trend, direction, confidence ---------------------------------------------------------


def test_an_unknown_trend_never_enters() -> None:
    decisions = decided({5: LONGS_WIPED}, [verdict(5, news="supports")], sign=None)
    assert decisions.aligned[5] == 2
    assert entered(decisions) == []


@pytest.mark.parametrize("sign", [0, 1])
def test_a_trend_that_does_not_agree_never_enters(sign: int) -> None:
    assert entered(decided({5: LONGS_WIPED}, [verdict(5)], sign=sign)) == []


def test_fade_trades_against_the_wave() -> None:
    fade = {"direction_mode": "fade"}
    decisions = decided({5: LONGS_WIPED}, [verdict(5, direction="LONG")], sign=1, **fade)
    assert decisions.sign[5] == 1
    assert entered(decisions) == [5]


def test_min_confidence_decides_what_is_traded() -> None:
    low = decided({5: MILD}, [verdict(5)], min_confidence="low")
    assert (low.level[5], entered(low)) == (1, [5])
    medium = decided({5: MILD}, [verdict(5)], min_confidence="medium")
    assert (medium.level[5], entered(medium)) == (1, [])
    high = decided({5: LONGS_WIPED}, [verdict(5)], min_confidence="high")
    assert (high.level[5], entered(high)) == (2, [])


@pytest.mark.parametrize(
    ("name", "value"), [("min_count", 11), ("min_segment_usd", 2e6), ("purity_threshold", 0.98)]
)
def test_a_segment_must_qualify(name: str, value: float) -> None:
    limits = {name: value} | ({"purity_strong": 1.0} if name == "purity_threshold" else {})
    assert entered(decided({5: LONGS_WIPED}, [verdict(5)], **limits)) == []


def test_a_pair_without_liquidations_decides_nothing() -> None:
    decisions = decided({}, [verdict(5)])
    assert entered(decisions) == []
    assert len(decisions.z) == 20


def test_no_candles_no_decisions() -> None:
    assert len(decided({5: LONGS_WIPED}, [verdict(5)], candles=0).entry) == 0


@pytest.mark.parametrize(
    ("inputs", "counts"), [('{"failure": "timeout"}', "m@v1"), ("{}", "matrix")]
)
def test_a_matrix_that_stands_in_never_hides_what_a_model_said(inputs: str, counts: str) -> None:
    """Two sidecars on one store: the model of one answered, that of the other did not."""
    rows = [
        verdict(0, judge="m@v1", news="contradicts", action="skip"),
        verdict(0, judge="matrix", after_s=5.0, inputs=inputs),
    ]
    one = np.array([1])
    (verdict_row,) = _verdict_of(at(0) * one, -one, one > 0, rows, rules())
    assert rows[verdict_row]["judge"] == counts


@pytest.mark.parametrize("minutes", [{}, {3: (9.0, 0.98)}, {m: (1.0 * m, 0.9) for m in range(9)}])
def test_each_candle_has_what_its_own_minute_has_and_else_nothing(
    minutes: dict[int, tuple[float, float]],
) -> None:
    rows, close_ms = feature_rows(minutes), np.array([at(m) for m in range(2, 12)], dtype=np.int64)
    decisions = decide(close_ms, rows, trend(-1, 10), [], rules(), "matrix")
    at_minute = {int(ms): row for row, ms in enumerate(rows.close_ms)}
    for name, missing, kind in (
        ("long_usd", 0.0, np.float64),
        ("short_usd", 0.0, np.float64),
        ("z", np.nan, np.float64),
        ("count", 0, np.int64),
        ("state", int(State.UNCOVERED), np.int64),
        ("baseline_n", 0, np.int64),
        ("active_n", 0, np.int64),
    ):
        values, own = getattr(decisions, name), getattr(rows, name)
        expected = [own[at_minute[ms]] if ms in at_minute else missing for ms in close_ms.tolist()]
        assert np.array_equal(values, expected, equal_nan=kind is np.float64), name
        assert values.dtype == kind, name
    kinds = {"strength": np.int64, "sign": np.int64, "wave_ms": np.int64, "seen": np.bool_}
    for name, kind in kinds.items():
        assert getattr(decisions, name).dtype == kind, name
