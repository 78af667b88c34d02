"""What the bot says, once each: waves with their verdict, data that goes stale or comes back."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from liq_provider.bot.engine import Engine
from liq_provider.judge.matrix import Confidence
from liq_provider.wave import Strength, direction_word


class Notices:
    """Remembers what was said, so that nothing is said twice."""

    def __init__(self) -> None:
        self._problem: str | None = None
        self._was_fine = False
        self._said: set[tuple[str, int, int, int]] = set()

    def data(self, problem: str | None) -> str | None:
        """
        :param problem: why there can be no entries, None if all is well
        :return: a message if that changed
        """
        kind = None if problem is None else "".join(c for c in problem if not c.isdigit())
        before, self._problem = self._problem, kind
        if kind == before and (self._was_fine or kind is not None):
            return None
        if problem is not None:
            return f"LiqTrend: no entries, {problem}. Stops and exits go on."
        first, self._was_fine = not self._was_fine, True
        return "LiqTrend: liquidation data is " + ("live." if first else "live again.")

    def waves(self, engine: Engine, pairs: Iterable[str], close_ms: int) -> Iterator[str]:
        """:return: one message for each new judged state of a wave"""
        for pair in pairs:
            found = engine.decision(pair, close_ms)
            if found is None:
                continue
            decisions, row = found
            verdict = engine.verdict(pair, close_ms)
            if decisions.strength[row] == Strength.NONE or verdict is None:
                continue
            sign, level = int(decisions.sign[row]), int(decisions.level[row])
            key = (pair, sign, int(decisions.wave_ms[row]), level)
            if key in self._said:
                continue
            self._said.add(key)
            strength = Strength(int(decisions.strength[row])).word
            usd = decisions.long_usd[row] + decisions.short_usd[row]
            yield (
                f"{pair}: {strength} wave {direction_word(sign)}, z {decisions.z[row]:.1f}, "
                f"purity {decisions.purity[row]:.0%}, ${usd:,.0f}: "
                f"{_decision(level, bool(decisions.candidate[row]), verdict)}"
            )
        if len(self._said) > 10_000:
            self._said.clear()


def _decision(level: int, candidate: bool, verdict: Mapping[str, Any]) -> str:
    """What this bot does, which need not be what the sidecar's own settings would do."""
    reason = verdict["action_reason"]
    if candidate:
        return f"enter ({Confidence(level).word}), {reason}"
    if level:
        return f"skip, {Confidence(level).word} is below min_confidence; {reason}"
    if verdict["action"] == "enter":
        return "skip, this bot's own thresholds or candles do not agree"
    return f"{verdict['action']}, {reason}"
