"""Whether an entry is possible now, and if not, why and from when."""

import subprocess
import sys

import numpy as np
import pytest

from liq_provider.core.arrays import BoolArray
from liq_provider.core.moments import moment
from liq_provider.measure.feature_rows import State
from liq_provider.measure.minute_grid import FeatureParams
from liq_provider.measure.readiness import (
    READY,
    FeedFacts,
    Hole,
    KnownSegments,
    Readiness,
    ReadinessReport,
    at_once,
    coin_readiness,
    first_possible_ms,
    segments_known,
    venue_readiness,
    venues_now,
    whole_readiness,
)

MINUTE = 60_000
CLOSE = 1_795_780_800_000 + 12 * 3_600_000  # 2026-11-28 00:00 UTC
WINDOWS = FeatureParams(
    segment_min=5, baseline_segments=24, min_baseline_segments=6, min_active_segments=3
)
SIZE = 5 * 25
LIVE = FeedFacts(heard_ms=0)


def minutes(*unknown: int, heard: int = SIZE) -> BoolArray:
    """:return: the newest ``heard`` minutes, without those that lie so many before the close"""
    flags = np.zeros(SIZE, dtype=bool)
    flags[SIZE - heard :] = True
    for back in unknown:
        flags[SIZE - back] = False
    return flags


def venue(flags: BoolArray, feed: FeedFacts = LIVE) -> Readiness:
    return venue_readiness("okx", KnownSegments(flags, flags), CLOSE, feed, WINDOWS)


def by_waiting(flags: BoolArray, heard_ms: int = 0) -> int | None:
    """The first close at which it is ready, found by letting minute after minute pass."""
    for passed in range(400):
        later = flags
        for k in range(passed):
            later = np.append(later[1:], CLOSE + k * MINUTE >= heard_ms)
        enough = segments_known(later, WINDOWS) >= WINDOWS.min_baseline_segments
        if later[-5:].all() and enough:
            return CLOSE + passed * MINUTE
    return None


def test_the_promised_time_is_the_one_that_comes_if_one_waits() -> None:
    rng = np.random.default_rng(3)
    for _ in range(60):
        flags = rng.random(SIZE) < rng.choice([0.5, 0.9, 0.99])
        flags[: rng.integers(0, SIZE)] = False
        heard_ms = CLOSE + int(rng.integers(-2, 4)) * MINUTE
        known = KnownSegments(flags, flags)
        assert first_possible_ms(known, CLOSE, heard_ms, WINDOWS) == by_waiting(flags, heard_ms)


def test_old_segments_that_leave_the_baseline_meanwhile_do_not_count() -> None:
    # Six segments are known, but the oldest two leave before the segment is whole again.
    flags = np.zeros(SIZE, dtype=bool)
    flags[:30] = True
    possible_ms = first_possible_ms(KnownSegments(flags, flags), CLOSE, CLOSE, WINDOWS)
    assert possible_ms == by_waiting(flags, CLOSE) == CLOSE + 35 * MINUTE


def test_a_new_recorder_is_warming_up_until_a_time_with_its_date() -> None:
    readiness = venue(minutes(heard=12))
    assert readiness.condition == "warming_up"
    assert readiness.from_ms == CLOSE + 23 * MINUTE
    assert readiness.words(CLOSE) == (
        "warming up: 1 of 6 baseline segments of 5 min are known; possible from "
        "2026-11-28 00:23 UTC (in 23 min)"
    )


def test_a_minute_that_was_not_heard_says_which_why_and_until_when() -> None:
    lost_ms = CLOSE - 3 * MINUTE + 20_000
    hole = Hole(lost_ms, lost_ms + 200, "connection reset")
    readiness = venue(minutes(3), FeedFacts(heard_ms=lost_ms + 200, hole=hole))
    assert readiness.reason == (
        "okx: minute 2026-11-27 23:57 UTC is not known (connection reset, not connected for 0.2 s)"
    )
    assert readiness.from_ms == CLOSE + 3 * MINUTE
    assert [venue(minutes(back)).ready for back in (6, 5)] == [True, False]


def test_a_recorder_that_has_just_started_is_warming_up_whatever_minutes_it_missed() -> None:
    readiness = venue(minutes(heard=2))
    assert (readiness.condition, readiness.from_ms) == ("warming_up", CLOSE + 33 * MINUTE)


