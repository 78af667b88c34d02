"""
Are the candles of all pairs there in time? Pairs times request, and what a bot measured.

Pure. Freqtrade asks for the newest candle of each pair, as fast as the rate limit lets it, before a
strategy may decide anything. So a list that is too long makes every signal too old, and nothing
that the strategy does could be faster.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

from liq_provider.config.settings import Settings

# In what a bot tells of itself, see ``SidecarFiles.beat``.
CANDLES = "candles"

Level = Literal["ok", "warning", "error"]

# Freqtrade begins its loop that long after a candle's close, and an order takes a second or two.
_BEGIN_S, _ORDER_S = 1.0, 2.0
# What Freqtrade and LiqTrend compute for each pair's new candle, whatever the limit.
_COMPUTED_S = 0.016
# Later than this after the minute is settled, a wave has run on.
_PROMPT_S = 3.0
_ROLLING = 'exchange.ccxt_config.rateLimiterAlgorithm to "rollingWindow"'
# The whole market by a list that is always short.
_SHORT_LIST = "let `liq-provider init` make a short list"


@dataclass(frozen=True, slots=True)
class RequestTime:
    """
    What the rate limit makes of one request for a pair's candles.

    :param ms: each takes, one after the other; 0 without a limit
    :param at_once: so many are let through without a wait in each ``window_s``, if the limit is a
        rolling window; 0 where the exchange states none
    :param rolling: it is one
    """

    ms: float
    at_once: int = 0
    window_s: float = 0.0
    rolling: bool = False

    def last_s(self, pairs: int) -> float:
        """:return: until the last of so many is sent, with none before them"""
        if not self.rolling or not self.ms:
            return pairs * self.ms / 1000
        return max(0, ceil(pairs / max(1, self.at_once)) - 1) * self.window_s

    def words(self, pairs: int) -> str:
        """:return: the sum"""
        if not self.rolling:
            return f"{pairs} pairs x {self.ms:.0f} ms = {self.last_s(pairs):.1f} s"
        return f"{pairs} pairs, of which {self.at_once} can be asked for in {self.window_s:.0f} s"


@dataclass(frozen=True, slots=True)
class CandleSum:
    """
    :param pairs: that the bot asks for
    :param request: None where candles come by themselves, or it is not known
    :param ready_s: after the newest candle's close the bot had the pairs' candles; None before it
        measured that
    :param worst_s: the longest of the last hour
    :param market: the pairs are those that the sidecar lists, see ``pair_list_file``
    """

    pairs: int
    request: RequestTime | None
    settle_s: float
    max_entry_delay_s: float
    ready_s: float | None = None
    worst_s: float | None = None
    market: bool = False

    @classmethod
    def of(
        cls,
        pairs: int,
        request: RequestTime | None,
        settings: Settings,
        ready_s: float | None = None,
        worst_s: float | None = None,
        *,
        market: bool = False,
    ) -> "CandleSum":
        """:return: the sum by the settings in force"""
        delay_s = settings.max_entry_delay_s
        return cls(pairs, request, settings.settle_s, delay_s, ready_s, worst_s, market)

    @property
    def there_s(self) -> float | None:
        """After the close, as it was measured, else as it must be; None if nothing is known."""
        if self.ready_s is not None:
            return self.ready_s
        return None if self.request is None else _BEGIN_S + self.request.last_s(self.pairs)

    @property
    def level(self) -> Level:
        """An error if no wave can be entered, a warning if all of them are entered late."""
        there_s = self.there_s
        if there_s is None:
            return "ok"
        if there_s + _ORDER_S >= self.max_entry_delay_s:
            return "error"
        return "warning" if there_s > self.settle_s + _PROMPT_S or self._crowded else "ok"

    @property
    def _crowded(self) -> bool:
        """Candles that have not come yet are asked for once more."""
        request = self.request
        return request is not None and request.rolling and 2 * self.pairs > request.at_once

    @property
    def figures(self) -> str:
        """The sum, and what was measured."""
        said = f"{self.pairs} pairs" if self.request is None else self.request.words(self.pairs)
        if self.ready_s is not None:
            said += f"; the bot had them {self.ready_s:.1f} s after their close"
            if self.worst_s is not None and self.worst_s > self.ready_s:
                said += f" (at worst {self.worst_s:.1f} s)"
        return said

    @property
    def words(self) -> str:
        """The figures, and what follows from them."""
        said = self.figures
        if self.level == "error":
            said += (
                f"; a signal is traded at most {self.max_entry_delay_s:g} s after its candle "
                "(max_entry_delay_s): no wave can be entered"
            )
        elif self._crowded:
            said += "; asked for twice they are too many, and the bot waits, exits too"
        elif self.level == "warning":
            said += f"; a minute is settled {self.settle_s:g} s after its close: entries are late"
        return said

    @property
    def remedy(self) -> str:
        """What to change; empty if all is well."""
        if self.level == "ok":
            return ""
        if self.market:
            return f"set liq_provider.market.pairs to {self._most} or less"
        ways = [f"list at most {self._most} pairs"]
        request = self.request
        if request is not None and not request.rolling and 0 < 2 * self.pairs <= request.at_once:
            ways.append(f"set {_ROLLING}")
        return ", or ".join((*ways, _SHORT_LIST))

    @property
    def _most(self) -> int:
        """So many pairs, at most, are there in time."""
        prompt_s = self.settle_s + _PROMPT_S
        late_s = self.max_entry_delay_s - _ORDER_S
        room_s = (late_s if self.level == "error" else min(prompt_s, late_s)) - _BEGIN_S
        request = self.request or RequestTime(0.0)
        if request.rolling:
            return min(request.at_once // 2, int(room_s / _COMPUTED_S))
        return max(1, int(room_s / (request.ms / 1000 + _COMPUTED_S)))

    def as_told(self) -> dict[str, Any]:
        """:return: as JSON values, for whoever shows it"""
        return {
            "pairs": self.pairs,
            "request_ms": None if self.request is None else self.request.ms,
            "ready_s": self.ready_s,
            "worst_s": self.worst_s,
            "level": self.level,
            "words": self.words,
            "remedy": self.remedy,
        }


def told_by(bot: Mapping[str, Any]) -> tuple[Level, str, str] | None:
    """
    :param bot: what it tells of itself
    :return: level, words and remedy; None of one of another version, or that knows nothing yet
    """
    told = bot.get(CANDLES)
    if not isinstance(told, Mapping) or told.get("level") not in ("ok", "warning", "error"):
        return None
    return told["level"], str(told.get("words", "")), str(told.get("remedy", ""))
