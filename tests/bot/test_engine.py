"""What is populated when, who is chosen, and what a failure does."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from liq_provider.bot.engine import Engine
from liq_provider.bot.source import HistorySource
from liq_provider.core.durations import MINUTE_MS
from liq_provider.store.reader import Reader
from tests.bot.helpers import Store, at, live_source, rules, settings, stored, verdict

NOW = at(40) + 3_000
CLOSE = at(40)


def candles(close_ms: int = CLOSE, size: int = 40, drift: float = -0.002) -> pd.DataFrame:
    """Candles that fall evenly, the last one closing at ``close_ms``."""
    opened = close_ms - MINUTE_MS * np.arange(size, 0, -1, dtype=np.int64)
    noise = np.where(np.arange(size) % 2, 1.0002, 0.9998)
    close = np.round(100 * (1 + drift) ** np.arange(size) * noise, 4)
    return pd.DataFrame(
        {
            "date": pd.to_datetime(opened, unit="ms", utc=True),
            "open": close,
            "high": close * 1.001,
            "low": close * 0.999,
            "close": close,
            "volume": 1.0,
        }
    )


class Bot:
    """The engine's part of Freqtrade's loop."""

    def __init__(self, store: Store, **section: Any) -> None:
        self.settings = settings(**section)
        source = live_source(store.url, self.settings)
        self.engine = Engine(self.settings, MINUTE_MS, source, "live")
        self.frames: dict[str, pd.DataFrame] = {}
        self.failing: set[str] = set()

    def populate(self, pair: str) -> None:
        if pair in self.failing:
            return
        frame = self.engine.indicators(candles(), pair)
        frame = self.engine.entries(frame, pair, rules())
        self.frames[pair] = self.engine.exits(frame, pair)

    def loop(
        self,
        pairs: list[str],
        slots: float = 5,
        blocked: set[str] = frozenset(),  # type: ignore[assignment]
    ) -> list[str]:
        """:return: pairs that were populated at first"""
        self.engine.refresh(NOW)
        newest = dict.fromkeys(pairs, CLOSE)
        due = self.engine.to_analyze(newest)
        for pair in due:
            self.populate(pair)
        self.engine.analyzed(due, newest)
        changed = self.engine.choose(CLOSE, pairs, slots, blocked)
        for pair in changed:
            self.populate(pair)
        self.engine.analyzed(changed, newest)
        return due

    def signals(self) -> set[str]:
        return {pair for pair, frame in self.frames.items() if frame["enter_short"].iat[-1]}


def pair(base: str) -> str:
    return f"{base}/USDT:USDT"


BTC, ETH, SOL = pair("BTC"), pair("ETH"), pair("SOL")


def wave(store: Store, **z: float) -> None:
    """A strong wave against longs in each coin, judged."""
    store.settle(CLOSE, [stored(base, CLOSE, value, 0.98) for base, value in z.items()])
    for base in z:
        store.judge(verdict(40, base=base))


def test_an_idle_loop_populates_nothing(store: Store) -> None:
    store.settle(CLOSE)
    bot = Bot(store)
    assert bot.loop([BTC, ETH]) == [BTC, ETH]
    assert bot.loop([BTC, ETH]) == []


def test_a_verdict_in_mid_candle_populates_its_pair_and_lets_it_in(store: Store) -> None:
    store.settle(CLOSE, [stored("BTC", CLOSE, 9, 0.98)])
    bot = Bot(store)
    bot.loop([BTC, ETH])
    assert bot.signals() == set()
    store.judge(verdict(40))
    assert bot.loop([BTC, ETH]) == [BTC]
    assert bot.signals() == {BTC}


def test_a_minute_that_settles_after_the_first_loop_is_not_lost(store: Store) -> None:
    store.settle(at(39))
    bot = Bot(store)
    bot.loop([BTC, ETH])
    wave(store, BTC=9)
    assert bot.loop([BTC, ETH]) == [BTC]
    assert bot.signals() == {BTC}


def test_the_surest_gets_the_only_slot_and_nobody_else_a_signal(store: Store) -> None:
    wave(store, BTC=6, ETH=9, SOL=7)
    bot = Bot(store)
    bot.loop([BTC, ETH, SOL], slots=1)
    assert bot.signals() == {ETH}
    assert list(bot.frames[ETH]["enter_tag"])[-1] == "liq_short_strong_medium"


@pytest.mark.parametrize("slots", [-1, math.inf])
def test_unlimited_slots_let_all_in(store: Store, slots: float) -> None:
    wave(store, BTC=6, ETH=9, SOL=7)
    bot = Bot(store)
    bot.loop([BTC, ETH, SOL], slots=slots)
    assert bot.signals() == {BTC, ETH, SOL}


def test_who_failed_in_this_candle_gives_its_slot_to_the_next(store: Store) -> None:
    wave(store, BTC=6, ETH=9)
    bot = Bot(store)
    bot.loop([BTC, ETH], slots=1)
    assert bot.signals() == {ETH}
    bot.loop([BTC, ETH], slots=1)  # ETH had its chance and is still not open
    assert bot.signals() == {BTC}
    bot.loop([BTC, ETH], slots=1)
    assert bot.signals() == set()


def test_who_is_open_has_not_failed(store: Store) -> None:
    wave(store, BTC=6, ETH=9)
    bot = Bot(store)
    bot.loop([BTC, ETH], slots=1)
    bot.loop([BTC, ETH], slots=1, blocked={ETH})
    assert bot.signals() == {BTC}
    assert not bot.engine.dealings.failed(ETH, CLOSE)


def test_a_signal_goes_when_data_becomes_stale(store: Store) -> None:
    wave(store, BTC=9)
    bot = Bot(store)
    bot.loop([BTC])
    assert bot.signals() == {BTC}
    store.settle(CLOSE, skew_ms=9_000)
    bot.loop([BTC])
    assert bot.signals() == set()
    assert not bot.engine.dealings.offered(BTC, CLOSE)


def test_a_populate_that_fails_is_tried_again_and_enters_nothing(store: Store) -> None:
    wave(store, BTC=9)
    bot = Bot(store)
    bot.failing = {BTC}
    assert bot.loop([BTC]) == [BTC]
    assert not bot.engine.dealings.offered(BTC, CLOSE) and not bot.frames
    assert bot.loop([BTC]) == [BTC]
    bot.failing = set()
    bot.loop([BTC])
    assert bot.signals() == {BTC}


def test_a_populate_that_fails_later_in_the_candle_is_not_taken_for_done(store: Store) -> None:
    """Freqtrade keeps the frame of the earlier loop, with its signal."""
    wave(store, BTC=9)
    bot = Bot(store)
    bot.loop([BTC])
    assert bot.signals() == {BTC}
    store.judge(verdict(40, news="contradicts", news_key="b", after_s=10))
    bot.failing = {BTC}
    assert bot.loop([BTC]) == [BTC]
    assert not bot.engine.dealings.offered(BTC, CLOSE)
    assert bot.engine.candidate(BTC, CLOSE) is None
    assert bot.loop([BTC]) == [BTC]


def test_a_refresh_that_is_not_understood_is_a_problem_and_no_exception(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    wave(store, BTC=9)
    bot = Bot(store)

    def broken() -> set[str]:
        raise TypeError("a column of another type")

    monkeypatch.setattr(bot.engine.source, "refresh", broken)
    bot.loop([BTC])
    assert "not understood" in str(bot.engine.problem)
    assert bot.signals() == set()


def test_withdrawing_lets_nobody_in_and_names_who_was_out(store: Store) -> None:
    wave(store, BTC=9)
    bot = Bot(store)
    bot.loop([BTC, ETH])
    assert bot.engine.dealings.withdraw() == [BTC]
    assert not bot.engine.dealings.offered(BTC, CLOSE)


def test_a_thousand_pair_1000pepe_listens_to_its_coin(store: Store) -> None:
    wave(store, PEPE=9)
    bot = Bot(store)
    bot.loop(["1000PEPE/USDT:USDT"])
    assert bot.signals() == {"1000PEPE/USDT:USDT"}


def test_a_pair_that_left_the_list_is_forgotten_after_an_hour(store: Store) -> None:
    bot = Bot(store)
    bot.loop([BTC, ETH])
    later = {ETH: CLOSE + 60 * MINUTE_MS - 1}
    bot.engine.to_analyze(later)
    assert set(bot.engine.pairs) == {BTC, ETH}
    bot.engine.to_analyze({})
    bot.engine.to_analyze({ETH: CLOSE + 60 * MINUTE_MS})
    assert set(bot.engine.pairs) == {ETH}
    assert bot.engine.to_analyze({BTC: CLOSE}) == [BTC], "as if it had never been there"


# -- the past -----------------------------------------------------------------------------


def past(store: Store, **section: Any) -> Engine:
    own = settings(**section)
    source = HistorySource(Reader(store.url), own)
    return Engine(own, MINUTE_MS, source, own.backtest_verdicts)


def test_a_pair_that_comes_back_within_a_candle_is_decided_on_anew(store: Store) -> None:
    """Its minute was settled and judged while others had its place in the list."""
    store.settle(CLOSE - MINUTE_MS)
    bot = Bot(store)
    assert bot.loop([BTC, ETH]) == [BTC, ETH]
    wave(store, BTC=9)
    assert bot.loop([ETH]) == []
    assert bot.loop([BTC, ETH]) == [BTC]
    assert bot.signals() == {BTC}
    assert bot.loop([BTC, ETH]) == []


def test_the_best_price_is_that_of_completed_candles(store: Store) -> None:
    engine = past(store)
    frame = candles()
    engine.indicators(frame, BTC)
    opened = at(30)  # the open of the candle that closes at minute 31
    assert engine.best_completed(BTC, opened, at(30), short=True) is None
    assert engine.best_completed(BTC, opened, at(30) + 59_000, short=True) is None
    lows, highs = frame["low"].to_numpy(), frame["high"].to_numpy()
    assert engine.best_completed(BTC, opened, at(33), short=True) == lows[30:33].min()
    assert engine.best_completed(BTC, opened, at(33), short=False) == highs[30:33].max()
    assert engine.best_completed(ETH, opened, at(33), short=False) is None


def test_backtest_entry_next_looks_one_candle_back(store: Store) -> None:
    assert past(store).signal_close_ms(at(5) + 7) == at(5)
    assert past(store, backtest_entry="next").signal_close_ms(at(5) + 7) == at(4)


def test_entries_fit_a_frame_that_was_trimmed_after_its_indicators(store: Store) -> None:
    """Hyperopt does that."""
    engine = past(store)
    frame = engine.indicators(candles(), BTC).iloc[10:].reset_index(drop=True)
    frame = engine.exits(engine.entries(frame, BTC, rules()), BTC)
    assert len(frame) == 30
    assert engine.decision(BTC, CLOSE) is not None
    assert engine.decision(BTC, at(5)) is None
