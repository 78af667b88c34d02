"""How far this machine's clock is off the exchange's."""

import time

import pytest

from liq_provider.core.clock import ExchangeClock, clock_off_words


def clock_at(wall_ms: int) -> ExchangeClock:
    return ExchangeClock(wall_ms=lambda: wall_ms)


def test_before_it_was_measured_the_machine_is_believed() -> None:
    clock = clock_at(5_000)
    assert (clock.now_ms(), clock.skew_ms) == (5_000, None)


@pytest.mark.parametrize("exchange_ms", [5_700, 5_000, 3_000])
def test_the_exchange_sets_the_time(exchange_ms: int) -> None:
    clock = clock_at(5_000)
    clock.measure(lambda: exchange_ms)
    assert clock.now_ms() == pytest.approx(exchange_ms, abs=2)
    assert clock.skew_ms == pytest.approx(exchange_ms - 5_000, abs=2)


def test_half_of_the_round_trip_is_allowed_for_and_the_quickest_answer_counts() -> None:
    waits = iter([0.2, 0.0, 0.1])

    def ask() -> int:
        wait = next(waits)
        time.sleep(wait)
        return time.time_ns() // 1_000_000 + 1_000 + round(wait * 5_000)

    clock = ExchangeClock()
    clock.measure(ask)
    assert clock.skew_ms == pytest.approx(1_000, abs=20)


def test_one_answer_is_enough() -> None:
    answers = iter([5_300])

    def ask() -> int:
        try:
            return next(answers)
        except StopIteration:
            raise OSError("gone") from None

    clock = clock_at(5_000)
    clock.measure(ask)
    assert clock.skew_ms == pytest.approx(300, abs=2)


def test_no_answer_at_all_is_told_and_keeps_what_was_known() -> None:
    clock = clock_at(5_000)
    clock.measure(lambda: 5_300)

    def refuse() -> int:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        clock.measure(refuse)
    clock.measure(lambda: None)
    assert clock.skew_ms == pytest.approx(300, abs=2)


@pytest.mark.parametrize("later_ms", [900_000, -900_000])
def test_an_outdated_measurement_says_nothing_about_the_skew(later_ms: int) -> None:
    moment = 5_000_000
    clock = ExchangeClock(wall_ms=lambda: moment)
    assert clock.measured_ms is None
    clock.measure(lambda: 5_000_300)
    moment += 899_999
    assert clock.skew_ms == pytest.approx(300, abs=2)
    moment = 5_000_000 + later_ms
    assert clock.skew_ms is None
    assert clock.measured_ms == pytest.approx(5_000_300, abs=2)
    assert clock.now_ms() == pytest.approx(moment + 300, abs=2)


@pytest.mark.parametrize(
    ("skew_ms", "words"),
    [
        (None, None),
        (500, None),
        (-500, None),
        (501, "clock is +0.5 s off the exchange's (max_skew_ms)"),
        (-60_000, "clock is -60.0 s off the exchange's (max_skew_ms)"),
    ],
)
def test_a_clock_is_off_beyond_its_limit_on_either_side(
    skew_ms: int | None, words: str | None
) -> None:
    assert clock_off_words(skew_ms, 500.0) == words
