"""Every reason why an entry must not happen, and what is left of a position."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from liq_provider.bot import last_look, position
from liq_provider.bot.book import LastTrade
from liq_provider.bot.columns import UPGRADE
from liq_provider.bot.engine import Engine
from liq_provider.bot.row_of_candle import BestPrice
from liq_provider.bot.source import HistorySource
from liq_provider.bot.stops import StopRules
from liq_provider.core.durations import MINUTE_MS
from liq_provider.measure.scales import Score
from liq_provider.store.reader import Reader
from tests.bot.helpers import Store, at, live_source, rules, settings, stored, verdict
from tests.bot.test_engine import BTC, CLOSE, ETH, NOW, Bot, candles, wave


class FakeBook:
    """What Freqtrade's records would say."""

    def __init__(self, slots: float = 5, **last: LastTrade) -> None:
        self.slots = slots
        self.opened: set[str] = set()
        self.locks: set[str] = set()
        self.held: dict[str, LastTrade] = {}
        self.traded = {f"{base}/USDT:USDT": trade for base, trade in last.items()}

    def open_pairs(self) -> set[str]:
        return self.opened

    def free_slots(self) -> float:
        return self.slots

    def locked(self, pair: str, is_short: bool, at_ms: int) -> bool:
        return pair in self.locks

    def last(self, pair: str) -> LastTrade | None:
        return self.traded.get(pair)

    def position(self, pair: str) -> LastTrade | None:
        return self.held.get(pair)


def last_trade(minute: int, **values: Any) -> LastTrade:
    made = {
        "opened_ms": at(minute) + 5_000,
        "closed_ms": at(minute) + 50_000,
        "is_short": True,
        "exit_reason": "stop_loss",
        "level": 2,
    }
    return LastTrade(**made | values)


# -- live ---------------------------------------------------------------------------------


@pytest.fixture
def bot(store: Store) -> Bot:
    """A bot with a signal out for BTC."""
    wave(store, BTC=9)
    made = Bot(store)
    made.loop([BTC, ETH])
    return made


def test_a_fresh_signal_may_enter(bot: Bot) -> None:
    assert last_look.deny_live(bot.engine, FakeBook(), BTC, True, NOW) is None


def test_the_last_moment_is_the_delays_end(bot: Bot) -> None:
    assert last_look.deny_live(bot.engine, FakeBook(), BTC, True, CLOSE + 30_000) is None
    reason = last_look.deny_live(bot.engine, FakeBook(), BTC, True, CLOSE + 30_001)
    assert "max_entry_delay_s" in str(reason)


@pytest.mark.parametrize(
    ("pair", "is_short", "now_ms", "reason"),
    [
        (BTC, False, NOW, "no longer supports this direction"),
        (ETH, True, NOW, "nothing is on record of its last minutes"),
        (BTC, True, CLOSE + 95_000, "95 s old (max_staleness_s)"),
        (BTC, True, CLOSE + MINUTE_MS + 1_000, "last minute is not settled"),
    ],
)
def test_denied_live(bot: Bot, pair: str, is_short: bool, now_ms: int, reason: str) -> None:
    assert reason in str(last_look.deny_live(bot.engine, FakeBook(), pair, is_short, now_ms))


def test_a_problem_denies(bot: Bot) -> None:
    bot.engine.problem = "z_threshold is below the floor"
    assert (
        last_look.deny_live(bot.engine, FakeBook(), BTC, True, NOW)
        == "z_threshold is below the floor"
    )


def test_a_verdict_that_is_gone_or_expired_denies(bot: Bot) -> None:
    known = bot.engine.pairs[BTC]
    known.verdicts = [dict(known.verdicts[0]) | {"expires_at": NOW - 1}]
    assert last_look.deny_live(bot.engine, FakeBook(), BTC, True, NOW) == "the verdict has expired"
    assert known.decisions is not None
    known.decisions.verdict[-1] = -1
    assert last_look.deny_live(bot.engine, FakeBook(), BTC, True, NOW) == "no verdict in time"


