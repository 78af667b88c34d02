"""What the bot says, once each: waves with their verdict, and a budget that is spent."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from liq_provider.bot.engine import Engine
from liq_provider.bot.messages import Message, code, plain_or_code, with_tail
from liq_provider.bot.ranking import Wave, wave_of
from liq_provider.bot.story_from_bot import story_of
from liq_provider.bot.wave_words import wave_words
from liq_provider.config.sections import MessageSettings
from liq_provider.core.durations import DAY_MS
from liq_provider.judge.decision_story import OF_WAVE, DecisionStory
from liq_provider.measure.waves import Strength

# Telegram takes about one message a second, and refuses Freqtrade's own after too many of ours.
_AT_ONCE = 5

# How long a limit of the model's budget keeps it silent.
_UNTIL = {
    "calls_per_minute": "for up to a minute",
    "calls_per_hour": "for up to an hour",
}
_TODAY = "until midnight UTC"

# A limit that refuses a question may be short of being reached by as much as that would take.
_NEARLY = 0.9


@dataclass(frozen=True, slots=True)
class _Told:
    wave: Wave
    entering: bool
    z: float
    text: str


class Notices:
    """Nothing is said twice: what was said of a wave is in its record, see ``dealings``."""

    def __init__(self, settings: MessageSettings) -> None:
        self.settings = settings
        self._spent: set[tuple[str, int]] = set()

    def budget(self, sidecar: Mapping[str, Any], now_ms: int) -> Message | None:
        """
        :param sidecar: the running sidecar's status
        :return: a message if the model's budget is spent, once a day for each limit
        """
        judge = sidecar.get("judge") or {}
        model = judge.get("model") or {}
        limit = _spent_limit(model)
        if limit is None or (limit, now_ms // DAY_MS) in self._spent:
            return None
        self._spent.add((limit, now_ms // DAY_MS))
        known = model["budget"]["spent"][limit]
        instead = (sidecar.get("settings") or {}).get("on_llm_unavailable")
        then = "judged by the matrix" if instead == "matrix" else "skipped"
        return Message(
            f"LiqTrend: the model's budget is spent, {code(f'llm.budget.{limit}', 40)} "
            f"{known['used']:,.10g} of {known['limit']:,.10g}. Waves are {then} "
            f"{_UNTIL.get(limit, _TODAY)}.",
            warning=True,
            send=self.settings.budget,
        )

    def news_budget(self, sidecar: Mapping[str, Any], now_ms: int) -> Message | None:
        """
        :param sidecar: the running sidecar's status
        :return: a message if the day's requests for news are spent, once a day
        """
        news = (sidecar.get("judge") or {}).get("news") or {}
        budget = news.get("budget") or {}
        told = ("news", now_ms // DAY_MS)
        if not budget.get("reached") or told in self._spent:
            return None
        self._spent.add(told)
        known = budget["calls_per_day"]
        return Message(
            f"LiqTrend: the news is over its budget, {code('news.budget.calls_per_day', 40)} "
            f"{known['used']:,} of {known['limit']:,} (${budget['usd']:,.2f}). "
            f"News counts as not asked {_TODAY}.",
            warning=True,
            send=self.settings.budget,
        )

    def losses(self, sidecar: Mapping[str, Any], now_ms: int) -> Message | None:
        """
        :param sidecar: the running sidecar's status
        :return: a message if liquidations were lost, once a day for each run of the sidecar
        """
        lost = int(sidecar.get("lost") or 0)
        told = (f"lost since {sidecar.get('started_ms')}", now_ms // DAY_MS)
        if not lost or told in self._spent:
            return None
        self._spent.add(told)
        return Message(
            f"LiqTrend: {lost:,} liquidations were lost: neither store nor disk nor memory took "
            "them. Their minutes are unknown. Free space or see the sidecar's log.",
            warning=True,
            send=self.settings.data,
        )

    def replaced(self, sidecar: Mapping[str, Any]) -> Message | None:
        """
        :param sidecar: the running sidecar's status
        :return: a message if its store became another one, once each time
        """
        times = int(sidecar.get("store_replaced") or 0)
        told = (f"replaced since {sidecar.get('started_ms')}", times)
        if not times or told in self._spent:
            return None
        self._spent.add(told)
        return Message(
            "LiqTrend: the store was removed or replaced, and the sidecar serves the one that is "
            "there now. Entries wait for what that knows.",
            warning=True,
            send=self.settings.data,
        )

    # -- waves ----------------------------------------------------------------------------

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
        return self.settings.waves == "all" or (self.settings.waves == "enter" and told.entering)


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


def _spent_limit(model: Mapping[str, Any]) -> str | None:
    """
    The limit that keeps the model from being asked. A day's limit may refuse a question that no
    longer fits before it is reached, so with a refusal the fullest one is meant.
    """
    spent = (model.get("budget") or {}).get("spent", {})
    shares = {name: known["used"] / known["limit"] for name, known in spent.items()}
    days = [name for name, share in shares.items() if name.endswith("_per_day") and share >= 1]
    # The refusal is remembered until the next answer, so it may be that of yesterday.
    refused = model.get("unavailable") == "over budget"
    near = [name for name, share in shares.items() if refused and share >= _NEARLY]
    return max(days or near, key=lambda name: shares[name], default=None)
