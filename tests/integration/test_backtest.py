"""The real ``freqtrade backtesting``: entries, exits and ranking at the candles they belong to."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.integration.harness import BTC, ETH, SOL, simulator
from tests.integration.history import CoinScript, FreqtradeRuns, time_of, write_history

# A wave in minute m closes with candle m and is entered at the open of candle m + 1.
BTC_WAVE, ETH_WAVE, ALL_WAVE = 200, 240, 300
TURN = 320  # of all prices, so that no position is left
SPAN = "1772323200-1772344000"

SCRIPTS = {
    # Falls 4 % in the candle after the entry, after it had been down another 1 %.
    "BTC": CoinScript(
        -0.0002,
        {BTC_WAVE: 1e6, ALL_WAVE: 1e7},
        {BTC_WAVE + 2: -0.04, TURN: 0.03},
        {BTC_WAVE + 2: -0.01},
    ),
    # Touches the fallback stop in the candle after the entry.
    "ETH": CoinScript(
        0.0002, {ETH_WAVE: 1e6, ALL_WAVE: 1.2e7}, {TURN: -0.03}, {ETH_WAVE + 2: -0.03}
    ),
    "SOL": CoinScript(0.0002, {ALL_WAVE: 1e7}, {TURN: -0.03}),
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreqtradeRuns]:
    base = tmp_path_factory.mktemp("lab")
    write_history(base, SCRIPTS)
    with simulator() as sim:
        yield FreqtradeRuns(sim, base)


@pytest.fixture(scope="module")
def trades(lab: FreqtradeRuns) -> pd.DataFrame:
    """With the defaults."""
    return lab.trades()


def of(trades: pd.DataFrame, pair: str, minute: int) -> pd.Series:
    """The trade of a pair that was opened at a candle."""
    mine = trades[(trades["pair"] == pair) & (trades["open_date"] == time_of(minute))]
    assert len(mine) == 1, trades[["pair", "open_date", "close_date", "exit_reason"]]
    return mine.iloc[0]


def test_waves_are_entered_at_the_next_open_and_once(trades: pd.DataFrame) -> None:
    entries = {(row.pair, row.open_date, row.enter_tag) for row in trades.itertuples()}
    short, long = "liq_short_strong_medium", "liq_long_strong_medium"
    assert entries == {
        (BTC, time_of(BTC_WAVE + 1), short),
        (ETH, time_of(ETH_WAVE + 1), long),
        (BTC, time_of(ALL_WAVE + 1), short),
        (ETH, time_of(ALL_WAVE + 1), long),
        (SOL, time_of(ALL_WAVE + 1), long),
    }
    assert (trades["is_short"] == (trades["pair"] == BTC)).all()


def test_the_trail_follows_completed_candles_and_exits_at_the_open(trades: pd.DataFrame) -> None:
    """Candle 202 reaches 5 % down and closes 4 % down: only 203 may know of the best price."""
    trade = of(trades, BTC, BTC_WAVE + 1)
    assert trade["close_date"] == time_of(BTC_WAVE + 3)
    assert trade["exit_reason"] == "trailing_stop_loss"
    assert trade["close_rate"] / trade["open_rate"] == pytest.approx(0.96, abs=2e-3)


def test_the_fallback_is_filled_at_its_own_price(trades: pd.DataFrame) -> None:
    trade = of(trades, ETH, ETH_WAVE + 1)
    assert trade["close_date"] == time_of(ETH_WAVE + 2)
    assert trade["exit_reason"] == "stop_loss"
    assert trade["close_rate"] / trade["open_rate"] == pytest.approx(0.98, abs=1e-4)


def test_backtest_trail_same_believes_the_running_candle(lab: FreqtradeRuns) -> None:
    trade = of(lab.trades(backtest_trail="same"), BTC, BTC_WAVE + 1)
    assert trade["close_date"] == time_of(BTC_WAVE + 2)
    assert trade["exit_reason"] == "trailing_stop_loss"
    assert trade["close_rate"] / trade["open_rate"] == pytest.approx(0.95 * 1.01, abs=2e-3)


def test_backtest_entry_next_is_one_candle_later(lab: FreqtradeRuns) -> None:
    trades = lab.trades(backtest_entry="next")
    assert len(trades) == 5
    assert of(trades, BTC, BTC_WAVE + 2)["enter_tag"] == "liq_short_strong_medium"
    of(trades, SOL, ALL_WAVE + 2)


def test_the_only_slot_goes_to_the_surest_and_not_to_the_first_in_the_list(
    lab: FreqtradeRuns,
) -> None:
    trades = lab.trades({"max_open_trades": 1})
    opened = [(row.pair, row.open_date) for row in trades.itertuples()]
    assert opened == [
        (BTC, time_of(BTC_WAVE + 1)),
        (ETH, time_of(ETH_WAVE + 1)),
        (SOL, time_of(ALL_WAVE + 1)),
    ]


def test_recorded_verdicts_alone_trade_nothing_where_none_were_recorded(lab: FreqtradeRuns) -> None:
    path = lab.config({}, backtest_verdicts="recorded")
    assert "No trades made" in lab.run("backtesting", "--cache", "none", config=path)


def test_there_is_no_lookahead_bias(lab: FreqtradeRuns) -> None:
    told = lab.run(
        *("lookahead-analysis", "--strategy", "LiqTrend"),
        *("--minimum-trade-amount", "4", "--targeted-trade-amount", "5"),
        *("--timerange", SPAN),
    )
    row = next(line for line in told.splitlines() if "LiqTrend" in line and "│" in line)
    cells = [cell.strip() for cell in row.split("│") if cell.strip()]
    assert cells[2] == "No", told[-3000:]


def test_there_is_no_recursive_bias(lab: FreqtradeRuns) -> None:
    told = lab.run(
        *("recursive-analysis", "--strategy", "LiqTrend", "-p", BTC),
        *("--startup-candle", "30", "90"),
        *("--timerange", SPAN),
    )
    assert "lookahead" not in told.lower() or "No lookahead bias" in told
    # RSI and ATR are only shown; what decides must not depend on where the data begins.
    table = [line for line in told.splitlines() if "│" in line and "liq_" in line]
    assert all("liq_trend" not in line and "liq_level" not in line for line in table), told


def test_hyperopt_runs_in_several_processes(lab: FreqtradeRuns) -> None:
    """The strategy, with what it has read, is pickled for each of them."""
    told = lab.run(
        *("hyperopt", "--spaces", "buy", "sell", "-e", "4", "-j", "2", "--min-trades", "1"),
        *("--hyperopt-loss", "SharpeHyperOptLoss", "--random-state", "1"),
        "--disable-param-export",  # it would be written beside the strategy
    )
    assert "Best result" in told


def test_a_backtest_without_a_store_says_what_to_do(lab: FreqtradeRuns, tmp_path: Path) -> None:
    path = lab.config({}, store=f"sqlite:///{tmp_path / 'none.sqlite'}")
    with pytest.raises(AssertionError, match=r"liq_provider\.store: no liquidations") as told:
        lab.run("backtesting", config=path)
    assert "Traceback" not in str(told.value)


def test_plot_dataframe_draws_the_waves(lab: FreqtradeRuns) -> None:
    lab.run("plot-dataframe", "-p", BTC, "--timerange", SPAN)
    drawn = list((lab.base / "user_data" / "plot").glob("*.html"))
    assert len(drawn) == 1
    assert "Z-score" in drawn[0].read_text() or "liq_z" in drawn[0].read_text()


def test_a_bot_of_the_whole_market_is_tested_with_a_static_list(lab: FreqtradeRuns) -> None:
    """What its list holds today, such as nothing that was tested, changes nothing."""
    listed = lab.base / "user_data" / "liq_pairs.json"
    listed.write_text('{"pairs": ["XRP/USDT:USDT"]}')
    own = {"method": "RemotePairList", "pairlist_url": "file:///user_data/liq_pairs.json"}
    try:
        tested = lab.trades({"pairlists": [own]})
    finally:
        listed.unlink()
    assert len(tested) > 2
    pd.testing.assert_frame_equal(tested, lab.trades())


COPIED = '''
from LiqTrend import LiqTrend


class Copied(LiqTrend):
    """Freqtrade hands its callbacks copies of the trade, and gets every stop in every candle."""

    def custom_exit(self, **kwargs):
        return super().custom_exit(**kwargs)

    def custom_stoploss(self, after_fill, **kwargs):
        return super().custom_stoploss(after_fill=after_fill, **kwargs)
'''

GROWING = {
    # Mixed at first, and purer two minutes later, while the position is open.
    "BTC": CoinScript(
        -0.0002,
        {BTC_WAVE: 6e4, BTC_WAVE + 2: 1e6, ALL_WAVE: 1e7},
        {BTC_WAVE + 6: -0.04, TURN: 0.03},
        {BTC_WAVE + 6: -0.01},
    ),
    "ETH": CoinScript(
        0.0002,
        {ETH_WAVE: 6e4, ETH_WAVE + 2: 1e6, ALL_WAVE: 1.2e7},
        {TURN: -0.03},
        {ETH_WAVE + 8: -0.03},
    ),
    "SOL": CoinScript(0.0002, {ALL_WAVE: 1e7}, {TURN: -0.03}),
}


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreqtradeRuns]:
    base = tmp_path_factory.mktemp("growing")
    write_history(base, GROWING)
    with simulator() as sim:
        runs = FreqtradeRuns(sim, base)
        runs.config({})
        (base / "strategies" / "Copied.py").write_text(COPIED)
        yield runs


@pytest.mark.parametrize("on_upgrade", ["reopen", "keep"])
@pytest.mark.parametrize("trail", ["previous", "same"])
def test_trades_are_the_same_with_and_without_copies(
    growing: FreqtradeRuns, on_upgrade: str, trail: str
) -> None:
    section = {
        "on_upgrade": on_upgrade,
        "backtest_trail": trail,
        "min_confidence": "low",
        "purity_strong": 0.97,
    }
    spared = growing.trades(**section)
    copied = growing.trades({"strategy": "Copied"}, **section)
    reasons = set(spared["exit_reason"])
    assert {"stop_loss", "trailing_stop_loss"} <= reasons, spared
    assert ("liq_upgrade" in reasons) == (on_upgrade == "reopen")
    pd.testing.assert_frame_equal(spared, copied)
