"""Where the stops are, and what Freqtrade makes of what we hand it."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from freqtrade.exchange import ROUND_DOWN, ROUND_UP, price_to_precision

from liq_provider.bot.stops import CROSSED, StopRules, as_freqtrade, crossed, in_place, stops

RULES = StopRules(trailing_pct=0.01, trailing_arm_pct=0.01, fallback_pct=0.02)
SIDES = [(False, 1), (True, -1)]


def price_of(value: float, rate: float, is_short: bool, leverage: float, tick: float = 0.01):
    """The price that Freqtrade's adjust_stop_loss makes of a returned value."""
    side = 1 if is_short else -1
    raw = rate * (1 + side * abs(value / leverage))
    rounding = ROUND_DOWN if is_short else ROUND_UP
    return price_to_precision(raw, tick, 4, rounding_mode=rounding)


@pytest.mark.parametrize(("is_short", "sign"), SIDES)
def test_the_fallback_stands_from_the_entry_on(is_short: bool, sign: int) -> None:
    now = stops(100.0, None, is_short, RULES)
    assert now.binding == pytest.approx(100 - sign * 2)
    assert (now.trailing, now.binding_name) == (None, "fallback")


@pytest.mark.parametrize(("is_short", "sign"), SIDES)
def test_the_trailing_stop_sleeps_until_it_is_armed(is_short: bool, sign: int) -> None:
    assert stops(100.0, 100 + sign * 0.99, is_short, RULES).trailing is None
    armed = stops(100.0, 100 + sign * 1.0, is_short, RULES)
    assert armed.trailing == pytest.approx((100 + sign) * (1 - sign * 0.01))
    assert armed.binding_name == "trailing"


@pytest.mark.parametrize("open_rate", [3.0, 7.0, 0.07, 61_003.1])
def test_it_is_armed_at_exactly_the_arm_distance(open_rate: float) -> None:
    for sign, is_short in ((1, False), (-1, True)):
        best = open_rate * (1 + sign * 0.01)
        assert stops(open_rate, best, is_short, RULES).trailing is not None


@pytest.mark.parametrize(("is_short", "sign"), SIDES)
def test_the_tighter_of_the_two_wins(is_short: bool, sign: int) -> None:
    wide = StopRules(trailing_pct=0.05, trailing_arm_pct=0.0, fallback_pct=0.02)
    assert stops(100.0, 100 + sign * 1.0, is_short, wide).binding_name == "fallback"
    assert stops(100.0, 100 + sign * 4.0, is_short, wide).binding_name == "trailing"


@pytest.mark.parametrize("leverage", [1.0, 10.0])
@pytest.mark.parametrize(("is_short", "sign"), SIDES)
def test_freqtrade_sets_the_price_that_was_meant(
    is_short: bool, sign: int, leverage: float
) -> None:
    value = as_freqtrade(100 - sign * 2.0, 101.37, is_short, leverage)
    assert price_of(value, 101.37, is_short, leverage) == pytest.approx(100 - sign * 2.0)


@pytest.mark.parametrize("leverage", [1.0, 10.0])
@pytest.mark.parametrize(("is_short", "sign"), SIDES)
@pytest.mark.parametrize("beyond", [0.0, 0.5, 30.0])
def test_a_crossed_stop_is_a_tiny_positive_number_that_freqtrade_sees_as_hit(
    is_short: bool, sign: int, leverage: float, beyond: float
) -> None:
    rate = 98.0 - beyond if sign > 0 else 102.0 + beyond
    value = as_freqtrade(100 - sign * 2.0, rate, is_short, leverage)
    assert value == CROSSED
    assert value  # 0 would mean "no value"
    stop = price_of(value, rate, is_short, leverage)
    assert stop <= rate if is_short else stop >= rate


@pytest.mark.parametrize("leverage", [1.0, 3.0, 10.0])
@pytest.mark.parametrize(("is_short", "sign"), SIDES)
def test_a_stop_on_a_tick_is_not_moved_by_float_noise(
    is_short: bool, sign: int, leverage: float
) -> None:
    for cents in range(9_000, 9_800):
        stop = cents / 100 if sign > 0 else 200 - cents / 100
        for rate in (99.87, 100.01, 100.13):
            value = as_freqtrade(stop, rate, is_short, leverage)
            assert price_of(value, rate, is_short, leverage) == pytest.approx(stop, abs=1e-9)


def test_a_value_is_never_zero_nor_nan() -> None:
    for rate in (1e-7, 0.019_42, 97_250.0):
        for is_short, sign in SIDES:
            for distance in (0.0, 1e-12, 1e-6, 0.02, 0.5):
                stop = rate * (1 - sign * distance)
                value = as_freqtrade(stop, rate, is_short, 10.0)
                assert value > 0
                assert math.isfinite(value)


def test_at_the_stop_is_crossed() -> None:
    assert crossed(98.0, 98.0, False)
    assert crossed(102.0, 102.0, True)
    assert not crossed(98.0, 98.01, False)
    assert not crossed(102.0, 101.99, True)


@pytest.mark.parametrize(("is_short", "sign"), SIDES)
@pytest.mark.parametrize("leverage", [1.0, 10.0])
def test_a_stop_is_in_place_only_if_freqtrade_would_keep_its_own(
    is_short: bool, sign: int, leverage: float
) -> None:
    """As its adjust_stop_loss does, which never loosens a stop."""
    rng = np.random.default_rng(5)
    kept = moved = 0
    for _ in range(2_000):
        tick = float(rng.choice([0.01, 0.1]))
        rate = round(float(rng.uniform(90, 110)), 2)
        stop = rate * (1 - sign * float(rng.choice([-0.001, 0.0, 0.004, 0.01, 0.02])))
        last = price_of(as_freqtrade(stop, rate, is_short, leverage), rate, is_short, leverage)
        last += float(rng.choice([-2, -1, 0, 0, 1])) * tick
        trade = SimpleNamespace(is_short=is_short, stop_loss=round(last, 2))
        value = as_freqtrade(stop, rate, is_short, leverage)
        asked = price_of(value, rate, is_short, leverage)
        tighter = asked < trade.stop_loss if is_short else asked > trade.stop_loss
        if in_place(stop, trade, rate):
            kept += 1
            assert not tighter
        moved += tighter
    assert kept and moved


def test_a_stop_that_was_never_set_or_is_crossed_is_not_in_place() -> None:
    for last in (None, 0.0):
        assert not in_place(98.0, SimpleNamespace(is_short=False, stop_loss=last), 100.0)
    assert not in_place(98.0, SimpleNamespace(is_short=False, stop_loss=99.0), 97.0)
    assert in_place(98.0, SimpleNamespace(is_short=False, stop_loss=99.0), 100.0)
