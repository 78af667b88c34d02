"""Which coin a market is about: its name without the multiplier that exchanges put on it."""

import re

# 1000PEPE, 10000LADYS, 1000000MOG, 1MBABYDOGE on one side, SHIB1000 on the other.
_MULTIPLIED = re.compile(r"^(?:1000000|10000|1000|1M)(?=[A-Z])|(?<=[A-Z])1000$")


def base_asset_of(base: str) -> str:
    """
    Strip the multiplier that exchanges put on coins of tiny price.

    >>> base_asset_of("1000PEPE"), base_asset_of("SHIB1000"), base_asset_of("1INCH")
    ('PEPE', 'SHIB', '1INCH')
    """
    return _MULTIPLIED.sub("", base)


def base_asset_of_pair(pair: str) -> str:
    """
    The coin behind a Freqtrade pair.

    >>> base_asset_of_pair("1000PEPE/USDT:USDT")
    'PEPE'
    """
    return base_asset_of(pair.partition("/")[0])
