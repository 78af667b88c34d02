"""
Waves that this bot would have entered, had there been candles of them in time.

What is decided is told from the decision. Where there is none, because a pair's candles did not
come, nobody would hear of the wave. So once it is too late for a candle, the verdicts about it are
gone through, and what nothing was decided about is told.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from liq_provider.bot.engine import Engine
from liq_provider.bot.messages import Message, code, with_tail
from liq_provider.bot.rules_of_bots import Refusal
from liq_provider.bot.source import LiveSource
from liq_provider.bot.wave_words import wave_words
from liq_provider.core.coins import base_asset_of_pair
from liq_provider.judge.bot_gates import words_of_gate
from liq_provider.judge.decisions import CandleTrend, Decisions, Rules, decide
from liq_provider.judge.matrix import Action

# After a loop that took minutes, those of so many candles are told.
_CANDLES = 3


# Telegram takes about one message a second.
_AT_ONCE = 5

# The gate that a coin fails for which the bot asked for no candles.
_LEFT_OUT = "whitelist"


@dataclass(frozen=True, slots=True)
class MissedWave:
    """
    :param gate: that failed, see ``bot_gates``
    :param why: in words
    :param decisions: what it would have come to, of this candle alone
    """

    pair: str
    close_ms: int
    gate: str
    why: str
    decisions: Decisions

    @property
    def coin(self) -> str:
        """As the pair spells it."""
        return self.pair.partition("/")[0]

    @property
    def refusal(self) -> Refusal:
        """For whoever else tells of it."""
        why = f"not in the bot's list: {self.why}" if self.gate == _LEFT_OUT else self.why
        return self.gate, why

    @property
    def text(self) -> str:
        """As of any other wave that is not entered."""
        head = f"{code(self.pair, 40)}: {wave_words(self.decisions, 0)}: not entered: "
        return with_tail(head, self.why)


class MissedWaves:
    """
    Each is found once, when an order of it would come too late.

    :param market: the bot trades whatever is listed, so a coin that is not in its whitelist was
        left out of that
    """

    def __init__(self, market: bool = False) -> None:
        self._market = market
        self._done_ms = 0

    def missed(
        self,
        engine: Engine,
        pairs: Sequence[str],
        held: Callable[[], Collection[str]],
        rules: Rules,
        now_ms: int,
    ) -> list[MissedWave]:
        """
        :param pairs: the whitelist
        :param held: gives the pairs with a position; asked once a candle
        :param rules: of the bot
        :return: of the candles that became too old since the last call, the surest first; none of
            those before the first call
        """
        step = engine.timeframe_ms
        due_ms = now_ms - engine.settings.max_entry_delay_ms - 1
        due_ms -= due_ms % step
        begin_ms = max(self._done_ms, due_ms - _CANDLES * step)
        first, self._done_ms = not self._done_ms, max(due_ms, self._done_ms)
        if first or begin_ms >= due_ms:
            return []
        by_coin: dict[str, list[str]] = {}
        positions = held()
        for pair in dict.fromkeys((*pairs, *positions)):
            by_coin.setdefault(base_asset_of_pair(pair), []).append(pair)
        waves = [
            wave
            for close_ms in range(begin_ms + step, due_ms + step, step)
            for wave in self._of_candle(engine, by_coin, rules, close_ms)
            if wave.pair not in positions
        ]
        return sorted(waves, key=lambda wave: -float(wave.decisions.z[0]))

    def _of_candle(
        self, engine: Engine, pairs: Mapping[str, Sequence[str]], rules: Rules, close_ms: int
    ) -> Iterator[MissedWave]:
        assert isinstance(engine.source, LiveSource)
        for base, verdicts in engine.source.snapshot.verdicts.items():
            entered = _entered_by(verdicts, close_ms, engine.timeframe_ms)
            if entered is None:
                continue
            silent = list(self._silent(engine, base, pairs.get(base, ()), entered, close_ms))
            decisions = _decided(engine, base, verdicts, rules, close_ms) if silent else None
            if decisions is not None:
                for pair, gate, why in silent:
                    yield MissedWave(pair, close_ms, gate, why, decisions)

    def _silent(
        self,
        engine: Engine,
        base: str,
        pairs: Sequence[str],
        verdict: Mapping[str, Any],
        close_ms: int,
    ) -> Iterator[tuple[str, str, str]]:
        """:return: pairs that nothing was decided about, the gate that failed, and why"""
        for pair in pairs:
            if not _told(engine, pair, close_ms):
                yield pair, "decision", _why(engine, pair, close_ms)
        pair = str(verdict["symbol"])
        if self._market and not pairs and not _judged(engine, pair, close_ms):
            why = _why_left_out(engine, base, pair)
            if why is not None:
                yield pair, _LEFT_OUT, why


def messages_of(waves: Sequence[MissedWave], send: bool) -> list[Message]:
    """
    :return: one for each; of many at once, those beyond the surest are counted in a last one, and
        so are those of coins that are not in the bot's list
    """
    left_out = [wave for wave in waves if wave.gate == _LEFT_OUT]
    silent = [wave for wave in waves if wave.gate != _LEFT_OUT]
    messages = [
        Message(wave.text, warning=True, send=send and number < _AT_ONCE)
        for number, wave in enumerate(silent)
    ]
    rest = silent[_AT_ONCE:]
    if rest:
        head = f"LiqTrend: {_counted(rest, 'more ')} not entered for want of candles: "
        messages.append(_one_of(head, [wave.coin for wave in rest], send))
    if left_out:
        head = f"LiqTrend: {_counted(left_out)} of coins that are not in the bot's list: "
        messages.append(_one_of(head, [f"{one.coin} ({one.why})" for one in left_out], send))
    return messages


def _counted(waves: Sequence[MissedWave], more: str = "") -> str:
    return f"{len(waves)} {more}wave{'' if len(waves) == 1 else 's'}"


def _one_of(head: str, names: Sequence[str], send: bool) -> Message:
    words = ", ".join(names)
    return Message(with_tail(head, words), warning=True, send=send, logged=head + words)


def _told(engine: Engine, pair: str, close_ms: int) -> bool:
    """Whether its candle was decided on when it was the newest."""
    return engine.arrivals.had(pair, close_ms) and engine.decision(pair, close_ms) is not None


def _judged(engine: Engine, pair: str, close_ms: int) -> bool:
    """
    Whether it was decided on with its verdict. A pair may have left the list before that came, at
    the latest when the minute was settled.
    """
    decided = engine.decision(pair, close_ms)
    return decided is not None and bool(decided[0].judged[decided[1]])


def _why(engine: Engine, pair: str, close_ms: int) -> str:
    if engine.arrivals.had(pair, close_ms):
        return words_of_gate("decision")
    delay_s = engine.settings.max_entry_delay_s
    known = None if engine.candles is None else engine.candles.sum
    asked = ""
    if known is not None and known.request is not None and known.level != "ok":
        asked = f": {known.request.words(known.pairs)}"
    return f"its candles had not come {delay_s:g} s after the close{asked} (max_entry_delay_s)"


def _why_left_out(engine: Engine, base: str, pair: str) -> str | None:
    """By what the sidecar tells of its list; None of a coin that the bot's exchange has not."""
    assert isinstance(engine.source, LiveSource)
    told = engine.source.snapshot.sidecar.get("pair_list") or {}
    left_out = told.get("left_out") or {}
    if base in left_out:
        return None
    if pair in left_out:
        return str(left_out[pair])
    if pair in (told.get("pairs") or ()):
        return "the bot's filters or blacklist"
    return "not in the list in time"


def _entered_by(
    verdicts: Sequence[Mapping[str, Any]], close_ms: int, timeframe_ms: int
) -> Mapping[str, Any] | None:
    """:return: a verdict of this candle that would enter; an earlier candle's was told with that"""
    entered = [
        verdict
        for verdict in verdicts
        if close_ms - timeframe_ms < verdict["close_ms"] <= close_ms
        and verdict["action"] == Action.ENTER.value
    ]
    return entered[-1] if entered else None


def _decided(
    engine: Engine,
    base: str,
    verdicts: Sequence[Mapping[str, Any]],
    rules: Rules,
    close_ms: int,
) -> Decisions | None:
    """What it would have come to with candles; those of the judge said that price follows."""
    assert isinstance(engine.source, LiveSource)
    rows = engine.source.rows(base)
    if rows is None:
        return None
    closes = np.array([close_ms], dtype=np.int64)
    for change in (1.0, -1.0):
        follows = CandleTrend(np.array([change]), np.array([0.0]))
        decisions = decide(closes, rows, follows, verdicts, rules, engine.mode)
        if decisions.candidate[0]:
            return decisions
    return None