def test_a_pair_that_was_not_decided_is_denied(bot: Bot) -> None:
    reason = last_look.deny_live(bot.engine, FakeBook(), "SOL/USDT:USDT", True, NOW)
    assert reason == "there is no decision for this candle"
    for pair, decided in ((BTC, True), ("SOL/USDT:USDT", False)):
        standing = last_look.live_standing(bot.engine, FakeBook(), pair, CLOSE, NOW)  # type: ignore[arg-type]
        assert standing.answer("decision") is decided


# -- who is told of a wave ----------------------------------------------------------------


def refused(bot: Bot, book: FakeBook, now_ms: int = NOW) -> str | None:
    return last_look.announced(bot.engine, book, BTC, CLOSE, now_ms).refused_by


def test_a_wave_that_may_enter_has_no_reason_not_to(bot: Bot) -> None:
    assert refused(bot, FakeBook()) is None


@pytest.mark.parametrize(
    ("problem", "now_ms", "reason"),
    [
        ("this machine's clock jumped by +600.0 s", NOW, "this machine's clock jumped by +600.0 s"),
        (None, CLOSE + 30_001, "the signal is older than max_entry_delay_s"),
    ],
)
def test_what_keeps_an_order_back_is_what_is_told(
    bot: Bot, problem: str | None, now_ms: int, reason: str
) -> None:
    bot.engine.problem = problem
    assert refused(bot, FakeBook(), now_ms) == reason
    assert last_look.deny_live(bot.engine, FakeBook(), BTC, True, now_ms) == reason


def test_a_lock_a_lack_of_slots_and_an_order_that_failed_are_told(store: Store) -> None:
    wave(store, BTC=9, ETH=10)
    made = Bot(store)
    made.loop([BTC, ETH], slots=1)
    book = FakeBook()
    assert "no slot is free" in str(refused(made, book))
    book.locks = {BTC}
    assert "locked" in str(refused(made, book))
    made.loop([BTC, ETH], slots=1)
    reason = last_look.announced(made.engine, book, ETH, CLOSE, NOW).refused_by
    assert reason == "no order came of its signal"


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        (last_trade(40), None),  # by this wave
        (last_trade(39), "a position of this pair is open"),
        (last_trade(39, level=1), None),  # an upgrade closes it first
        (last_trade(39, is_short=False), None),  # a reversal does
        (last_trade(40, level=0), "a position of this pair is open"),  # by hand
    ],
)
def test_a_position_is_a_reason_unless_this_wave_opened_or_will_close_it(
    bot: Bot, held: LastTrade, reason: str | None
) -> None:
    book = FakeBook()
    book.held = {BTC: held}
    assert refused(bot, book) == reason


def test_no_reversal_and_no_upgrade_is_announced_while_there_is_a_problem(bot: Bot) -> None:
    bot.engine.problem = "the store does not answer (for 5 s)"
    for held in (last_trade(39, level=1), last_trade(39, is_short=False)):
        book = FakeBook()
        book.held = {BTC: held}
        assert refused(bot, book) == bot.engine.problem


def test_a_wave_that_was_traded_is_not_told_as_refused(bot: Bot) -> None:
    bot.engine.problem = "the store does not answer (for 5 s)"
    assert refused(bot, FakeBook(BTC=last_trade(40))) is None
    assert refused(bot, FakeBook(BTC=last_trade(40, level=0))) is not None, "by hand"


# -- one entry per wave -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trade", "denied"),
    [
        (last_trade(40), True),
        (last_trade(39), False),  # an earlier wave
        (last_trade(40, is_short=False), False),
        (last_trade(40, level=1), False),  # surer than what was traded
        (last_trade(40, level=3), True),
        (last_trade(40, exit_reason=UPGRADE), False),
    ],
)
def test_a_wave_is_traded_once_but_for_an_upgrade(bot: Bot, trade: LastTrade, denied: bool) -> None:
    reason = last_look.deny_live(bot.engine, FakeBook(BTC=trade), BTC, True, NOW)
    assert (reason == "this wave was already traded") is denied


