"""
A live bot up to the orders that it would confirm: in front of a world of stories, one turn of
Freqtrade's after the other, or on the time line of all combinations.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from liq_provider.bot import last_look
from liq_provider.bot.engine import Engine
from liq_provider.bot.live import LiveLoop
from liq_provider.bot.parameters import NAMES
from liq_provider.bot.rules_of_bots import rules_from
from liq_provider.bot.snapshot import Snapshot
from liq_provider.bot.source import LiveSource
from liq_provider.bot.store_reading import StoreReading
from liq_provider.bot.story_from_bot import story_of
from liq_provider.bot.trading import Trading
from liq_provider.bot.wave_notices import WaveNotices
from liq_provider.config.sections import MessageSettings
from liq_provider.core.durations import MINUTE_MS
from liq_provider.judge.gate_list import DecisionStory
from liq_provider.judge.rules_in_force import RulesInForce
from liq_provider.store.reader import Reader
from liq_provider.study.judges import _judged
from liq_provider.study.pair_past import PairPast
from tests.bot.helpers import ReadNow, settings
from tests.bot.markdown import shown
from tests.bot.test_last_look import FakeBook
from tests.bot.test_live import WatchNow
from tests.judge.combinations import APART_MS, PAIR, TimeLine
from tests.storyworld import CLOSE, NOW, StoryWorld


class Orders:
    """What ``confirm_trade_entry`` says, with no Freqtrade in front of it."""

    def __init__(self, engine: Engine, book: FakeBook) -> None:
        self.engine, self.book = engine, book
        self.frames: dict[str, pd.DataFrame] = {}
        self.trading = Trading.__new__(Trading)
        self.trading.settings, self.trading.engine = engine.settings, engine
        self.trading.live = LiveLoop(engine, None, -0.99)  # type: ignore[arg-type]
        self.trading.book = book  # type: ignore[assignment]
        dp = SimpleNamespace(get_analyzed_dataframe=lambda pair, _: (self.frames[pair], None))
        self.trading._strategy = SimpleNamespace(dp=dp, timeframe="1m")

    def denied(
        self,
        pair: str,
        close_ms: int = CLOSE,
        now_ms: int = NOW,
        *,
        other_side: bool = False,
    ) -> str | None:
        """What is logged of an order that follows from a candle; None if it is confirmed."""
        decided = self.engine.decision(pair, close_ms)
        longs = decided is not None and bool(decided[0].sign[decided[1]] > 0)
        side = "long" if longs != other_side else "short"
        now = pd.Timestamp(now_ms, unit="ms", tz="UTC").to_pydatetime()
        said: list[str] = []
        heard = logging.Handler()
        heard.emit = lambda logged: said.append(logged.getMessage())  # type: ignore[method-assign]
        logger = logging.getLogger("liq_provider.bot.trading")
        # Not to pytest, which would show thousands of lines beside the one that is wrong.
        logger.addHandler(heard)
        before, logger.propagate = logger.level, False
        logger.setLevel(logging.INFO)
        try:
            confirmed = self.trading.confirm(pair, now, side, "liq_signal")
        finally:
            logger.removeHandler(heard)
            logger.setLevel(before)
            logger.propagate = True
        denied = [text.partition("entry denied, ")[2] for text in said]
        assert confirmed == (not denied), said
        return denied[0] if denied else None


@dataclass
class Changed(ReadNow):
    """What is read of the store, with what has happened since."""

    reading: StoreReading
    since: dict[str, Any] = field(default_factory=dict)
    snapshot: Snapshot = field(default_factory=Snapshot)

    def take(self) -> Snapshot:
        return replace(super().take(), **self.since)


class LiveBot(Orders):
    """
    :param hyperopted: values that the strategy has of its own
    :param book: what Freqtrade's records would say
    """

    def __init__(
        self, world: StoryWorld, hyperopted: dict[str, Any], book: FakeBook | None = None
    ) -> None:
        self.world, self.own, self.hyperopted = world, world.settings, hyperopted
        self.published = Changed(StoreReading(lambda: Reader(world.store.url), self.own))
        source = LiveSource(self.published, self.own)
        super().__init__(Engine(self.own, MINUTE_MS, source, "live"), book or FakeBook(slots=-1))
        self.live = LiveLoop(self.engine, WatchNow(world.store, None), -0.99, {"name": "A"})

    def decide(self, pairs: Sequence[str] | None = None, now_ms: int = NOW) -> None:
        """Read, decide and rank; ``pairs`` is the whitelist, by default all that there are."""
        pairs = self.world.pairs if pairs is None else pairs
        self.begin(pairs, now_ms)
        newest = dict.fromkeys(pairs, CLOSE)
        # A pair that has just left the whitelist was decided before.
        self._populate(self.world.pairs)
        blocked = last_look.blocked(self.engine, self.book, list(pairs), CLOSE, CLOSE)  # type: ignore[arg-type]
        changed = self.engine.choose(CLOSE, pairs, self.book.free_slots(), blocked)
        self._populate(changed)
        self.engine.analyzed(changed, newest)

    def begin(self, pairs: Sequence[str], now_ms: int = NOW) -> None:
        """Of a loop, in which it tells of itself, too."""
        known = {name: getattr(self.own, name) for name in NAMES if name != "windows"}
        self.live.begin(now_ms, pairs, {**known, "windows": "configured", **self.hyperopted})

    def tell(self, now_ms: int = NOW) -> dict[str, str]:
        """:return: what is said of the waves, by pair"""
        messages = self.live.waves(self.book, self.world.pairs, CLOSE, now_ms)  # type: ignore[arg-type]
        texts = (shown(message.text).partition(": ") for message in messages)
        return {pair: text for pair, _, text in texts}

    def story(self, pair: str) -> DecisionStory:
        """The list of the wave's gates: what everybody is compared with."""
        return story_of(self.engine, pair, CLOSE)

    def signal(self, pair: str) -> bool:
        """Whether the newest candle has an entry in Freqtrade's columns."""
        return bool(self.frames[pair][["enter_long", "enter_short"]].iloc[-1].any())

    def _populate(self, pairs: Sequence[str]) -> None:
        rules = rules_from(self.hyperopted, self.own)
        for pair in pairs:
            frame = self.engine.indicators(self.world.frame(pair.partition("/")[0]), pair)
            self.frames[pair] = self.engine.exits(self.engine.entries(frame, pair, rules), pair)


