"""What commands say of the rules in force."""

import ccxt
import pytest

from liq_provider.commands.support.rules_for_commands import timeframe_word
from liq_provider.exchange.bot_exchange import timeframe_ms


@pytest.mark.parametrize("word", ["1m", "5m", "90m", "1h", "36h", "1d", "3d"])
def test_a_length_of_candles_has_freqtrades_word(word: str) -> None:
    assert timeframe_word(timeframe_ms(word)) == word


def test_exchanges_know_the_word_of_every_length_that_a_bot_can_trade() -> None:
    for name in ("binance", "bybit", "gate", "okx"):
        for word in getattr(ccxt, name)().timeframes:
            # Seconds, and what is longer than a segment can be (segment_min), trade nowhere.
            if word[-1] in "mhd" and timeframe_ms(word) <= timeframe_ms("1d"):
                assert timeframe_word(timeframe_ms(word)) == word, name
