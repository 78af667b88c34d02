"""What Freqtrade trades on."""

import numpy as np
import pytest

from liq_provider.bot.columns import (
    REVERSAL,
    UPGRADE,
    by_hand,
    decision_columns,
    entry_columns,
    entry_tag,
    exit_columns,
    level_of_tag,
)
from liq_provider.core.durations import MINUTE_MS
from liq_provider.judge.decisions import decide
from liq_provider.judge.gates import tell
from liq_provider.judge.rules_in_force import RulesInForce
from liq_provider.measure.feature_rows import State
from liq_provider.measure.minute_grid import FeatureParams
from tests.bot.helpers import at, feature_rows, rules, trend


def _found(share: float = 0.98, sign: int = -1):
    close_ms = np.array([at(minute) for minute in range(8)], dtype=np.int64)
    rows = feature_rows({3: (9.0, share)})
    return decide(close_ms, rows, trend(sign, 8), [], rules(), "matrix")


def test_an_entry_is_a_signal_with_its_tag() -> None:
    decisions = _found()
    columns = entry_columns(decisions, decisions.entry, 0)
    assert list(columns["enter_short"]) == [0, 0, 0, 1, 0, 0, 0, 0]
    assert not columns["enter_long"].any()
    assert columns["enter_tag"][3] == "liq_short_strong_medium"
    assert set(columns["enter_tag"]) == {"", "liq_short_strong_medium"}


def test_a_long_wave_enters_long() -> None:
    decisions = _found(0.02, 1)
    columns = entry_columns(decisions, decisions.entry, 0)
    assert columns["enter_long"][3] == 1
    assert not columns["enter_short"].any()


def test_backtest_entry_next_delays_signals_and_tags_by_one_candle() -> None:
    decisions = _found()
    columns = entry_columns(decisions, decisions.entry, 1) | exit_columns(decisions, 1)
    assert list(np.flatnonzero(columns["enter_short"])) == [4]
    assert list(np.flatnonzero(columns["exit_long"])) == [4]
    assert columns["enter_tag"][4] == "liq_short_strong_medium"
    assert columns["exit_tag"][4] == REVERSAL
    assert columns["enter_tag"][3] == columns["enter_tag"][0] == ""


def test_the_last_signal_does_not_come_round_to_the_first_candle() -> None:
    close_ms = np.array([at(minute) for minute in range(4)], dtype=np.int64)
    decisions = decide(
        close_ms, feature_rows({3: (9.0, 0.98)}), trend(-1, 4), [], rules(), "matrix"
    )
    columns = entry_columns(decisions, decisions.entry, 1)
    assert not columns["enter_short"].any()
    assert set(columns["enter_tag"]) == {""}


def test_a_candidate_closes_the_other_side_only() -> None:
    columns = exit_columns(_found(), 0)
    assert columns["exit_long"][3] == 1
    assert not columns["exit_short"].any()
    assert columns["exit_tag"][3] == REVERSAL


def test_a_wave_whose_beginning_was_not_seen_closes_a_position_but_opens_none() -> None:
    close_ms = np.array([at(minute) for minute in range(8)], dtype=np.int64)
    rows = feature_rows({3: (9.0, 0.98)}, unknown_before=[3])
    decisions = decide(close_ms, rows, trend(-1, 8), [], rules(), "matrix")
    assert not entry_columns(decisions, decisions.entry, 0)["enter_short"].any()
    assert exit_columns(decisions, 0)["exit_long"][3] == 1
    columns = decision_columns(decisions, rules().thresholds)
    assert (columns["liq_seen"][3], columns["liq_candidate"][3], columns["liq_level"][3]) == (
        *(0, 0),
        2,
    )
    in_force = RulesInForce(rules(), FeatureParams(), MINUTE_MS)
    assert tell(decisions, 3, in_force, "matrix").words == "skip: its beginning was not seen"


def test_longs_are_drawn_downwards() -> None:
    columns = decision_columns(_found(), rules().thresholds)
    heard = _found().state == State.READY
    assert heard.any()
    down = columns["liq_long_usd_down"][heard]
    assert (down == -columns["liq_long_usd"][heard]).all() and (down <= 0).all()


def test_nothing_is_drawn_where_nothing_is_known() -> None:
    decisions = _found()
    columns = decision_columns(decisions, rules().thresholds)
    unknown = decisions.state == State.UNCOVERED
    assert unknown.any() and not unknown.all()
    sums = ("liq_long_usd", "liq_short_usd", "liq_long_usd_down", "liq_count")
    for name in (*sums, "liq_purity", "liq_z"):
        assert np.isnan(columns[name][unknown]).all(), name
        assert not np.isnan(columns[name][~unknown]).any(), name


def test_waves_and_verdicts_are_drawn_to_the_side_of_their_direction() -> None:
    short = decision_columns(_found(), rules().thresholds)
    assert list(short["liq_wave_side"]) == [0, 0, 0, -2, 0, 0, 0, 0]
    assert list(short["liq_verdict_side"]) == [0, 0, 0, -2, 0, 0, 0, 0]
    long = decision_columns(_found(0.02, 1), rules().thresholds)
    assert (long["liq_wave_side"][3], long["liq_verdict_side"][3]) == (2, 2)


def test_the_thresholds_in_force_are_columns() -> None:
    own = rules(z_threshold=3.5, z_strong=6.0, purity_threshold=0.8, purity_strong=0.95)
    columns = decision_columns(_found(), own.thresholds)
    assert (columns["liq_z_threshold"], columns["liq_z_strong"]) == (3.5, 6.0)
    assert (columns["liq_purity_threshold"], columns["liq_purity_strong"]) == (0.8, 0.95)


def test_a_tag_tells_its_confidence() -> None:
    assert entry_tag(1, 1, 3) == "liq_long_medium_high"
    assert level_of_tag("liq_long_medium_high") == 3
    assert level_of_tag("liq_short_strong_low") == 1
    assert level_of_tag("force_entry") == level_of_tag(None) == level_of_tag("") == 0
    assert level_of_tag(UPGRADE) == 0


def test_a_tag_of_somebody_else_tells_no_confidence() -> None:
    for tag in ("mine_high", "liq_high", "liq_long_medium_highest", "xliq_long_medium_high"):
        assert level_of_tag(tag) == 0


@pytest.mark.parametrize("tag", ["force_entry", "my own view", "mine_high"])
def test_what_is_no_signals_tag_was_entered_by_hand(tag: str) -> None:
    assert by_hand(tag, "")
    assert by_hand(tag, None)
    assert by_hand(tag, "liq_short_strong_medium")


@pytest.mark.parametrize("tag", [None, "", "liq_short_strong_medium", "liq_anything"])
def test_what_might_be_a_signals_tag_was_not_entered_by_hand(tag: str | None) -> None:
    assert not by_hand(tag, "")
    assert not by_hand(tag, None)


def test_what_a_derived_strategy_signals_was_not_entered_by_hand() -> None:
    assert not by_hand("its own tag", "its own tag")