@dataclass
class Published:
    """A snapshot that stays."""

    snapshot: Snapshot
    unanswered_s: float = 0.0

    def take(self) -> Snapshot:
        return self.snapshot

    def end(self) -> None:
        """Nobody reads."""


class LineBot(Orders):
    """
    A live bot that has decided on every combination, and stands at each of them in turn.

    :param hyperopted: values that the strategy has of its own
    """

    def __init__(self, line: TimeLine, hyperopted: dict[str, Any]) -> None:
        self.line, own = line, settings()
        last_ms = int(line.rows.close_ms[-1]) + APART_MS
        snapshot = Snapshot(
            computed_ms=last_ms,
            sidecar={"skew_ms": 0, "feeds": {}},
            rows={"BTC": line.rows},
            verdicts={"BTC": line.verdicts},
        )
        source = LiveSource(Published(snapshot), own)
        super().__init__(Engine(own, MINUTE_MS, source, "live"), FakeBook(slots=-1))
        self.notices = WaveNotices(MessageSettings())
        self.engine.whitelist = frozenset([PAIR])
        self.engine.refresh(last_ms)
        # A signal of the newest candle would have to be ranked; nothing happens in that one.
        opened = np.append(line.rows.close_ms, last_ms) - MINUTE_MS
        frame = pd.DataFrame({"date": pd.to_datetime(opened, unit="ms", utc=True), "close": 100.0})
        frame = frame.assign(open=100.0, high=100.0, low=100.0)
        frame = self.engine.indicators(frame, PAIR).assign(
            liq_trend_change=np.append(line.trend.change, np.nan),
            liq_trend_noise=np.append(line.trend.noise, np.nan),
        )
        frame = self.engine.entries(frame, PAIR, rules_from(hyperopted, own))
        self.frames[PAIR] = self.engine.exits(frame, PAIR)
        self.signals = frame[["enter_long", "enter_short"]].any(axis=1).tolist()
        # What strategies of others are given, see ``Liquidations``.
        self.candidates = frame["liq_candidate"].astype(bool).tolist()
        self.tags = frame["enter_tag"].astype(str).tolist()

    def message(self, close_ms: int) -> str | None:
        """:return: what is said of a candle's wave, None if it is none or was not judged"""

        def story(_: str) -> DecisionStory:
            book: Any = self.book
            return last_look.announced(self.engine, book, PAIR, close_ms, close_ms + 3_000)

        said = self.notices.waves(self.engine, [PAIR], close_ms, story)
        # Behind the pair and the wave.
        return shown(said[0].text).split(": ", 2)[2] if said else None

    def studied(self, rules: RulesInForce) -> dict[int, dict[str, Any]]:
        """:return: what a study says of the candles that it can compare, by their closes"""
        decisions = self.engine.pairs[PAIR].decisions
        assert decisions is not None
        opened = decisions.close_ms - MINUTE_MS
        prices = np.full(len(opened), 100.0)
        rows = self.line.rows
        past = PairPast(PAIR, MINUTE_MS, opened, prices, prices, rows, [""] * len(rows))
        answers = _judged(past, decisions, self.line.verdicts, rules, 1)
        return {int(answer["close_ms"]): answer for answer in answers.to_dict("records")}
