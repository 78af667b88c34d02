"""Entries by hand, as Telegram and FreqUI order them: let through, and with both stops."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from freqtrade.enums import SignalDirection
from freqtrade.persistence import PairLocks
from freqtrade.rpc import RPC, RPCException

from liq_provider.launch.ports import free_port
from liq_provider.simulator.exchange_server import Simulator
from tests.bot.helpers import Store
from tests.integration.harness import (
    BTC,
    ETH,
    Bot,
    bot_config,
    fresh_minute,
    judge,
    running,
    wave,
)

# A whole minute, without waiting for one.
pytestmark = pytest.mark.usefixtures("full_minute")

LONG, SHORT = SignalDirection.LONG, SignalDirection.SHORT


def config_of(sim: Simulator, base: Path, **section: Any) -> dict[str, Any]:
    return bot_config(sim, base, **section) | {"force_entry_enable": True}


@pytest.fixture
def bot(sim: Simulator, store: Store, tmp_path: Path) -> Iterator[Bot]:
    with running(config_of(sim, tmp_path), tmp_path) as made:
        made.loop()
        assert made.strategy.liq.engine.problem is not None, "nothing was ever settled"
        yield made


def enter(bot: Bot, pair: str, side: SignalDirection, **more: Any) -> Any:
    """What Telegram's /forceenter does."""
    return RPC(bot.freqtrade)._rpc_force_entry(pair, None, order_side=side, **more)


@pytest.mark.parametrize(
    ("side", "crossed_pct", "armed_pct", "back_pct"), [(LONG, -3, 3, -2), (SHORT, 3, -3, 2)]
)
def test_it_is_let_through_without_data_and_has_both_stops(
    bot: Bot,
    sim: Simulator,
    side: SignalDirection,
    crossed_pct: float,
    armed_pct: float,
    back_pct: float,
) -> None:
    trade = enter(bot, BTC, side)
    assert (trade.enter_tag, trade.is_short) == ("force_entry", side is SHORT)
    bot.loop()
    kept = {data.cd_key for data in bot.open[BTC].get_all_custom_data()}
    assert kept == {"liq_stops"}, "no wave of LiqTrend's led to it"
    assert abs(bot.open[BTC].stop_loss / trade.open_rate - 1) == pytest.approx(0.02, abs=1e-3)
    sim.set_price("BTCUSDT", to_pct=crossed_pct)
    bot.loop()
    assert bot.open == {}
    assert bot.closed[-1].exit_reason == "stop_loss"

    enter(bot, BTC, side)
    sim.set_price("BTCUSDT", to_pct=armed_pct)
    bot.loop()
    sim.set_price("BTCUSDT", to_pct=back_pct)
    bot.loop()
    assert bot.open == {}
    assert bot.closed[-1].exit_reason == "trailing_stop_loss"
    assert bot.closed[-1].close_profit > 0


def test_the_leverage_that_was_asked_for_leaves_the_stop_at_its_price(
    bot: Bot, sim: Simulator
) -> None:
    trade = enter(bot, ETH, SHORT, leverage=10)
    assert trade.leverage == 10
    bot.loop()
    assert bot.open[ETH].stop_loss == pytest.approx(trade.open_rate * 1.02, rel=1e-3)
    sim.set_price("ETHUSDT", to_pct=3)
    bot.loop()
    assert bot.open == {}


def test_a_limit_price_stays_as_it_was_given(sim: Simulator, store: Store, tmp_path: Path) -> None:
    config = config_of(sim, tmp_path)
    config["order_types"] = {
        "entry": "limit",
        "exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": False,
    }
    with running(config, tmp_path) as bot:
        bot.loop()
        price = round(sim.market.price("BTCUSDT", sim.now_ms()) * 0.995, 1)
        trade = RPC(bot.freqtrade)._rpc_force_entry(BTC, price, order_side=LONG)
        assert trade is not None
        assert trade.open_rate_requested == pytest.approx(price, rel=1e-6)


def test_a_tag_that_looks_like_a_signals_has_to_pass_its_gates(bot: Bot) -> None:
    with pytest.raises(RPCException, match="Failed to enter"):
        enter(bot, BTC, SHORT, enter_tag="liq_short_strong_high")
    for tag in ("liq_", "", None):
        with pytest.raises(RPCException, match="Failed to enter"):
            enter(bot, BTC, SHORT, enter_tag=tag)
    assert bot.open == {}


def test_no_upgrade_closes_it_and_it_is_no_entry_of_the_wave(
    bot: Bot, store: Store, sim: Simulator
) -> None:
    close_ms = fresh_minute(25)
    # Whatever its user wrote is no confidence of LiqTrend's.
    enter(bot, BTC, SHORT, enter_tag="mine_low")
    wave(store, close_ms, {"BTC": ("SHORT", 9)})
    judge(store, close_ms, "BTC", "SHORT", news="supports", news_key="a")
    for _ in range(2):
        bot.loop()
    assert bot.open[BTC].enter_tag == "mine_low"
    told = [text for text in bot.messages if "strong wave SHORT" in text]
    assert len(told) == 1
    assert "not entered: `a position of this pair is open`" in told[0]
    RPC(bot.freqtrade)._rpc_force_exit(str(bot.open[BTC].id))
    bot.loop()
    assert bot.open == {}
    # Freqtrade locks a pair that was closed until the next candle, which takes too long here.
    PairLocks.unlock_pair(BTC, None, side="short")
    bot.loop()
    assert bot.open[BTC].enter_tag == "liq_short_strong_high", "the wave was not traded yet"


def test_freqtrades_api_may_name_it(sim: Simulator, store: Store, tmp_path: Path) -> None:
    config = config_of(sim, tmp_path)
    port = free_port()
    config["api_server"] = {
        "enabled": True,
        "listen_ip_address": "127.0.0.1",
        "listen_port": port,
        "username": "u",
        "password": "stand-in",
        "jwt_secret_key": "stand-in" * 4,
        "ws_token": "stand-in",
        "CORS_origins": [],
    }
    with running(config, tmp_path) as bot:
        bot.loop()
        for pair, tag in ((BTC, None), (ETH, "my own view")):
            order = {"pair": pair, "side": "long"} | ({"entry_tag": tag} if tag else {})
            answer = requests.post(
                f"http://127.0.0.1:{port}/api/v1/forceenter",
                json=order,
                auth=("u", "stand-in"),
                timeout=60,
            )
            assert answer.status_code == 200, answer.text
        bot.loop()
        tags = {pair: trade.enter_tag for pair, trade in bot.open.items()}
        assert tags == {BTC: "force_entry", ETH: "my own view"}
        for trade in bot.open.values():
            assert trade.stop_loss == pytest.approx(trade.open_rate * 0.98, rel=1e-3)
