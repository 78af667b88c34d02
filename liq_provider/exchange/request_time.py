"""
How long Freqtrade's rate limit makes a request for candles take: asked of ccxt, not of a network.

What a request costs is written in ccxt's classes, for some exchanges by the number of candles.
So ccxt is made to ask for a pair that is made up, and stopped where it would wait for its turn.
"""

from collections.abc import Mapping
from typing import Any

from liq_provider.exchange.candle_sum import RequestTime
from liq_provider.exchange.lean_ccxt import exchange_class

_PAIR = "BTC/USDT:USDT"
# Any that is long over.
_SINCE_MS = 1_700_000_000_000
_FREQTRADES_LIMIT = 500


class _Stopped(Exception):
    """It would have asked now."""


def request_time(
    exchange: Mapping[str, Any], timeframe: str, *, futures: bool = True
) -> RequestTime | None:
    """
    For where Freqtrade is loaded; it says how many candles it asks for.

    :param exchange: Freqtrade's section of that name
    :return: None if candles come by websocket, or if the exchange or its cost is not known
    """
    name = str(exchange.get("name") or "")
    made = exchange_class(name)
    if made is None:
        return None
    settings = {**exchange.get("ccxt_config", {}), **exchange.get("ccxt_async_config", {})}
    options = {"defaultType": "swap", **settings.pop("options", {})}
    asked = made({**settings, "options": options})
    terms = freqtrade_terms(exchange, futures=futures)
    if terms.get("ws_enabled") and exchange.get("enable_ws", True):
        return None
    if not asked.enableRateLimit:
        return RequestTime(0.0)
    cost = _cost(asked, timeframe, candle_limit(asked, terms, timeframe))
    if cost is None:
        return None
    window_ms = float(asked.rollingWindowSize or 0)
    ms = cost * float(asked.rateLimit)
    rolling = bool(window_ms) and asked.rateLimiterAlgorithm != "leakyBucket"
    return RequestTime(ms, int(window_ms // ms) if ms else 0, window_ms / 1000, rolling)


def freqtrade_terms(exchange: Mapping[str, Any], *, futures: bool = True) -> dict[str, Any]:
    """:return: what Freqtrade knows of an exchange, with what the configuration says otherwise"""
    import freqtrade.exchange as known
    from freqtrade.exchange import MAP_EXCHANGE_CHILDCLASS, Exchange

    name = str(exchange["name"])
    own = getattr(known, MAP_EXCHANGE_CHILDCLASS.get(name, name).title(), Exchange)
    terms = own.combine_ft_has(include_futures=futures)
    return {**terms, **(exchange.get("_ft_has_params") or {})}


def candle_limit(asked: Any, terms: Mapping[str, Any], timeframe: str) -> int:
    """
    :param asked: ccxt's exchange
    :param terms: see ``freqtrade_terms``
    :return: how many candles of a future Freqtrade asks for at once, see its ``ohlcv_candle_limit``
    """
    features = (asked.features or {}).get("swap") or {}
    stated = ((features.get("linear") or {}).get("fetchOHLCV") or {}).get("limit")
    usual = stated if isinstance(stated, int | float) else _FREQTRADES_LIMIT
    limit = terms.get("ohlcv_candle_limit", usual)
    return int((terms.get("ohlcv_candle_limit_per_timeframe") or {}).get(timeframe, limit))


def _cost(asked: Any, timeframe: str, limit: int) -> float | None:
    """In units of the exchange's ``rateLimit``."""
    costs: list[float] = []

    def wait(cost: float | None = None) -> None:
        costs.append(1.0 if cost is None else float(cost))
        raise _Stopped

    def send(*_: Any, **__: Any) -> None:
        raise _Stopped

    asked.throttle, asked.fetch = wait, send
    asked.set_markets([asked.safe_market_structure(_made_up())])
    try:
        asked.fetch_ohlcv(_PAIR, timeframe, since=_SINCE_MS, limit=limit)
    except _Stopped:
        return costs[0] if costs else None
    except Exception:
        return None  # it wants to know something of the pair that nobody made up
    return None


def _made_up() -> dict[str, Any]:
    """A perpetual that any exchange could have, as ccxt describes it."""
    ids = {"id": "BTCUSDT", "symbol": _PAIR, "baseId": "BTC", "quoteId": "USDT", "settleId": "USDT"}
    kind = {"type": "swap", "swap": True, "contract": True, "linear": True, "inverse": False}
    others = dict.fromkeys(("spot", "margin", "future", "option"), False)
    coins = {"base": "BTC", "quote": "USDT", "settle": "USDT"}
    return {**ids, **coins, **kind, **others, "active": True, "contractSize": 1.0, "info": {}}
