"""How long after their close Freqtrade has the pairs' candles; nobody decides before that."""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from liq_provider.config.settings import Settings
from liq_provider.exchange.candle_sum import CandleSum, RequestTime

logger = logging.getLogger(__name__)

# As many closes as an hour of the shortest candles has.
_REMEMBERED = 60


class CandleDelay:
    """
    :param ask: what a request takes by the rate limit; called once
    :param market: the bot's pairs are those that the sidecar lists
    """

    def __init__(
        self, settings: Settings, ask: Callable[[], RequestTime | None], market: bool = False
    ) -> None:
        self._settings = settings
        self._market = market
        self._request = _asked(ask)
        self._pairs = 0
        self._close_ms: int | None = None
        self._counted = True
        self._ready_s: deque[float] = deque(maxlen=_REMEMBERED)

    def saw(self, newest: Mapping[str, int], begun_ms: int) -> None:
        """
        :param newest: close of the newest candle, by pair
        :param begun_ms: when the loop began that has them: Freqtrade asks for all of them first
        """
        if not newest:
            return
        close_ms, self._pairs = max(newest.values()), len(newest)
        if close_ms != self._close_ms:
            # Of the candle in which a bot is started nothing is known.
            self._counted = self._close_ms is None
            self._close_ms = close_ms
        # Some come late by themselves, of coins that nobody trades.
        came = sum(newest_ms == close_ms for newest_ms in newest.values())
        if not self._counted and 2 * came >= len(newest):
            self._counted = True
            self._ready_s.append((begun_ms - close_ms) / 1000)

    @property
    def sum(self) -> CandleSum:
        """With what was measured, if anything was."""
        ready_s = self._ready_s[-1] if self._ready_s else None
        worst_s = max(self._ready_s, default=None)
        return CandleSum.of(
            *(self._pairs, self._request, self._settings, ready_s, worst_s), market=self._market
        )

    def told(self) -> dict[str, Any]:
        """:return: for the bot's heartbeat; nothing before it saw candles"""
        return self.sum.as_told() if self._pairs else {}

    def why_late(self, close_ms: int) -> str | None:
        """
        :return: why a signal of that candle came too late, None if it was not for its candles
        """
        known = self.sum
        if not self._counted or close_ms != self._close_ms or known.ready_s is None:
            return None
        if known.level == "ok":
            return None
        limit_s = self._settings.max_entry_delay_s
        asked = "" if known.request is None else f": {known.request.words(known.pairs)}"
        return (
            f"the candles came {known.ready_s:.0f} s after their close{asked} "
            f"(max_entry_delay_s {limit_s:g})"
        )


def _asked(ask: Callable[[], RequestTime | None]) -> RequestTime | None:
    """What cannot be known is not told; the bot trades without it."""
    try:
        return ask()
    except Exception:
        logger.info("What a request for candles takes is not known", exc_info=True)
        return None
