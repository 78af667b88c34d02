"""The bot's exchange through ccxt: its pairs, closed candles, and the time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from ccxt.base.errors import BaseError
from ccxt.base.exchange import Exchange

from liq_provider.config.simulated_marks import is_here
from liq_provider.core.arrays import FloatArray
from liq_provider.core.candle_columns import COLUMNS, no_candles
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.markets import FetchTypes, markets_from_ccxt
from liq_provider.errors import SettingsError
from liq_provider.exchange.lean_ccxt import exchange_class
from liq_provider.exchange.venue_rest import ccxt_options
from liq_provider.venues import VENUES

_MOST_ROWS = 1_000  # of one request
_MOST_PAGES = 10

# The most liquid first.
_QUOTES = ("USDT", "USDC", "USD")

# Credentials have no business in a process that only reads public data.
_NOT_COPIED = {"apiKey", "secret", "password", "uid", "privateKey", "walletAddress", "token"}


def _fetch_types(name: str) -> FetchTypes:
    specs = (venue.markets for venue in VENUES.values())
    return next((spec.fetch_types for spec in specs if spec.ccxt_id == name), ("swap",))


class BotExchange:
    """
    The exchange that the bot trades on. Blocks; run it in a thread.

    :param name: Freqtrade's ``exchange.name``
    :param ccxt_config: Freqtrade's ``exchange.ccxt_config``; credentials in it are not used
    :param stake_currency: Freqtrade's
    :raises SettingsError: ccxt has no such exchange
    """

    def __init__(
        self,
        name: str,
        ccxt_config: Mapping[str, Any] | None = None,
        stake_currency: str = _QUOTES[0],
    ) -> None:
        given = {k: v for k, v in (ccxt_config or {}).items() if k not in _NOT_COPIED}
        options = ccxt_options(_fetch_types(name))
        options["options"] |= given.pop("options", {})
        made = exchange_class(name)
        if made is None:
            raise SettingsError(f"exchange.name: ccxt has no exchange {name!r}")
        self.name = name
        self._stake_currency = stake_currency
        self._exchange = made(options | given)

    @property
    def simulated(self) -> bool:
        """Is it asked on this machine, where no exchange is?"""
        return is_here(self._exchange.urls.get("api"))

    def time_ms(self) -> int | None:
        """:return: the exchange's clock, None if it does not tell"""
        return int(self._exchange.fetch_time()) if self._exchange.has.get("fetchTime") else None

    def pairs_by_coin(self) -> dict[str, str]:
        """
        :return: the pair that stands for each coin here: that in the stake currency, which the bot
            can trade, else the one with the most liquid quote
        """
        pairs: dict[str, str] = {}
        # Asked anew each time, because coins are listed while the sidecar runs.
        for market in markets_from_ccxt(self.name, self._exchange.load_markets(True)):
            best = pairs.get(market.base_asset)
            if best is None or self._rank(market.pair) < self._rank(best):
                pairs[market.base_asset] = market.pair
        return pairs

    def _rank(self, pair: str) -> tuple[bool, int, str]:
        quote, _, settled_in = pair.partition("/")[2].partition(":")
        staked = quote == settled_in == self._stake_currency
        return (not staked, _QUOTES.index(quote) if quote in _QUOTES else len(_QUOTES), pair)

    def ohlcv(self, pair: str, timeframe: str, since_ms: int) -> list[list[float]]:
        """
        Candles since then, the running one included; for pictures, not for decisions.

        :return: rows of open time, open, high, low, close, volume
        """
        rows: list[list[float]] = []
        # Exchanges bring a thousand or fewer at a time, the oldest first.
        for _ in range(_MOST_PAGES):
            page = self._exchange.fetch_ohlcv(pair, timeframe, since=since_ms, limit=_MOST_ROWS)
            new = [row for row in page if row[0] >= since_ms]
            if not new:
                break
            rows += new
            since_ms = int(new[-1][0]) + 1
        return rows

    def closed(self, pair: str, timeframe: str, count: int, now_ms: int) -> tuple[int, FloatArray]:
        """
        The latest closed candles; an unfinished one is dropped.

        :param count: how many
        :param now_ms: exchange time, which tells the unfinished candle
        :return: close time of the newest of them in milliseconds (0 if there is none), and they
        """
        step_ms = timeframe_ms(timeframe)
        since_ms = now_ms - now_ms % step_ms - count * step_ms
        rows = self._exchange.fetch_ohlcv(pair, timeframe, since=since_ms, limit=count + 1)
        closed = [row for row in rows if row[0] + step_ms <= now_ms][-count:]
        if not closed:
            return 0, no_candles()
        width = len(COLUMNS) + 1
        return int(closed[-1][0]) + step_ms, np.array([row[1:width] for row in closed], dtype=float)


def timeframe_ms(timeframe: str) -> int:
    """
    :return: length of a candle such as ``5m``
    :raises SettingsError: that is none
    """
    try:
        step_ms = int(Exchange.parse_timeframe(timeframe)) * 1000
    except (BaseError, ValueError, TypeError):
        step_ms = 0
    if step_ms < MINUTE_MS:
        raise SettingsError(f"timeframe: {timeframe!r} is none; write 1m, 5m or 1h")
    return step_ms


def last_close_ms(now_ms: int, step_ms: int) -> int:
    """:return: close of the newest finished candle of that length"""
    return now_ms - now_ms % step_ms
