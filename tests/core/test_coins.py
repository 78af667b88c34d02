"""Coins behind the names of markets."""

import pytest

from liq_provider.core.coins import base_asset_of, base_asset_of_pair


@pytest.mark.parametrize(
    ("base", "coin"),
    [
        ("BTC", "BTC"),
        ("1000PEPE", "PEPE"),
        ("10000LADYS", "LADYS"),
        ("1000000MOG", "MOG"),
        ("1MBABYDOGE", "BABYDOGE"),
        ("SHIB1000", "SHIB"),
        ("1INCH", "1INCH"),
        ("1000", "1000"),
        ("C98", "C98"),
        ("币安人生", "币安人生"),
    ],
)
def test_multipliers_are_stripped_from_coins(base: str, coin: str) -> None:
    assert base_asset_of(base) == coin
    assert base_asset_of_pair(f"{base}/USDT:USDT") == coin
