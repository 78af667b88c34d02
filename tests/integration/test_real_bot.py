"""The real Freqtrade, in dry-run, on a simulated exchange."""

from pathlib import Path

import pytest

from liq_provider.simulator.exchange_server import Simulator
from liq_provider.store.verdict_minutes import Confirmed
from tests.bot.helpers import Store, stored
from tests.integration.harness import (
    BTC,
    ETH,
    bot_config,
    fresh_minute,
    judge,
    next_minute,
    running,
    wave,
)

# A whole minute, without waiting for one.
pytestmark = pytest.mark.usefixtures("full_minute")


@pytest.mark.parametrize("leverage", [1, 10])
def test_a_gap_through_the_stop_exits_at_once(
    sim: Simulator, store: Store, tmp_path: Path, leverage: int
) -> None:
    with running(bot_config(sim, tmp_path, leverage=leverage), tmp_path) as bot:
        wave(store, fresh_minute(), {"BTC": ("SHORT", 9), "ETH": ("LONG", 9)})
        bot.loop()
        assert {pair: trade.is_short for pair, trade in bot.open.items()} == {
            BTC: True,
            ETH: False,
        }
        for trade in bot.open.values():
            assert trade.leverage == leverage
            assert trade.enter_tag.endswith("strong_medium")
            distance = trade.stop_loss / trade.open_rate - 1
            assert abs(distance) == pytest.approx(0.02, abs=1e-3)
        rates = {
            BTC: sim.set_price("BTCUSDT", to_pct=6),
            ETH: sim.set_price("ETHUSDT", to_pct=-6),
        }
        bot.loop()
        assert bot.open == {}
        for trade in bot.closed:
            assert trade.close_rate == pytest.approx(rates[trade.pair], rel=2e-3)
            assert trade.exit_reason in ("stop_loss", "trailing_stop_loss")
        bot.loop()
        assert bot.open == {}, "one entry per wave"


def test_the_stop_on_the_exchange_is_the_fallback(
    sim: Simulator, store: Store, tmp_path: Path
) -> None:
    config = bot_config(sim, tmp_path)
    config["order_types"] = {
        "entry": "market",
        "exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": True,
        "stoploss_on_exchange_interval": 1,
    }
    with running(config, tmp_path) as bot:
        wave(store, fresh_minute(), {"BTC": ("SHORT", 9)})
        bot.loop()
        bot.loop()
        trade = bot.open[BTC]
        order = next(order for order in trade.orders if order.ft_order_side == "stoploss")
        assert order.stop_price == pytest.approx(trade.open_rate * 1.02, rel=1e-3)
        sim.set_price("BTCUSDT", to_pct=6)
        for _ in range(2):
            bot.loop()
        assert bot.open == {}


def test_exits_go_on_when_the_store_is_gone(sim: Simulator, store: Store, tmp_path: Path) -> None:
    with running(bot_config(sim, tmp_path), tmp_path) as bot:
        wave(store, fresh_minute(), {"BTC": ("SHORT", 9)})
        bot.loop()
        assert set(bot.open) == {BTC}
        store.close()
        for path in tmp_path.glob("store.sqlite*"):
            path.unlink()
        sim.set_price("BTCUSDT", to_pct=-3)
        bot.loop()
        trailing = bot.open[BTC].stop_loss
        assert trailing < bot.open[BTC].open_rate, "the trailing stop is armed and moves"
        sim.set_price("BTCUSDT", to_pct=2)
        bot.loop()
        assert bot.open == {}
        assert bot.closed[0].exit_reason == "trailing_stop_loss"
        assert bot.closed[0].close_profit > 0
        # One for each reason: a look in between the removals may find half a store.
        said = [text for text in bot.messages if "no entries" in text]
        assert said and len(said) == len(set(said))