def test_who_cannot_enter_takes_no_slot(store: Store) -> None:
    wave(store, BTC=9, ETH=8, SOL=7, XRP=6)
    made = Bot(store)
    pairs = [f"{base}/USDT:USDT" for base in ("BTC", "ETH", "SOL", "XRP")]
    made.loop(pairs, slots=0)
    book = FakeBook(ETH=last_trade(40))
    book.opened, book.locks = {pairs[0], "ADA/USDT:USDT"}, {pairs[2]}
    assert last_look.blocked(made.engine, book, pairs, CLOSE, CLOSE) == set(pairs[:3])


# -- backtests ----------------------------------------------------------------------------


def past(store: Store, *bases: str, **section: Any) -> Engine:
    """An engine of the past in which each coin has a strong wave at ``CLOSE``."""
    own = settings(backtest_verdicts="matrix", **section)
    engine = Engine(own, MINUTE_MS, HistorySource(Reader(store.url), own), "matrix")
    for number, base in enumerate(bases):
        pair = f"{base}/USDT:USDT"
        frame = engine.indicators(candles(), pair)
        from tests.bot.helpers import feature_rows

        engine.pairs[pair].rows = {"configured": feature_rows({40: (9.0 + number, 0.98)})}
        engine.exits(engine.entries(frame, pair, rules()), pair)
    return engine


def test_a_backtest_ranks_all_pairs_of_the_candle(store: Store) -> None:
    engine = past(store, "BTC", "ETH")
    one = FakeBook(slots=1)
    assert "surer" in str(last_look.deny_backtest(engine, one, BTC, True, CLOSE))
    assert last_look.deny_backtest(engine, one, ETH, True, CLOSE) is None
    assert last_look.deny_backtest(engine, FakeBook(-1), BTC, True, CLOSE) is None
    reason = last_look.deny_backtest(engine, FakeBook(), BTC, False, CLOSE)
    assert reason == "the wave no longer supports this direction"
    assert last_look.deny_backtest(engine, FakeBook(), BTC, True, CLOSE + MINUTE_MS) is not None


@pytest.mark.parametrize("why", ["open", "locked", "closed in this candle", "traded"])
def test_a_backtest_gives_the_slot_to_one_who_can_take_it(store: Store, why: str) -> None:
    engine = past(store, "BTC", "ETH")
    book = FakeBook(slots=1)
    if why == "open":
        book.opened = {ETH}
    elif why == "locked":
        book.locks = {ETH}
    elif why == "traded":
        book.traded = {ETH: last_trade(40, closed_ms=at(40) - 1)}
    else:
        book.traded = {ETH: last_trade(30, closed_ms=CLOSE, is_short=False)}
    assert last_look.deny_backtest(engine, book, BTC, True, CLOSE) is None


# -- positions ----------------------------------------------------------------------------

RULES = StopRules(0.01, 0.01, 0.02)


@dataclass
class FakeTrade:
    """The part of Freqtrade's trade that stops need."""

    pair: str = BTC
    open_rate: float = 100.0
    is_short: bool = False
    max_rate: float | None = 0.0
    min_rate: float | None = None
    leverage: float = 1.0
    minute: int = 30

    @property
    def open_date_utc(self) -> datetime:
        return datetime.fromtimestamp(at(self.minute) / 1000, UTC)


def live_engine(store: Store) -> Engine:
    own = settings()
    return Engine(own, MINUTE_MS, live_source(store.url, own), "live")


def test_right_after_the_fill_only_the_fallback_is_known(store: Store) -> None:
    for is_short in (False, True):
        trade = FakeTrade(is_short=is_short)
        now = position.current_stops(live_engine(store), trade, at(30), RULES)
        assert now.trailing is None


