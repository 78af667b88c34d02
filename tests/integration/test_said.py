"""What the real bot adds to Freqtrade's own messages when a trade begins and ends."""

from pathlib import Path
from typing import Any

import pytest

from liq_provider.simulator.exchange_server import Simulator
from tests.bot.helpers import Store, stored
from tests.bot.markdown import shown
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


def enter(bot: Bot, store: Store) -> int:
    """A wave in BTC that is entered; returns the close of its candle."""
    close_ms = fresh_minute()
    wave(store, close_ms, {"BTC": ("SHORT", 9)})
    bot.loop()
    assert set(bot.open) == {BTC}
    return close_ms


def since(bot: Bot, count: int) -> list[str]:
    """Messages after the first ``count``, as their reader sees them."""
    return [shown(text) for text in bot.messages[count:]]


def kept(bot: Bot) -> dict[str, Any]:
    return {data.cd_key: data.value for data in bot.closed[0].get_all_custom_data()}


def test_a_trailing_stop_says_which_price_it_trails(
    sim: Simulator, store: Store, tmp_path: Path
) -> None:
    with running(bot_config(sim, tmp_path), tmp_path) as bot:
        enter(bot, store)
        said = len(bot.messages)
        sim.set_price("BTCUSDT", to_pct=-3)
        bot.loop()
        assert since(bot, said) == []
        sim.set_price("BTCUSDT", to_pct=2)
        bot.loop()
        assert bot.open == {}
        (text,) = since(bot, said)
        assert text.startswith(f"{BTC} #1 closed: trailing stop at ")
        assert "1% back from the best price, " in text
        assert kept(bot)["liq_exit"] in text


def test_an_upgrade_says_that_it_is_not_the_end(
    sim: Simulator, store: Store, tmp_path: Path
) -> None:
    with running(bot_config(sim, tmp_path), tmp_path) as bot:
        close_ms = enter(bot, store)
        said = len(bot.messages)
        judge(store, close_ms, "BTC", "SHORT", news="supports", news_key="a")
        for _ in range(2):
            bot.loop()
        wave_told, closed = since(bot, said)
        assert wave_told.startswith(f"{BTC}: strong wave SHORT, z 9.0")
        assert "enter (high), " in wave_told
        assert closed == (
            f"{BTC} #1 closed: a surer signal; opened again at the next candle if it holds."
        )


def test_without_messages_of_waves_an_entry_tells_its_own(
    sim: Simulator, store: Store, tmp_path: Path
) -> None:
    config = bot_config(sim, tmp_path, messages={"waves": "none", "data": False})
    with running(config, tmp_path) as bot:
        enter(bot, store)
        bot.loop()
        assert since(bot, 0) == [
            f"{BTC} #1 entered: strong wave SHORT, z 9.0, purity 98%, $1,000,000, "
            "enter (medium), a strong one-sided wave that price follows"
        ]


def test_everything_can_be_switched_off(
    sim: Simulator, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    off = {"waves": "none", "trades": False, "data": False, "budget": False}
    with running(bot_config(sim, tmp_path, messages=off), tmp_path) as bot:
        enter(bot, store)
        sim.set_price("BTCUSDT", to_pct=6)
        bot.loop()
        assert bot.open == {}
        assert bot.messages == []
    assert "closed: fallback stop at " in caplog.text, "the log has it all the same"


def test_many_waves_at_once_do_not_drown_freqtrades_messages(
    sim: Simulator, store: Store, tmp_path: Path
) -> None:
    config = bot_config(sim, tmp_path)
    coins = ("BTC", "ETH", "SOL", "XRP", "DOGE", "ADA", "AVAX", "LTC")
    config["exchange"]["pair_whitelist"] = [f"{coin}/USDT:USDT" for coin in coins]
    with running(config, tmp_path) as bot:
        close_ms = fresh_minute()
        store.settle(
            close_ms, [stored(coin, close_ms, 9 + n, 0.98) for n, coin in enumerate(coins)]
        )
        for coin in coins:
            judge(store, close_ms, coin, "SHORT")
        bot.loop()
        told = [text for text in since(bot, 0) if "wave" in text]
        assert len(told) == 6
        assert told[0].startswith(f"{BTC}: strong wave SHORT"), "the one that is entered"
        assert told[-1].startswith("LiqTrend: 3 more waves at once, 0 of them to enter: ")
        assert ETH.partition("/")[0] in told[-1]
