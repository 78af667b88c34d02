"""Which pair stands for a coin."""

import pytest

from liq_provider.sidecar.pair_of_coin import PairOfCoin, pair_for_coin


def test_who_was_given_the_names_sees_those_of_the_newest_list() -> None:
    names = PairOfCoin()
    assert names() == {}
    names.update({"BTC": "BTC/USDT:USDT", "ETH": "ETH/USDT:USDT"})
    names.update({"ETH": "ETH/USDC:USDC"})
    assert names() == {"ETH": "ETH/USDC:USDC"}


@pytest.mark.parametrize(
    ("listed", "names", "pair"),
    [
        (["BTC/USDC:USDC", "BTC/USDT:USDT"], {}, "BTC/USDT:USDT"),
        (["BTC/USD:BTC", "BTC/USDC:USDC"], {}, "BTC/USD:BTC"),
        (["BTC/USDT:USDT"], {"BTC": "BTC/USDC:USDC"}, "BTC/USDC:USDC"),
    ],
)
def test_the_bots_pair_stands_for_a_coin_or_else_a_venues(
    listed: list[str], names: dict[str, str], pair: str
) -> None:
    assert pair_for_coin("BTC", listed, names) == pair