def test_a_coin_that_is_late_on_venues_that_are_ready_gives_the_time() -> None:
    new = coin_readiness(State.WARMING_UP, 2, 2, CLOSE + 20 * MINUTE, WINDOWS)
    thin = coin_readiness(State.TOO_THIN, 24, 2, None, WINDOWS)
    assert whole_readiness({"okx": READY}, {"NEW": new, "ETH": thin}, WINDOWS) == new


def test_a_hole_of_another_time_is_not_named_as_the_reason() -> None:
    hole = Hole(CLOSE - 90 * MINUTE, CLOSE - 89 * MINUTE, "connection reset")
    readiness = venue(minutes(3), FeedFacts(heard_ms=0, hole=hole))
    assert readiness.reason.endswith("23:57 UTC is not known (something may be missing)")


def test_minutes_before_it_was_heard_at_all_say_since_when_it_is() -> None:
    readiness = venue(minutes(3, 4, 5), FeedFacts(heard_ms=CLOSE - 2 * MINUTE - 1))
    assert readiness.reason == (
        "okx: 3 minutes from 2026-11-27 23:55 UTC on are not known (heard since 2026-11-27 "
        "23:57 UTC)"
    )


def test_a_feed_that_is_not_live_has_no_time() -> None:
    readiness = venue(
        minutes(1, 2), FeedFacts("silent: no liquidations while there should be some")
    )
    assert readiness == Readiness(
        "unknown", "okx is silent: no liquidations while there should be some"
    )


def test_a_feed_that_was_just_lost_is_not_ready_for_what_comes_next() -> None:
    told = venues_now({"okx": READY, "bybit": READY}, {"okx": "down: reset", "bybit": None})
    assert (told["okx"].reason, told["bybit"]) == ("okx is down: reset", READY)


def test_one_coin_that_can_be_entered_is_enough_and_one_venue_without_coins_is_not() -> None:
    thin = coin_readiness(State.TOO_THIN, 24, 2, None, WINDOWS)
    cold = venue(minutes(heard=12))
    assert whole_readiness({"okx": cold}, {"BTC": READY, "ETH": thin}, WINDOWS) == READY
    readiness = whole_readiness({"okx": READY, "bybit": cold}, {"ETH": thin}, WINDOWS)
    assert (readiness.condition, readiness.from_ms) == ("too_thin", None)
    assert whole_readiness({"okx": READY}, {}, WINDOWS).condition == "too_thin"


def test_the_venue_that_comes_first_gives_reason_and_time() -> None:
    cold, back = venue(minutes(heard=12)), venue(minutes(2))
    readiness = whole_readiness({"bybit": cold, "okx": back}, {}, WINDOWS)
    assert readiness.from_ms == back.from_ms == CLOSE + 4 * MINUTE
    assert readiness.reason.startswith("of no venue are all of the last 5 min known (okx: minute ")
    dead = venue(minutes(1), FeedFacts("down: reset"))
    assert whole_readiness({"okx": dead}, {}, WINDOWS) == Readiness(
        "unknown", "no venue is heard: okx is down: reset"
    )


def test_what_only_the_asker_knows_comes_first() -> None:
    assert at_once(READY, "the clock is off") == Readiness("blocked", "the clock is off")
    assert at_once(READY, None) is READY


def test_a_bot_is_told_of_its_own_coins() -> None:
    thin = coin_readiness(State.TOO_THIN, 24, 2, None, WINDOWS)
    report = ReadinessReport(CLOSE, READY, {"okx": READY}, {"BTC": READY, "ETH": thin})
    assert report.for_coins(["BTC"], WINDOWS).whole.ready
    readiness = report.for_coins(["ETH", "SOL"], WINDOWS)
    assert not readiness.whole.ready
    assert readiness.counts() == {"unknown": 0, "warming_up": 0, "too_thin": 1, "ready": 0}


def test_a_report_survives_being_written_down() -> None:
    cold = venue(minutes(heard=12))
    report = ReadinessReport(CLOSE, cold, {"okx": cold}, {"BTC": READY})
    assert ReadinessReport.of_json(report.as_json()) == report


def test_times_have_their_date() -> None:
    assert moment(CLOSE) == "2026-11-28 00:00 UTC"


@pytest.mark.processes
def test_it_needs_nothing_but_numpy() -> None:
    code = (
        "import sys, liq_provider.measure.readiness\n"
        "heavy = {'pydantic', 'sqlalchemy', 'pandas', 'ccxt', 'freqtrade'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180)
    assert (done.stdout, done.stderr) == ("[]\n", "")
