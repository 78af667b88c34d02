"""Coins that come into a list when their wave is there already."""

import pytest

from liq_provider.bot.candle_delay import CandleDelay
from liq_provider.bot.late_coins import LateCoins
from liq_provider.bot.live import LiveLoop
from liq_provider.exchange.candle_sum import CANDLES
from liq_provider.sidecar.sidecar_files import SidecarFiles
from tests.bot.helpers import Store, at
from tests.bot.test_engine import BTC, CLOSE, ETH, NOW, SOL, Bot, wave
from tests.bot.test_live import PARAMETERS, WatchNow


@pytest.fixture
def bot(store: Store) -> Bot:
    """It had BTC in its list; ETH joins with a wave, and SOL without one."""
    wave(store, BTC=9, ETH=9)
    made = Bot(store)
    made.loop([BTC])
    made.loop([BTC, ETH, SOL])
    return made


def test_the_delay_of_a_coin_that_joined_with_its_wave_is_counted_once(bot: Bot) -> None:
    late = LateCoins()
    assert late.words == ""
    for _ in range(2):
        late.look(bot.engine, [BTC, ETH, SOL], CLOSE)
    assert late.words == (
        "1 coin of today came into the list with a wave, their candles 1.0 s after the minute was "
        "settled (at worst 1.0 s)"
    )


def test_it_is_forgotten_after_a_day(bot: Bot) -> None:
    late = LateCoins()
    late.look(bot.engine, [ETH], CLOSE)
    late.look(bot.engine, [ETH], at(40 + 24 * 60))
    assert late.words
    late.look(bot.engine, [ETH], at(41 + 24 * 60))
    assert late.words == ""


def test_it_is_told_beside_the_candles_of_the_whole_list(bot: Bot, store: Store) -> None:
    engine = bot.engine
    engine.candles = CandleDelay(bot.settings, lambda: None)
    engine.candles.saw({BTC: CLOSE}, NOW)
    live = LiveLoop(engine, WatchNow(store, None), -0.99)
    live._late.look(engine, [ETH], CLOSE)
    live.begin(NOW, [BTC, ETH], PARAMETERS)
    (told,) = SidecarFiles(store.path).bots()
    assert told[CANDLES]["words"].startswith("1 pairs; 1 coin of today came into the list")
