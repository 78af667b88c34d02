"""The trend against a plain reference, and what it says of too little or too flat a market."""

import math
import statistics

import numpy as np
import pytest

from liq_provider.measure.trend import trend_inputs, trend_signs, trend_word


def walk(size: int, seed: int = 1) -> np.ndarray:
    """Prices of a random walk."""
    rng = np.random.default_rng(seed)
    return 100 * np.exp(np.cumsum(rng.standard_normal(size) * 0.002))


def sign_of(closes: list[float], n: int = 15, k: float = 0.5) -> int:
    """The newest candle's trend."""
    change, noise = trend_inputs(closes, n)
    return int(trend_signs(change, noise, k)[-1])


@pytest.mark.parametrize("n", [2, 15, 60])
def test_change_and_noise_equal_their_definitions(n: int) -> None:
    closes = walk(300).tolist()
    change, noise = trend_inputs(closes, n)
    for t in range(n, 300):
        returns = [math.log(closes[i] / closes[i - 1]) for i in range(t - n + 1, t + 1)]
        assert math.isclose(change[t], closes[t] / closes[t - n] - 1, rel_tol=1e-12)
        assert math.isclose(noise[t], statistics.pstdev(returns) * math.sqrt(n), rel_tol=1e-9)


@pytest.mark.parametrize("k", [0.0, 0.5, 2.0])
def test_up_and_down_need_more_than_k_noises(k: float) -> None:
    change, noise = trend_inputs(walk(2_000), 15)
    signs = trend_signs(change, noise, k)
    for c, v, sign in zip(change[15:], noise[15:], signs[15:], strict=True):
        assert sign == (1 if c > k * v else -1 if c < -k * v else 0)
    assert set(signs[15:]) >= {-1, 1}


def test_exactly_k_noises_is_flat() -> None:
    change, noise = np.array([0.5, -0.5, 0.5000001]), np.array([1.0, 1.0, 1.0])
    assert trend_signs(change, noise, 0.5).tolist() == [0, 0, 1]


@pytest.mark.parametrize("size", [0, 1, 14, 15])
def test_too_few_candles_are_unknown_and_without_direction(size: int) -> None:
    change, noise = trend_inputs(walk(size), 15)
    assert len(change) == len(noise) == size
    assert np.isnan(change).all()
    assert np.isnan(noise).all()
    assert not trend_signs(change, noise, 0.5).any()


def test_the_first_known_candle_is_the_one_after_the_look_back() -> None:
    change, _ = trend_inputs(walk(16), 15)
    assert np.isfinite(change).tolist() == [False] * 15 + [True]


def test_older_candles_than_the_look_back_do_not_matter() -> None:
    closes = walk(100)
    other = np.concatenate([np.full(50, 7.0), closes[84:]])
    whole, cut = trend_inputs(closes, 15), trend_inputs(closes[84:], 15)
    joined = trend_inputs(other, 15)
    for left, right, third in zip(whole, cut, joined, strict=True):
        assert left[-1] == right[-1] == third[-1]  # to the last bit, as live and backtest need


def test_later_candles_do_not_change_earlier_ones() -> None:
    closes = walk(200)
    whole, part = trend_inputs(closes, 15), trend_inputs(closes[:120], 15)
    for left, right in zip(whole, part, strict=True):
        assert np.array_equal(left[:120], right, equal_nan=True)


def test_a_flat_market_has_no_noise_and_no_trend() -> None:
    change, noise = trend_inputs([5.0] * 40, 15)
    assert (change[15:] == 0).all()
    assert (noise[15:] == 0).all()
    assert not trend_signs(change, noise, 0.5).any()


def test_a_steady_climb_has_hardly_any_noise_and_is_up() -> None:
    assert sign_of([100 * 1.001**i for i in range(20)]) == 1
    assert sign_of([100 * 0.999**i for i in range(20)]) == -1


def test_a_jump_and_back_is_flat() -> None:
    assert sign_of([100.0] * 10 + [120.0] + [100.0] * 10) == 0


def test_a_gap_in_the_candles_is_unknown() -> None:
    closes = walk(40)
    closes[30] = np.nan
    change, noise = trend_inputs(closes, 15)
    assert np.isnan(noise[30:40]).all()
    assert np.isnan(change[30:40]).all()
    assert not trend_signs(change, noise, 0.5)[30:40].any()


def test_words() -> None:
    assert [trend_word(sign) for sign in (1, -1, 0)] == ["up", "down", "flat"]