def test_live_the_best_rate_is_freqtrades(store: Store) -> None:
    engine = live_engine(store)
    long = FakeTrade(max_rate=110.0, min_rate=90.0)
    assert position.current_stops(engine, long, at(30), RULES).binding == pytest.approx(108.9)
    short = FakeTrade(max_rate=110.0, min_rate=90.0, is_short=True)
    assert position.current_stops(engine, short, at(30), RULES).binding == pytest.approx(90.9)


def test_the_fallback_alone_needs_nothing_but_the_trade() -> None:
    for is_short, stop in ((False, 98.0), (True, 102.0)):
        trade = FakeTrade(is_short=is_short, leverage=10.0)
        value = position.fallback_alone(trade, 100.0, 0.02)
        assert value == pytest.approx(abs(stop - 100) / 100 * 10, rel=1e-6)
        crossed = position.fallback_alone(trade, 90.0 if not is_short else 110.0, 0.02)
        assert 0 < crossed < 1e-6


def test_exit_at_open_knows_completed_candles_only(store: Store) -> None:
    """Whatever backtest_trail says: the running candle's extreme is not before its open."""
    for trail in ("previous", "same"):
        engine = past(store, "BTC", backtest_trail=trail)
        frame = candles()
        first, best = float(frame["open"].iat[30]), float(frame["low"].iloc[30:35].min())
        trade = FakeTrade(open_rate=first, is_short=True, min_rate=best / 2, max_rate=first)
        stop = best * 1.01 if first / best - 1 > 0.01 else first * 1.02
        assert position.exit_at_open(engine, trade, at(35), stop * 0.999, RULES) is None
        assert position.exit_at_open(engine, trade, at(35), first * 1.03, RULES) is not None


def test_the_name_of_an_exit_at_the_open_is_that_of_its_stop(store: Store) -> None:
    engine = past(store, "BTC")
    trade = FakeTrade(open_rate=100.0, minute=50)
    assert position.exit_at_open(engine, trade, at(50), 97.0, RULES) == "stop_loss"
    known = engine.pairs[BTC]
    high, low = np.where(np.arange(40) >= 35, 150.0, 101.0), np.full(40, 99.0)
    known.best = BestPrice(known.close_ms, high, low, MINUTE_MS)
    running = FakeTrade(open_rate=100.0, minute=36)
    assert position.exit_at_open(engine, running, at(40), 120.0, RULES) == "trailing_stop_loss"


@pytest.mark.parametrize(
    ("zscore", "kept"),
    [
        ("classic", {"z": 0.99}),
        ("robust", {"z": 0.99, "zscore": "robust"}),
        ("percentile", {"z": 0.9851, "zscore": "percentile"}),
    ],
)
def test_the_score_is_kept_with_its_name_and_as_exactly_as_it_is_told(
    zscore: Score, kept: dict[str, Any]
) -> None:
    assert position._score(zscore, 0.98512 if zscore == "percentile" else 0.9852) == kept


def test_what_is_kept_with_a_trade(bot: Bot) -> None:
    kept = position.record(bot.engine, BTC, CLOSE)
    assert (kept["direction"], kept["strength"], kept["z"]) == ("SHORT", "strong", 9.0)
    assert (kept["judge"], kept["level"], kept["count"]) == ("matrix", 2, 10)
    assert "zscore" not in kept, "the classic one goes without saying"
    assert position.record(bot.engine, BTC, CLOSE - MINUTE_MS) == {}, "no wave, nothing to tell"
    assert position.record(bot.engine, "SOL/USDT:USDT", CLOSE) == {}
    assert all(isinstance(value, str | int | float) for value in kept.values())
    assert not any(isinstance(value, np.generic) for value in kept.values())


def test_verdict_and_stored_rows_are_what_the_store_holds(store: Store) -> None:
    """The helpers' rows go through the real schema."""
    store.settle(at(1), [stored("BTC", at(1), 3.0, 0.9)])
    store.judge(verdict(1))
    assert len(Reader(store.url).verdicts(at(0), at(2))) == 1
