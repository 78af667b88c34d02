"""
What a model may cost: calls per minute, hour and day, tokens and money per UTC day.

A call reserves the most that it can cost before it is sent, so that calls at the same time
cannot overspend together; what it really took replaces that afterwards. Where sidecars share a
store, the store grants what all of them spend together (``store/shared_questions.py``), and this
keeps count.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from liq_provider.config.sections import LlmSettings
from liq_provider.core.durations import DAY_MS, HOUR_MS, MINUTE_MS
from liq_provider.core.rate import Rate
from liq_provider.errors import ModelFailure
from liq_provider.store.shared_questions import Totals

# Every tokenizer in use makes fewer tokens than one for every two characters of English or JSON.
_CHARACTERS_PER_TOKEN = 2


@dataclass(frozen=True, slots=True)
class Spent:
    """
    One question of the past.

    :param calls: requests that it took
    :param cost_usd: None without configured prices
    """

    at_ms: int
    calls: int
    tokens: int
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Reserved:
    """What one running call may take at most."""

    tokens: int
    cost_usd: float
    day: int


class Budget:
    """
    :param past: questions of the last day, so that a restart does not refill anything; None:
        nobody knows, and nothing may be spent until ``told``
    """

    def __init__(
        self, settings: LlmSettings, now_ms: int, past: Sequence[Spent] | None = ()
    ) -> None:
        limits = settings.budget
        self._settings = settings
        self._rates = {
            "calls_per_minute": Rate(limits.calls_per_minute, MINUTE_MS),
            "calls_per_hour": Rate(limits.calls_per_hour, HOUR_MS),
        }
        self._day = now_ms // DAY_MS
        self._calls, self._tokens, self._usd = 0, 0, 0.0
        self._held: list[Reserved] = []
        # The status is told in another thread than the one that spends.
        self._lock = Lock()
        self._known = past is not None
        self._shared: tuple[int, Totals] | None = None
        self._unwritten = Spent(0, 0, 0, 0.0)
        for call in sorted(past or (), key=lambda item: item.at_ms):
            for rate in self._rates.values():
                rate.note(call.at_ms, call.calls)
            if call.at_ms // DAY_MS == self._day:
                self._calls += call.calls
                self._tokens += call.tokens
                self._usd += call.cost_usd or 0.0

    def reserve(self, characters: int, now_ms: int) -> Reserved:
        """
        :param characters: length of the prompt
        :raises ModelFailure: over budget; the message names the limit
        """
        asked = self.most(characters, now_ms)
        with self._lock:
            self._turn(now_ms)
            if not self._known:
                raise ModelFailure("over budget", "nobody knows what was spent today")
            limit = self._reached(asked, now_ms)
            if limit is not None:
                raise self.refusal(limit)
            self._hold(asked, now_ms)
        return asked

    def most(self, characters: int, now_ms: int) -> Reserved:
        """
        :param characters: length of the prompt
        :return: the most that a request can take
        """
        prompt = math.ceil(characters / _CHARACTERS_PER_TOKEN)
        answer = self._settings.most_answer_tokens
        cost = self.cost_usd(prompt, answer) or 0.0
        return Reserved(prompt + answer, cost, now_ms // DAY_MS)

    def hold(self, asked: Reserved, now_ms: int) -> None:
        """What the store has granted already."""
        with self._lock:
            self._turn(now_ms)
            self._hold(asked, now_ms)

    def told(self, totals: Totals, now_ms: int) -> None:
        """What all sidecars of the store spent, this one's part included."""
        with self._lock:
            self._turn(now_ms)
            self._known, self._shared = True, (now_ms, totals)
            unwritten = self._unwritten
            self._calls = totals.calls + unwritten.calls
            self._tokens = totals.tokens + unwritten.tokens
            self._usd = totals.usd + (unwritten.cost_usd or 0.0)

    def unwritten(self, calls: int, tokens: int, usd: float | None, now_ms: int) -> None:
        """What was spent while the store could not be told."""
        with self._lock:
            self._turn(now_ms)
            old = self._unwritten
            cost = (old.cost_usd or 0.0) + (usd or 0.0)
            self._unwritten = Spent(now_ms, old.calls + calls, old.tokens + tokens, cost)

    def settle(self, reserved: Reserved, tokens: tuple[int, int] | None) -> float | None:
        """
        :param tokens: of prompt and answer; None if the server did not say, which counts as
            all that was reserved
        :return: what the call cost, USD; None without configured prices
        """
        total = reserved.tokens if tokens is None else sum(tokens)
        cost = self.cost_usd(*tokens) if tokens is not None else self.priced(reserved)
        with self._lock:
            self._held = [held for held in self._held if held is not reserved]
            if reserved.day == self._day:
                self._tokens += total
                self._usd += cost or 0.0
        return cost

    def this_minute(self, now_ms: int) -> int:
        """:return: calls of the last 60 s"""
        with self._lock:
            return self._used("calls_per_minute", now_ms)

    def cost_usd(self, prompt_tokens: int, answer_tokens: int) -> float | None:
        """:return: at the configured prices; None without them"""
        price_in, price_out = self._settings.price_in_usd, self._settings.price_out_usd
        if price_in is None or price_out is None:
            return None
        return (prompt_tokens * price_in + answer_tokens * price_out) / 1e6

    def report(self, now_ms: int) -> dict[str, Any]:
        """:return: what is spent and what may be, by limit"""
        with self._lock:
            return self._report(now_ms)

    def _report(self, now_ms: int) -> dict[str, Any]:
        self._turn(now_ms)
        limits = self._settings.budget
        spent: dict[str, tuple[float, float]] = {
            name: (self._used(name, now_ms), rate.limit) for name, rate in self._rates.items()
        }
        spent["calls_per_day"] = (self._calls, limits.calls_per_day)
        spent["tokens_per_day"] = (self._tokens, limits.tokens_per_day)
        if self._settings.price_in_usd is not None:
            spent["usd_per_day"] = (round(self._usd, 6), limits.usd_per_day)
        full = [name for name, (used, limit) in spent.items() if used >= limit]
        return {
            "spent": {
                name: {"used": used, "limit": limit} for name, (used, limit) in spent.items()
            },
            "reached": full,
        }

    def _reached(self, asked: Reserved, now_ms: int) -> str | None:
        held = [reserved for reserved in self._held if reserved.day == self._day]
        totals = Totals(
            minute=self._used("calls_per_minute", now_ms),
            hour=self._used("calls_per_hour", now_ms),
            calls=self._calls,
            tokens=self._tokens + sum(reserved.tokens for reserved in held),
            usd=self._usd + sum(reserved.cost_usd for reserved in held),
        )
        return totals.reached(self._settings.budget, asked.tokens, asked.cost_usd)

    def _hold(self, asked: Reserved, now_ms: int) -> None:
        for rate in self._rates.values():
            rate.note(now_ms, 1)
        self._calls += 1
        self._held.append(asked)

    def _used(self, name: str, now_ms: int) -> int:
        """Of a rate: what this sidecar knows of itself, or what the store knew not long ago."""
        own = self._rates[name].used(now_ms)
        if self._shared is None:
            return own
        at_ms, totals = self._shared
        span_ms, count = {
            "calls_per_minute": (MINUTE_MS, totals.minute),
            "calls_per_hour": (HOUR_MS, totals.hour),
        }[name]
        return max(own, count) if now_ms - at_ms < span_ms else own

    def refusal(self, limit: str) -> ModelFailure:
        """:return: a limit that is reached, in words"""
        value = getattr(self._settings.budget, limit)
        return ModelFailure("over budget", f"llm.budget.{limit} ({value:g}) is reached")

    def priced(self, reserved: Reserved) -> float | None:
        """:return: the most that it can cost, USD; None without configured prices"""
        return None if self._settings.price_in_usd is None else reserved.cost_usd

    def _turn(self, now_ms: int) -> None:
        if now_ms // DAY_MS > self._day:
            self._day = now_ms // DAY_MS
            self._calls, self._tokens, self._usd = 0, 0, 0.0
            self._unwritten = Spent(now_ms, 0, 0, 0.0)
