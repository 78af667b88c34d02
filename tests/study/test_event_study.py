"""Events, statistics and the words for them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from liq_provider.config.measuring import thresholds_of
from liq_provider.config.settings import load_settings
from liq_provider.core.durations import DAY_MS, MINUTE_MS
from liq_provider.measure.waves import waves_of
from liq_provider.study import stats
from liq_provider.study.event_study import Options, follow_rules, horizons_of, primary_of, run_study
from liq_provider.study.events import clustered, find_waves
from liq_provider.study.findings import headline, sentences
from liq_provider.study.pair_past import PairPast
from liq_provider.study.placebo import placebo_means
from tests.study.planted import START_MS, market, pair_data

SETTINGS = load_settings({}, {})


def test_returns_are_from_the_next_open_to_the_close_of_the_horizon() -> None:
    opened = START_MS + np.arange(6, dtype=np.int64) * 5 * MINUTE_MS
    opened[4:] += 5 * MINUTE_MS  # the candle at 20 minutes is missing
    prices = np.array([100.0, 110.0, 120.0, 130.0, 150.0, 160.0])
    data = PairPast("X", 5 * MINUTE_MS, opened, prices, prices + 1, find_none(), [])
    assert data.forward(5)[:3] == pytest.approx([111 / 110 - 1, 121 / 120 - 1, 131 / 130 - 1])
    assert data.forward(10)[0] == pytest.approx(121 / 110 - 1)
    assert data.forward(5, late_candles=1)[0] == pytest.approx(121 / 120 - 1)
    assert np.isnan(data.forward(15)[1]), "its end is missing"
    assert np.isnan(data.forward(5)[3]), "its entry is missing"


def find_none():
    return pair_data(market(0, 3, 0.0)).rows


def test_what_happens_later_changes_no_event() -> None:
    """Waves are found with what was known at their close; returns alone look ahead."""
    whole = pair_data(market(4, 12, 0.005))
    waves = find_waves(whole, SETTINGS, follow_rules(SETTINGS)).events
    cut_ms = START_MS + 8 * DAY_MS
    part = whole.between(START_MS, cut_ms)
    before = find_waves(part, SETTINGS, follow_rules(SETTINGS)).events
    columns = ["close_ms", "sign", "strength", "trend", "z"]
    expected = waves.loc[waves["close_ms"] < cut_ms, columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(before[columns], expected)
    assert len(before) > 10


def test_waves_of_several_pairs_at_one_time_are_one_event() -> None:
    minutes = [0, 1, 4, 5, 11, 30]
    events = pd.DataFrame(
        {
            "close_ms": [START_MS + m * MINUTE_MS for m in minutes],
            "pair": [f"P{m}" for m in minutes],
        }
    )
    clusters = clustered(events.sample(frac=1, random_state=1), 5)
    assert clusters["cluster"].tolist() == [0, 0, 0, 1, 2, 3]


def test_the_interval_is_wider_where_days_stand_together() -> None:
    rng = np.random.default_rng(1)
    days = np.repeat(np.arange(200), 10)
    alone = rng.normal(0, 1, 2_000)
    together = np.repeat(rng.normal(0, 1, 200), 10)
    narrow = stats.mean_of(alone, days, 0.95, rng)
    wide = stats.mean_of(together, days, 0.95, rng)
    assert wide.high - wide.low > 2.5 * (narrow.high - narrow.low)
    assert narrow.high - narrow.low == pytest.approx(2 * 1.96 / 2_000**0.5, rel=0.2)


def test_the_difference_of_two_means() -> None:
    rng = np.random.default_rng(0)
    days = np.repeat(np.arange(40), 5)
    left, right = rng.normal(0.5, 1, 200), rng.normal(0, 1, 200)
    difference = stats.difference_of((left, days), (right, days), 0.95, rng)
    assert difference.mean == pytest.approx(left.mean() - right.mean())
    assert difference.high - difference.low == pytest.approx(2 * 1.96 * (2 / 200) ** 0.5, rel=0.25)
    assert difference.p < 0.001
    turned = stats.difference_of((right, days), (left, days), 0.95, rng)
    assert turned.mean == -difference.mean
    assert turned.p < 0.001, "p looks to the side where the difference is"
    none = np.array([]), np.array([], dtype=np.int64)
    assert np.isnan(stats.difference_of(none, (left, days), 0.95, rng).low)
    # What whole days have in common cancels where both have events of each day.
    common = np.repeat(rng.normal(0, 5, 40), 5)
    shared = stats.difference_of((left + common, days), (right + common, days), 0.95, rng)
    assert shared.high - shared.low == pytest.approx(difference.high - difference.low, rel=0.3)


def test_coin_tosses_are_rarely_taken_for_more() -> None:
    """Of generated outcomes, on few days that have something in common."""
    rng = np.random.default_rng(5)
    days = np.repeat(np.arange(25), 4)
    more = 0
    for _ in range(200):
        values = rng.standard_t(3, len(days)) + rng.normal(0, 1, 25)[days]
        kept = rng.random(len(days)) < 0.5
        difference = stats.difference_of(
            (values[kept], days[kept]), (values[~kept], days[~kept]), 0.99, rng
        )
        more += difference.p <= 0.005 and not difference.low <= 0 <= difference.high
    assert more <= 5


def test_the_number_of_events_that_would_be_needed() -> None:
    # (2.576 + 0.842)^2 = 11.68 for an effect of one standard deviation
    assert stats.needed(1.0, 1.0, 0.99) == 12
    assert stats.needed(0.01, 0.001, 0.99) == 1_168
    assert stats.needed(0.01, -0.001, 0.99) is None


@pytest.mark.parametrize(
    ("sd", "edge", "level", "expected"),
    [
        (80, 10, 0.99, 748),
        (80, 10, 0.90, 396),
        (80, 5, 0.99, 2_990),
        (80, 20, 0.99, 187),
        (130, 20, 0.99, 494),
        (80, 10, 1 - 0.01 / 20, 1_196),
    ],
)
def test_the_specified_numbers_of_events(
    sd: float, edge: float, level: float, expected: int
) -> None:
    assert stats.needed(sd, edge, level) == expected


def test_the_report_says_how_long_to_record_for_edges_of_three_sizes() -> None:
    free = Options(fee=0.0, slippage=0.0)
    study = run_study([pair_data(market(7, 40, 0.0))], SETTINGS, free)
    hypothesis = study.hypotheses[0]
    assert list(hypothesis.needed_events) == [0.0005, 0.001, 0.002]
    assert study.known_days == 40
    rate = hypothesis.mean.n / 40
    said = " ".join(sentences(study, free))
    for edge, events in hypothesis.needed_events.items():
        assert events == stats.needed(hypothesis.mean.spread, edge, 0.99)
        assert f"{10_000 * edge:.0f} bp {events / rate:,.0f} days" in said
    assert "no number of events" not in said


def test_the_rate_is_that_of_the_time_in_which_something_was_known() -> None:
    """Not of what was known of all pairs on average: others that are unknown make no rate."""
    made = market(7, 40, 0.0)
    minutes = len(made.longs)
    known = pair_data(made)
    unknown = pair_data(made, "ETH/USDT:USDT", range(minutes))
    half = pair_data(made, "SOL/USDT:USDT", range(minutes // 2))
    alone = run_study([known], SETTINGS, Options())
    both = run_study([known, unknown], SETTINGS, Options())
    assert both.known_days == alone.known_days == 40
    assert both.hypotheses[0].mean.n == alone.hypotheses[0].mean.n
    assert sentences(both, Options())[-1] == sentences(alone, Options())[-1]
    assert run_study([half], SETTINGS, Options()).known_days == pytest.approx(20, abs=0.01)
    assert run_study([half, known, unknown], SETTINGS, Options()).known_days == 40


def planned(net: tuple[float, float, float], needed: dict[float, int | None]) -> str:
    """What is said of a hypothesis of 60 events in 120 days, by its mean and its interval."""
    study = run_study([pair_data(market(7, 25, 0.0))], SETTINGS, Options(seed=1))
    mean = stats.Mean(60, 60, net[0] + 0.0014, net[1] + 0.0014, net[2] + 0.0014, 0.008)
    hypothesis = replace(
        study.hypotheses[0],
        finding="not qualified",
        mean=mean,
        net=net[0],
        net_low=net[1],
        net_high=net[2],
        needed_events=needed,
    )
    study = replace(
        study,
        hypotheses=[hypothesis],
        known_days=120.0,
    )
    return sentences(study, Options())[-1]


def test_an_interval_that_holds_a_positive_mean_is_no_reason_to_give_up() -> None:
    said = planned((-0.0002, -0.003, 0.0025), {0.0005: 2_990, 0.001: 748, 0.002: 187})
    assert "5 bp 5,980 days, 10 bp 1,496 days, 20 bp 374 days (2,990, 748, 187 events)" in said
    assert (
        "For 5 bp and 10 bp this configuration cannot answer within two years: add pairs or "
        "shorten the segment." in said
    )


def test_an_interval_below_the_costs_speaks_against_an_edge() -> None:
    said = planned((-0.004, -0.006, -0.001), {0.0005: 2_990, 0.001: 748, 0.002: 187})
    assert "speaks against an edge of any size" in said


def test_the_placebo_is_the_same_pair_and_day_and_no_wave() -> None:
    data = pair_data(market(2, 6, 0.0))
    waves = find_waves(data, SETTINGS, follow_rules(SETTINGS))
    events = clustered(waves.events, 5)
    near = np.abs(data.close_ms[:, None] - events["close_ms"].to_numpy()[None]).min(axis=1)
    assert not waves.quiet[near <= 5 * MINUTE_MS].any()
    # A price that is the number of the day times the time: the return tells the day.
    flat = PairPast(
        data.pair, data.timeframe_ms, data.open_ms, *two(data.open_ms), data.rows, data.venues
    )
    none_there = find_waves(flat, SETTINGS, follow_rules(SETTINGS))
    one = events.iloc[[5]].assign(cluster=0)
    rng = np.random.default_rng(0)
    means = placebo_means(one, {data.pair: none_there}, 5, np.ones(1), rng)
    day = int(one["close_ms"].iloc[0] // DAY_MS)
    assert np.allclose(means, (day - START_MS // DAY_MS + 1) / 1000)


def two(open_ms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Open 1, close more by the day's number in thousandths."""
    day = (open_ms // DAY_MS - START_MS // DAY_MS + 1) / 1000
    return np.ones(len(open_ms)), 1 + day


def test_a_wave_whose_beginning_was_not_seen_is_left_out_and_counted() -> None:
    made = market(2, 12, 0.0)
    whole = pair_data(made)
    starts = waves_of(whole.rows, thresholds_of(SETTINGS), 5).start_ms
    # Nobody listened in the minute before its first one.
    missed_ms = int(np.unique(starts[starts > 0])[4])
    cut = pair_data(made, unknown=[(missed_ms - START_MS) // MINUTE_MS - 2])
    before, after = (find_waves(data, SETTINGS, follow_rules(SETTINGS)) for data in (whole, cut))
    assert (before.unseen, after.unseen) == (0, 1)
    lost = set(before.events["close_ms"]) - set(after.events["close_ms"])
    assert len(lost) == 1 and 0 <= lost.pop() - missed_ms < 5 * MINUTE_MS
    near = abs(cut.close_ms - missed_ms - 3 * MINUTE_MS) <= 3 * MINUTE_MS
    assert not after.quiet[near].any(), "it is no quiet time either"
    study = run_study([cut], SETTINGS, Options())
    assert study.unseen == 1
    said = sentences(study, Options())
    assert "1 more wave(s) are left out: their beginning was not seen" in " ".join(said)


def test_horizons_are_those_that_the_candles_have() -> None:
    assert horizons_of(1) == (1, 5, 15, 60, 240)
    assert horizons_of(15) == (15, 60, 240)
    assert (primary_of(1), primary_of(60), primary_of(240)) == (60, 60, 240)


def test_unknown_prices_are_not_enough_data() -> None:
    data = pair_data(market(1, 40, 0.01))
    bare = PairPast(
        data.pair,
        data.timeframe_ms,
        data.open_ms,
        data.open * np.nan,
        data.close * np.nan,
        data.rows,
        data.venues,
    )
    study = run_study([bare], SETTINGS, Options())
    assert study.events > 100, "they are counted"
    assert headline(study).startswith("NOT ENOUGH DATA")
    assert not any("nan" in line for line in sentences(study, Options()))


def test_declared_trials_make_it_harder() -> None:
    data = [pair_data(market(7, 40, 0.0027))]
    once = run_study(data, SETTINGS, Options(seed=1)).hypotheses[0]
    often = run_study(data, SETTINGS, Options(seed=1, trials=1_000)).hypotheses[0]
    assert often.net_low < once.net_low
    assert often.finding != "qualified", "a placebo of 1,999 draws cannot show p below 5e-6"
