"""What the bot says of waves: of each judged state of one once, and what becomes of it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from liq_provider.bot.engine import Engine
from liq_provider.bot.messages import Message, code, plain_or_code, with_tail
from liq_provider.bot.ranking import Wave, wave_of
from liq_provider.bot.story_from_bot import story_of
from liq_provider.bot.wave_words import wave_words
from liq_provider.config.sections import MessageSettings
from liq_provider.judge.gate_list import OF_WAVE, DecisionStory
from liq_provider.measure.waves import Strength

# Telegram takes about one message a second, and refuses Freqtrade's own after too many of ours.
_AT_ONCE = 5


@dataclass(frozen=True, slots=True)
class _Told:
    wave: Wave
    entering: bool
    z: float
    text: str


class WaveNotices:
    """Nothing is said twice: what was said of a wave is in its record, see ``dealings``."""

    def __init__(self, settings: MessageSettings) -> None:
        self._settings = settings

    def waves(
        self,
        engine: Engine,
        pairs: Iterable[str],
        close_ms: int,
        story: Callable[[str], DecisionStory] | None = None,
    ) -> list[Message]:
        """
        :param story: of a pair at this candle, as it is to be announced; by default without what
            the bot knows beside the decision
        :return: one message for each new judged state of a wave; of many at once, those beyond
            the surest are counted in a last one
        """
        tell = story or (lambda pair: story_of(engine, pair, close_ms).as_judged)
        states = (self._new(engine, pair, close_ms, tell) for pair in pairs)
        new = [told for told in states if told is not None]
        new.sort(key=lambda told: (not told.entering, -told.z))
        wanted = [told for told in new if self._wanted(told)]
        sent, rest = wanted[:_AT_ONCE], wanted[_AT_ONCE:]
        for told in sent:
            engine.dealings.of(told.wave, close_ms).told = True
        messages = [Message(told.text, send=told in sent) for told in new]
        return [*messages, _summary(rest)] if rest else messages

    def _new(
        self,
        engine: Engine,
        pair: str,
        close_ms: int,
        tell: Callable[[str], DecisionStory],
    ) -> _Told | None:
        decided = engine.decision(pair, close_ms)
        if decided is None:
            return None
        decisions, row = decided
        verdict = engine.verdict(pair, close_ms)
        if decisions.strength[row] == Strength.NONE or verdict is None:
            return None
        wave = wave_of(pair, decisions, row)
        level, candidate = int(decisions.level[row]), bool(decisions.candidate[row])
        state = (level, candidate, verdict["action"], verdict["judge"], verdict["news"])
        # Told from the same gates as the order is decided by, so that no entry is announced that
        # is then refused.
        story = tell(pair)
        if not engine.dealings.say(wave, close_ms, (*state, story.enters)):
            return None
        head = f"{code(pair, 40)}: {wave_words(decisions, row)}: "
        return _Told(wave, story.enters, float(decisions.z[row]), _said(head, story, verdict))

    def _wanted(self, told: _Told) -> bool:
        return self._settings.waves == "all" or (self._settings.waves == "enter" and told.entering)


def _said(head: str, story: DecisionStory, verdict: Mapping[str, Any]) -> str:
    """What this bot does and why, with what the judge said of the wave."""
    failed, reason = story.failed, str(verdict["action_reason"])
    if failed is None:
        return with_tail(f"{head}{story.words}, ", reason)
    if failed.name not in OF_WAVE:
        # What a feed or a store said of itself may be in it.
        return with_tail(f"{head}{story.verb}: ", failed.words)
    words = f"{head}{story.verb}: {plain_or_code(failed.words)}"
    # Whatever the judge thinks of it, this was not for it to say.
    return words if failed.name == "beginning" else with_tail(f"{words}, ", reason)


def _summary(rest: list[_Told]) -> Message:
    entering = sum(told.entering for told in rest)
    names = ", ".join(told.wave[0].partition("/")[0] for told in rest)
    return Message(
        with_tail(f"LiqTrend: {len(rest)} more waves at once, {entering} of them to enter: ", names)
    )
