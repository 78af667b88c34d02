"""The real ``freqtrade hyperopt`` chooses the way that was planted, and it pays."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType

from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import Liquidation
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.store.booked_minute import Incoming
from tests.bot.helpers import Store
from tests.integration.harness import BTC, ETH, simulator
from tests.integration.history import FreqtradeRuns
from tests.study.planted import START_MS, TIMEFRAME_MIN, Market, market

pytestmark = pytest.mark.processes

DAYS = 12
EPOCHS = 30
PRICE = {"BTC": 500.0, "ETH": 40.0}  # of the generator's 100
DIGITS = {"BTC": 1, "ETH": 2}


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with simulator() as sim:
        yield sim


def write(base: Path, seed: int, edge: float) -> None:
    """Candle files and store of two pairs with the same kind of market."""
    datadir = base / "user_data" / "data" / "binance"
    (datadir / "futures").mkdir(parents=True)
    handler = get_datahandler(datadir, "feather")
    store = Store(base / "store.sqlite")
    for number, (coin, pair) in enumerate((("BTC", BTC), ("ETH", ETH))):
        made = market(seed + number, DAYS, edge)
        handler.ohlcv_store(pair, "5m", frame(made, coin), CandleType.FUTURES)
        orders = list(liquidations(made, coin, pair))
        for first in range(0, len(orders), 10_000):
            store.writer.append(orders[first : first + 10_000])
    store.cover(START_MS, START_MS + DAYS * 1_440 * MINUTE_MS)
    store.close()


def frame(made: Market, coin: str) -> pd.DataFrame:
    opened = np.round(made.open * PRICE[coin], DIGITS[coin])
    close = np.round(made.close * PRICE[coin], DIGITS[coin])
    start = pd.Timestamp(START_MS, unit="ms", tz="UTC")
    return pd.DataFrame(
        {
            "date": pd.date_range(start, periods=len(close), freq=f"{TIMEFRAME_MIN}min"),
            "open": opened,
            "high": np.maximum(opened, close),
            "low": np.minimum(opened, close),
            "close": close,
            "volume": 100.0,
        }
    )


def liquidations(made: Market, coin: str, pair: str) -> Iterator[Incoming]:
    """As many orders a minute as the market has, together worth what it has."""
    for minute in np.flatnonzero(made.orders):
        for side, usd in (("long", made.longs[minute]), ("short", made.shorts[minute])):
            count = int(made.orders[minute]) if usd > 20_000 else 1
            for order in range(count if usd else 0):
                event_ms = START_MS + int(minute) * MINUTE_MS + order * 1_000
                yield Incoming(
                    Liquidation(
                        "binance",
                        f"{coin}USDT",
                        pair,
                        coin,
                        side,  # type: ignore[arg-type]
                        1.0,
                        usd / count,
                        usd / count,
                        event_ms,
                        event_ms + 100,
                    )
                )


def hyperopt(sim: Simulator, base: Path, edge: float) -> tuple[str, float]:
    """:return: the chosen ``direction_mode``, and the profit of the best epoch in USDT"""
    write(base, 3, edge)
    lab = FreqtradeRuns(sim, base)
    config = lab.config({"timeframe": "5m", "max_open_trades": 2}, baseline_hours=24)
    config.write_text(config.read_text().replace(', "SOL/USDT:USDT"]', "]"))
    settings = json.loads(config.read_text())
    for key in ("min_baseline_segments", "min_active_segments"):
        settings["liq_provider"].pop(key)
    config.write_text(json.dumps(settings))
    told = lab.run(
        *("hyperopt", "--spaces", "buy", "sell", "-e", str(EPOCHS), "-j", "2"),
        *("--hyperopt-loss", "OnlyProfitHyperOptLoss", "--random-state", "5"),
        *("--min-trades", "10"),
        config=config,
    )
    chosen = json.loads((base / "strategies" / "LiqTrend.json").read_text())
    profit = re.findall(r"Total profit\s+(-?[\d.]+) USDT", told)
    return chosen["params"]["buy"]["direction_mode"], float(profit[-1])


@pytest.mark.parametrize(("edge", "way"), [(0.008, "follow"), (-0.008, "fade")])
def test_hyperopt_finds_what_was_planted(
    sim: Simulator, tmp_path: Path, edge: float, way: str
) -> None:
    mode, profit = hyperopt(sim, tmp_path, edge)
    assert mode == way
    assert profit > 20, "USDT, on stakes of 500"
