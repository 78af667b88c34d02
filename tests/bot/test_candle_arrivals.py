"""Which pair had which candle, and when."""

from liq_provider.bot.candle_arrivals import CandleArrivals
from tests.bot.helpers import at

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"


def begun(*pairs: str) -> CandleArrivals:
    """A bot that runs for a minute."""
    arrivals = CandleArrivals()
    arrivals.take(dict.fromkeys(pairs, at(9)), at(9) + 30_000)
    return arrivals


def test_a_candle_came_when_it_was_first_there() -> None:
    arrivals = begun(BTC)
    arrivals.take({BTC: at(10)}, at(10) + 2_000)
    arrivals.take({BTC: at(10)}, at(10) + 50_000)
    arrival = arrivals.of(BTC, at(10))
    assert arrival is not None and arrival.seen_ms == at(10) + 2_000
    assert arrivals.of(BTC, at(9)) is None
    assert arrivals.had(BTC, at(9)) and arrivals.had(BTC, at(10)) and not arrivals.had(BTC, at(11))


def test_a_pair_joins_a_list_that_was_there_before_it() -> None:
    arrivals = begun(BTC, ETH)
    assert not arrivals.of(ETH, at(9)).joined  # type: ignore[union-attr]
    arrivals.take({BTC: at(10)}, at(10) + 2_000)
    assert arrivals.of(ETH, at(9)) is None
    arrivals.take({BTC: at(10), ETH: at(10)}, at(10) + 8_000)
    arrival = arrivals.of(ETH, at(10))
    assert arrival is not None and arrival.joined and arrival.seen_ms == at(10) + 8_000
    assert not arrivals.of(BTC, at(10)).joined  # type: ignore[union-attr]


def test_what_is_remembered_does_not_grow() -> None:
    arrivals = begun(BTC)
    for minute in range(10, 200):
        arrivals.take({BTC: at(minute)}, at(minute) + 1_000)
    assert len(arrivals._had) <= 16
    assert arrivals.had(BTC, at(199)) and not arrivals.had(BTC, at(170))