def test_nothing_is_entered_on_stale_data_and_it_is_told_once(
    sim: Simulator, store: Store, tmp_path: Path
) -> None:
    with running(bot_config(sim, tmp_path), tmp_path) as bot:
        close_ms = fresh_minute(25)
        wave(store, close_ms, {"BTC": ("SHORT", 9)})
        status = {"skew_ms": 60_000}
        store.settle(close_ms, [], **status)
        for _ in range(3):
            bot.loop()
        assert bot.open == {}
        said = [text for text in bot.messages if "no entries, `the clock is +60.0 s off" in text]
        assert len(said) == 1
        store.settle(close_ms)
        for _ in range(2):
            bot.loop()
        assert set(bot.open) == {BTC}, "the same candle is still good when data is back"
        assert bot.messages.count("LiqTrend: entries are possible.") == 1
        store.settle(close_ms, [], **status)
        bot.loop()
        store.settle(close_ms)
        bot.loop()
        assert bot.messages.count("LiqTrend: entries are possible again.") == 1
        told = [text for text in bot.messages if "strong wave SHORT" in text]
        assert len(told) == 2
        assert "not entered: `the clock is +60.0 s off the exchange's" in told[0]
        assert "enter (medium)" in told[1], "only when it is entered"


def test_a_verdict_in_the_middle_of_a_candle_is_acted_on_within_two_loops(
    sim: Simulator, store: Store, tmp_path: Path
) -> None:
    with running(bot_config(sim, tmp_path), tmp_path) as bot:
        close_ms = fresh_minute()
        store.settle(close_ms, [stored("BTC", close_ms, 9, 0.98)])
        for _ in range(2):
            bot.loop()
        assert bot.open == {}
        assert bot.messages == ["LiqTrend: entries are possible."]
        judge(store, close_ms, "BTC", "SHORT")
        for _ in range(2):
            bot.loop()
        assert set(bot.open) == {BTC}
        told = {data.cd_key: data.value for data in bot.open[BTC].get_all_custom_data()}
        assert (told["liq_strength"], told["liq_z"], told["liq_level"]) == ("strong", 9.0, 2)
        assert "enter (medium)" in bot.messages[-1]


def test_the_surest_pair_takes_the_only_slot(sim: Simulator, store: Store, tmp_path: Path) -> None:
    config = bot_config(sim, tmp_path) | {"max_open_trades": 1}
    with running(config, tmp_path) as bot:
        wave(store, fresh_minute(), {"BTC": ("SHORT", 6), "ETH": ("LONG", 8), "SOL": ("LONG", 7)})
        bot.loop()
        assert set(bot.open) == {ETH}


def test_an_upgrade_that_is_kept_raises_the_recorded_confidence(
    sim: Simulator, store: Store, tmp_path: Path
) -> None:
    with running(bot_config(sim, tmp_path, on_upgrade="keep"), tmp_path) as bot:
        close_ms = fresh_minute()
        wave(store, close_ms, {"BTC": ("SHORT", 9)})
        bot.loop()
        first = bot.open[BTC].id
        judge(store, close_ms, "BTC", "SHORT", news="supports", news_key="a")
        for _ in range(2):
            bot.loop()
        assert bot.open[BTC].id == first
        assert bot.open[BTC].get_custom_data("liq_level") == 3


def test_an_upgrade_reopens_at_the_next_candle_and_a_reversal_closes(
    sim: Simulator, store: Store, tmp_path: Path
) -> None:
    with running(bot_config(sim, tmp_path), tmp_path) as bot:
        close_ms = fresh_minute()
        wave(store, close_ms, {"BTC": ("SHORT", 9), "ETH": ("LONG", 9)})
        bot.loop()
        assert set(bot.open) == {BTC, ETH}
        judge(store, close_ms, "BTC", "SHORT", news="supports", news_key="a")
        sim.set_price("ETHUSDT", to_pct=-1.5)
        bot.loop()
        assert set(bot.open) == {ETH}
        assert bot.closed[0].exit_reason == "liq_upgrade"
        bot.loop()
        assert set(bot.open) == {ETH}, "the side is locked until the next candle"

        following = next_minute()
        state = ("BTC", "SHORT", close_ms, "strong", "yes", "a", "matrix")
        confirmed = Confirmed(*state, close_ms=following, expires_at=following + 61_000)
        store.writer.put_verdicts([], [confirmed], following + 1_000)
        wave_rows = [stored("BTC", following, 9, 0.98), stored("ETH", following, 9, 0.98)]
        store.settle(following, wave_rows)
        judge(store, following, "ETH", "SHORT")
        bot.loop()
        assert bot.closed[1].exit_reason == "liq_reversal"
        assert bot.open[BTC].enter_tag == "liq_short_strong_high"
        bot.loop()
        assert bot.open[ETH].is_short, "the other side may open at once"
