"""Which coin a pair is about that a user typed, of those that anything is known of."""

from collections.abc import Sequence

from liq_provider.config.settings import Settings
from liq_provider.core.coins import base_asset_of_pair
from liq_provider.errors import UsageError
from liq_provider.store.reader import Reader


def coin_of(reader: Reader, venues: Sequence[str], pair: str) -> str:
    """
    :return: the coin behind a pair that a user typed
    :raises UsageError: neither the store's liquidations nor its market lists know it
    """
    base = base_asset_of_pair(pair)
    known = reader.has_minutes(base) or any(
        market.base_asset == base for venue in venues for market in reader.markets(venue)
    )
    if not known or "/" not in pair:
        raise UsageError(
            f"{pair}: the store has no liquidations of it and no venue lists it; write pairs as "
            "Freqtrade does, such as BTC/USDT:USDT"
        )
    return base


def known_coin(reader: Reader, settings: Settings, pair: str) -> str:
    """
    :return: the coin behind a pair that a user typed, of what ``backtest_source`` names
    :raises UsageError: nothing is known of it there
    """
    source = settings.backtest_source
    if source == "minutes":
        return coin_of(reader, settings.venues.enabled, pair)
    base = base_asset_of_pair(pair)
    if reader.bar_span(source, base) is None or "/" not in pair:
        raise UsageError(f"{pair}: the store holds no bars of it from {source}")
    return base
