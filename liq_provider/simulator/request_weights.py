"""What a request weighs on Binance, and how much may be asked in a minute."""

from collections.abc import Callable, Mapping

from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import minute_of

MINUTE_LIMIT = 2_400

Query = Mapping[str, str]

_KLINES = ((99, 1), (499, 2), (1_000, 5), (1_500, 10))
_DEPTH = ((50, 2), (100, 5), (500, 10), (1_000, 20))
_BY_LIMIT = {
    "klines": _KLINES,
    "continuousKlines": _KLINES,
    "markPriceKlines": _KLINES,
    "indexPriceKlines": _KLINES,
    "premiumIndexKlines": _KLINES,
    "depth": _DEPTH,
}
_USUAL_LIMIT = "500"
# With a symbol, and for all.
_BY_SYMBOL = {
    "ticker/24hr": (1, 40),
    "ticker/bookTicker": (2, 5),
    "ticker/price": (1, 2),
    "premiumIndex": (1, 10),
}
# They have a limit of their own, of 500 in five minutes.
_WEIGHTLESS = {"fundingRate", "fundingInfo"}


def weight_of(path: str, query: Query) -> int:
    """
    :param path: without the API's version
    :raises ValueError: the limit is no number
    """
    if path in _WEIGHTLESS:
        return 0
    if path in _BY_SYMBOL:
        one, every = _BY_SYMBOL[path]
        return one if "symbol" in query else every
    steps = _BY_LIMIT.get(path)
    if steps is None:
        return 1
    asked = int(query.get("limit", _USUAL_LIMIT))
    return next((weight for most, weight in steps if asked <= most), steps[-1][1])


class RequestWeights:
    """
    Counts by minutes of the clock, as Binance does. Whoever asks for more is refused until the
    next one begins, and what is refused counts, too.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.used = 0
        self.peak = 0
        self.refused = 0
        self.requests = 0
        self._now_ms = now_ms
        self._minute_ms = 0

    def charge(self, path: str, query: Query) -> bool:
        """:return: whether the request is answered"""
        minute_ms = minute_of(self._now_ms())
        if minute_ms != self._minute_ms:
            self._minute_ms, self.used = minute_ms, 0
        self.used += weight_of(path, query)
        self.peak = max(self.peak, self.used)
        self.requests += 1
        allowed = self.used <= MINUTE_LIMIT
        self.refused += not allowed
        return allowed

    @property
    def retry_after_s(self) -> int:
        """:return: whole seconds until the next minute begins"""
        left_ms = self._minute_ms + MINUTE_MS - self._now_ms()
        return max(-(-left_ms // 1000), 1)

    def state(self) -> dict[str, int]:
        """:return: for ``/sim/state``"""
        return {
            "requests": self.requests,
            "used": self.used,
            "peak": self.peak,
            "limit": MINUTE_LIMIT,
            "refused": self.refused,
        }
