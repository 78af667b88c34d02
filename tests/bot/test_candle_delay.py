"""When a live bot has its candles, and what it says of that."""

from collections.abc import Callable

import pytest

from liq_provider.bot.candle_delay import CandleDelay
from liq_provider.config.settings import Settings
from liq_provider.exchange.candle_sum import RequestTime

MINUTE = 60_000
CLOSE = 1_795_350_000_000 // MINUTE * MINUTE
PAIRS = [f"C{n}/USDT:USDT" for n in range(400)]


def candles(close_ms: int, late: int = 0) -> dict[str, int]:
    """The newest close by pair; the last few still have the one before."""
    punctual = len(PAIRS) - late
    return {pair: close_ms - MINUTE * (n >= punctual) for n, pair in enumerate(PAIRS)}


def delay(ask: Callable[[], RequestTime | None] = lambda: RequestTime(100.0)) -> CandleDelay:
    known = CandleDelay(Settings(), ask)
    known.saw(candles(CLOSE - MINUTE), CLOSE - 5_000)
    return known


def test_it_is_the_loop_that_has_the_candles_that_counts() -> None:
    known = delay()
    known.saw(candles(CLOSE - MINUTE), CLOSE + 500)
    known.saw(candles(CLOSE), CLOSE + 41_000)
    known.saw(candles(CLOSE), CLOSE + 43_000)
    known.saw(candles(CLOSE + MINUTE), CLOSE + MINUTE + 38_000)
    assert (known.sum.ready_s, known.sum.worst_s) == (38.0, 41.0)
    assert known.told()["level"] == "error"
    assert known.told()["pairs"] == 400


def test_nothing_is_measured_of_the_candle_in_which_a_bot_starts() -> None:
    known = delay()
    assert known.sum.ready_s is None and known.sum.there_s == 41.0
    assert CandleDelay(Settings(), lambda: None).told() == {}


def test_coins_whose_candles_come_late_by_themselves_do_not_count() -> None:
    known = delay()
    known.saw(candles(CLOSE, late=60), CLOSE + 2_000)
    known.saw(candles(CLOSE), CLOSE + 15_000)
    assert (known.sum.ready_s, known.sum.worst_s) == (2.0, 2.0)
    known.saw(candles(CLOSE + MINUTE, late=399), CLOSE + MINUTE + 2_000)
    assert known.sum.ready_s == 2.0
    known.saw(candles(CLOSE + MINUTE, late=100), CLOSE + MINUTE + 20_000)
    assert known.sum.ready_s == 20.0


def test_a_signal_that_is_late_because_of_candles_has_that_as_its_reason() -> None:
    known = delay()
    known.saw(candles(CLOSE), CLOSE + 41_000)
    assert known.why_late(CLOSE) == (
        "the candles came 41 s after their close: 400 pairs x 100 ms = 40.0 s "
        "(max_entry_delay_s 30)"
    )
    assert known.why_late(CLOSE - MINUTE) is None
    known.saw(candles(CLOSE + MINUTE), CLOSE + MINUTE + 2_000)
    assert known.why_late(CLOSE + MINUTE) is None  # they are not what was late


def test_a_limit_that_cannot_be_known_keeps_no_bot_from_starting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> RequestTime:
        raise RuntimeError("another ccxt")

    known = delay(fail)
    known.saw(candles(CLOSE), CLOSE + 41_000)
    assert known.told()["words"].startswith("400 pairs; the bot had them 41.0 s after their close")
    assert known.told()["request_ms"] is None
