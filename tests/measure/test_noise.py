"""Independent liquidations must hardly ever look like a wave; a planted cascade must at once."""

import csv
from pathlib import Path

import numpy as np
import pytest

from liq_provider.config.settings import Settings
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import Liquidation
from liq_provider.measure.features import compute_features
from liq_provider.measure.minute_grid import FeatureParams, MinuteGrid
from liq_provider.measure.minute_results import Settled
from liq_provider.measure.waves import Strength, Thresholds, waves_of
from liq_provider.sidecar.settle_minute import Settler
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer

RECORDED = Path(__file__).parents[2].parent / "shared" / "recorded"
START_MS = 1_735_689_600_000
PAIRS = 400
DAY_MIN = 1_440
# Log-normal sizes as recorded: half of the orders below $230, one in a thousand above $130k.
LOG_MEDIAN, LOG_SIGMA = 5.44, 2.05


def fitted_sizes(rng: np.random.Generator, count: int) -> np.ndarray:
    """Sizes in USD from the fit."""
    return rng.lognormal(LOG_MEDIAN, LOG_SIGMA, count)


def recorded_sizes(name: str) -> np.ndarray:
    """Sizes in USD from a recorded file, or the test is skipped."""
    path = RECORDED / name
    if not path.exists():
        pytest.skip(f"no recorded data: {path} is absent")
    with path.open(newline="") as file:
        unique = {tuple(row.items()) for row in csv.DictReader(file)}
    orders = (dict(row) for row in unique)
    return np.array(sorted(float(order["z"]) * float(order["ap"]) for order in orders))


def noise(
    rng: np.random.Generator, a_day: float, days: int, sizes: np.ndarray | None
) -> MinuteGrid:
    """One pair's minutes: orders at independent times, of independent sizes, on random sides."""
    minutes = days * DAY_MIN
    count = int(rng.poisson(a_day * days))
    at = rng.integers(0, minutes, count)
    usd = fitted_sizes(rng, count) if sizes is None else rng.choice(sizes, count)
    long_side = rng.random(count) < 0.5
    longs = np.bincount(at, usd * long_side, minutes)[None, :]
    shorts = np.bincount(at, usd * ~long_side, minutes)[None, :]
    orders = np.bincount(at, minlength=minutes)[None, :].astype(np.int64)
    covered = np.ones((1, minutes), dtype=bool)
    return MinuteGrid(START_MS, ("binance",), longs, shorts, orders, covered)


def market(seed: int, days: int, sizes: np.ndarray | None) -> list[MinuteGrid]:
    """400 pairs with 2 to 200 liquidations a day each."""
    rng = np.random.default_rng(seed)
    rates = np.exp(rng.uniform(np.log(2), np.log(200), PAIRS))
    return [noise(rng, float(rate), days, sizes) for rate in rates]


def strong_waves(grid: MinuteGrid, thresholds: Thresholds) -> int:
    """Waves that are strong at some time, after the first day, which is the baseline's."""
    features = compute_features(grid, FeatureParams())
    rows = features.at(np.arange(DAY_MIN, len(features)))
    waves = waves_of(rows, thresholds, 5)
    strong = waves.strength == Strength.STRONG
    return len(set(zip(waves.sign[strong], waves.start_ms[strong], strict=True)))


def a_day(seed: int, sizes: np.ndarray | None = None, **thresholds: float) -> float:
    """Strong waves a day in one noise market, from two days after the first."""
    waves = [strong_waves(g, Thresholds(**thresholds)) for g in market(seed, 3, sizes)]  # type: ignore[arg-type]
    return sum(waves) / 2


@pytest.mark.parametrize("seed", range(5))
def test_noise_gives_few_strong_waves(seed: int) -> None:
    assert a_day(seed) < 50


@pytest.mark.recorded
@pytest.mark.parametrize(
    "name", ["binance_forceorder_2024-08-17_18.csv", "binance_forceorder_2025-01-26_27.csv"]
)
@pytest.mark.parametrize("seed", range(3))
def test_noise_of_recorded_sizes_gives_few_strong_waves(seed: int, name: str) -> None:
    assert a_day(seed, recorded_sizes(name)) < 50


def test_it_is_the_minimum_count_and_money_that_keep_noise_out() -> None:
    """The filters have a reason: without them one print on its own is a pure, strong wave."""
    assert a_day(0, min_count=0, min_segment_usd=0) > 10 * max(a_day(0), 1)


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("seed", range(3))
def test_a_planted_cascade_is_found_at_the_close_of_its_first_minute(seed: int, side: str) -> None:
    rng = np.random.default_rng(seed)
    minute = 2_000
    for grid in market(seed, 2, None)[:40]:
        busy = (grid.long_usd > 0).sum() + (grid.short_usd > 0).sum() > 60
        if not busy:
            continue  # too thin to be judged at all
        planted = grid.long_usd if side == "long" else grid.short_usd
        # As much as a very bad hour of this pair, within a minute.
        total = grid.long_usd.sum() + grid.short_usd.sum()
        planted[0, minute] += max(50_000.0, total) * rng.uniform(1, 2)
        grid.count[0, minute] += 12
        features = compute_features(grid, FeatureParams())
        rows = features.at(np.arange(len(features)))
        waves = waves_of(rows, Thresholds(), 5)
        assert waves.strength[minute] == Strength.STRONG
        assert waves.sign[minute] == (-1 if side == "long" else 1)
        starts = waves.start_ms
        assert starts[minute] == rows.close_ms[minute] or starts[minute - 1] == starts[minute]


def test_the_sidecar_finds_a_planted_cascade_with_the_minute_it_settles(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    writer, reader = Writer(open_engine(url)), Reader(url)
    settler = Settler(writer, reader, Settings())
    rng = np.random.default_rng(1)
    close_ms = START_MS + 26 * 60 * MINUTE_MS
    background = [
        order(coin, int(at), "long" if rng.random() < 0.5 else "short", float(usd))
        for coin in ("BTC", "ETH", "SOL")
        for at, usd in zip(
            rng.integers(START_MS, close_ms - MINUTE_MS, 200), fitted_sizes(rng, 200), strict=True
        )
    ]
    writer.import_batch([Incoming(item) for item in background])
    cascade = [order("ETH", close_ms - 20_000 + 700 * i, "long", 40_000.0 + i) for i in range(25)]
    waves: dict[int, Settled] = {}
    for settled_ms in (close_ms - MINUTE_MS, close_ms):
        if settled_ms == close_ms:
            writer.append([Incoming(item) for item in cascade])
        span = Interval(START_MS, settled_ms)
        writer.settle(settled_ms, {"binance": [span]}, settled_ms + 2_000)
        waves[settled_ms] = settler.compute(settled_ms, settled_ms + 2_000)
    assert waves[close_ms - MINUTE_MS].anomalies == ()
    (anomaly,) = waves[close_ms].anomalies
    assert (anomaly.base_asset, anomaly.direction) == ("ETH", "SHORT")
    assert anomaly.strength is Strength.STRONG
    assert anomaly.wave_start_ms == close_ms
    writer.close()


def order(coin: str, event_ms: int, side: str, usd: float) -> Liquidation:
    """One order, received shortly after."""
    return Liquidation(
        "binance",
        f"{coin}USDT",
        f"{coin}/USDT:USDT",
        coin,
        side,  # type: ignore[arg-type]
        100.0,
        usd / 100.0,
        usd,
        event_ms,
        event_ms + 300,
    )
