"""Pairs times request against ``max_entry_delay_s``, and what is said of it."""

import pytest

from liq_provider.config.settings import Settings
from liq_provider.exchange.candle_sum import CandleSum, RequestTime, told_by

TENTH = RequestTime(100.0, 600, 60.0)
ROLLING = RequestTime(100.0, 600, 60.0, rolling=True)


def summed(pairs: int, request: RequestTime | None = TENTH, **more: float) -> CandleSum:
    return CandleSum.of(pairs, request, Settings(), **more)


@pytest.mark.parametrize(
    ("pairs", "level"),
    [(13, "ok"), (40, "ok"), (41, "warning"), (269, "warning"), (270, "error"), (400, "error")],
)
def test_a_list_is_judged_by_when_its_last_candle_is_there(pairs: int, level: str) -> None:
    assert summed(pairs).level == level


def test_a_list_that_can_enter_nothing_is_told_with_the_sum_and_the_remedy() -> None:
    long = summed(400)
    assert long.words == (
        "400 pairs x 100 ms = 40.0 s; a signal is traded at most 30 s after its candle "
        "(max_entry_delay_s): no wave can be entered"
    )
    assert long.remedy == ("list at most 232 pairs, or let `liq-provider init` make a short list")


def test_the_remedy_helps() -> None:
    for pairs in (41, 100, 300, 1_000):
        remedy = summed(pairs).remedy
        most = int(remedy.split()[3])
        assert most < pairs
        assert summed(most).level == ("ok" if summed(pairs).level == "warning" else "warning")
        assert ("rollingWindow" in remedy) == (summed(pairs, ROLLING).level == "ok")
        assert "liq-provider init" in remedy
    assert summed(13).remedy == ""


def test_a_list_of_the_whole_market_is_made_shorter_by_its_setting() -> None:
    for pairs, most in ((200, 34), (400, 232)):
        long = CandleSum.of(pairs, TENTH, Settings(), market=True)
        assert long.remedy == f"set liq_provider.market.pairs to {most} or less"


def test_a_rolling_window_is_enough_while_all_can_be_asked_for_twice() -> None:
    assert summed(300, ROLLING).level == "ok"
    crowded = summed(301, ROLLING)
    assert crowded.level == "warning"
    assert crowded.remedy.startswith("list at most 250 pairs, or let `liq-provider init`")
    assert "asked for twice they are too many" in crowded.words
    assert summed(601, ROLLING).level == "error"


def test_what_was_measured_beats_the_sum_and_is_shown_beside_it() -> None:
    slow = summed(100, ready_s=28.5, worst_s=31.0)
    assert slow.level == "error"
    assert slow.words.startswith(
        "100 pairs x 100 ms = 10.0 s; the bot had them 28.5 s after their close "
        "(at worst 31.0 s); a signal is traded at most 30 s"
    )
    assert summed(100, ready_s=2.0, worst_s=2.0).words == (
        "100 pairs x 100 ms = 10.0 s; the bot had them 2.0 s after their close"
    )
    assert summed(100, ready_s=2.0).level == "ok"


def test_without_a_limit_that_is_known_only_the_measurement_counts() -> None:
    assert (summed(9, None).level, summed(9, None).words) == ("ok", "9 pairs")
    assert summed(9, None, ready_s=29.0).level == "error"
    assert summed(5_000, RequestTime(0.0)).level == "ok"


def test_what_a_bot_tells_is_read_if_it_can_be() -> None:
    told = summed(400).as_told()
    assert told_by({"candles": told}) == ("error", told["words"], told["remedy"])
    for other in ({}, {"candles": None}, {"candles": {"level": "new"}}, {"candles": 3}):
        assert told_by(other) is None
