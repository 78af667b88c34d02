"""Waves that nothing was decided about, as there were no candles, are told once."""

from typing import Any

import pytest

from liq_provider.bot.live import LiveLoop
from liq_provider.bot.messages import Message
from liq_provider.config.pair_list_file import READS
from liq_provider.core.durations import MINUTE_MS
from liq_provider.judge.decisions import Rules
from tests.bot.helpers import Store, rules, stored, verdict
from tests.bot.markdown import shown
from tests.bot.test_engine import BTC, CLOSE, ETH, Bot, wave
from tests.bot.test_live import WatchNow

DELAY_MS = 30_000
TOO_LATE = CLOSE + DELAY_MS + 1


class Silent:
    """
    A bot before a close.

    :param section: keys of ``liq_provider``
    """

    def __init__(self, store: Store, **section: Any) -> None:
        self.bot = Bot(store, **section)
        self.live = LiveLoop(self.bot.engine, WatchNow(store, None), -0.99)
        self.bot.engine.refresh(CLOSE - 50_000)
        assert self.told(CLOSE - 50_000) == []

    def told(
        self, now_ms: int, held: tuple[str, ...] = (), own: Rules | None = None
    ) -> list[Message]:
        return self.live.missed([BTC, ETH], lambda: held, own or rules(), now_ms)

    def texts(self, now_ms: int, **more: Any) -> list[str]:
        return [shown(message.sendable) for message in self.told(now_ms, **more)]


def test_a_wave_whose_candles_did_not_come_is_told_once_when_it_is_too_late(store: Store) -> None:
    silent = Silent(store)
    wave(store, BTC=9)
    silent.bot.loop([ETH])
    assert silent.told(CLOSE + DELAY_MS) == []
    assert silent.texts(TOO_LATE) == [
        f"{BTC}: strong wave SHORT, z 9.0, purity 98%, $1,000,000: not entered: "
        "its candles had not come 30 s after the close (max_entry_delay_s)"
    ]
    assert silent.told(TOO_LATE + 1_000) == []
    # What the page and ``explain`` are told.
    assert silent.live._refusals == {
        (BTC, CLOSE): (
            "decision",
            "its candles had not come 30 s after the close (max_entry_delay_s)",
        )
    }


def test_a_wave_that_was_decided_about_is_not_missed(store: Store) -> None:
    silent = Silent(store)
    wave(store, BTC=9)
    silent.bot.loop([BTC, ETH])
    assert silent.told(TOO_LATE) == []


def test_a_pair_that_could_not_be_populated_is_told_as_such(store: Store) -> None:
    silent = Silent(store)
    wave(store, BTC=9)
    silent.bot.failing = {BTC}
    silent.bot.loop([BTC, ETH])
    (text,) = silent.texts(TOO_LATE)
    assert text.endswith("not entered: there is no decision for this candle")


def test_a_loop_that_took_longer_than_a_candle_misses_those_in_between(store: Store) -> None:
    silent = Silent(store)
    wave(store, BTC=9)
    silent.bot.engine.refresh(CLOSE + 100_000)
    assert len(silent.texts(CLOSE + 100_000)) == 1


@pytest.mark.parametrize(
    "said",
    [
        {"action": "skip", "downgrade": 3},
        {"after_s": 31.0},
        {"first": 39},
        {"aligned": "unknown"},
    ],
    ids=["no entry", "too late", "of an earlier candle", "made without candles"],
)
def test_what_would_have_been_no_entry_is_not_missed(store: Store, said: dict[str, Any]) -> None:
    silent = Silent(store)
    store.settle(CLOSE, [stored("BTC", CLOSE, 9, 0.98)])
    store.judge(verdict(**{"first": 40} | said))
    silent.bot.loop([ETH])
    assert silent.told(TOO_LATE) == []


def test_a_wave_below_the_bots_own_thresholds_is_not_missed(store: Store) -> None:
    silent = Silent(store)
    wave(store, BTC=9)
    silent.bot.loop([ETH])
    assert silent.told(TOO_LATE, own=rules(z_threshold=12, z_strong=15)) == []


def test_a_pair_with_a_position_misses_nothing(store: Store) -> None:
    silent = Silent(store)
    wave(store, BTC=9)
    silent.bot.loop([ETH])
    assert silent.told(TOO_LATE, held=(BTC,)) == []


def test_what_was_before_the_bot_came_is_not_its_fault(store: Store) -> None:
    wave(store, BTC=9)
    bot = Bot(store)
    live = LiveLoop(bot.engine, WatchNow(store, None), -0.99)
    bot.loop([ETH])
    assert live.missed([BTC, ETH], tuple, rules(), TOO_LATE) == []


def test_coins_that_the_bot_does_not_trade_are_none_of_its_business(store: Store) -> None:
    silent = Silent(store)
    wave(store, BTC=9, SOL=9)
    silent.bot.loop([BTC, ETH])
    assert silent.told(TOO_LATE) == []


def test_of_many_at_once_the_surest_have_messages_and_the_rest_are_counted(store: Store) -> None:
    silent = Silent(store)
    coins = [f"C{number}" for number in range(8)]
    wave(store, **{coin: 6.0 + number for number, coin in enumerate(coins)})
    silent.bot.loop([ETH])
    pairs = [f"{coin}/USDT:USDT" for coin in coins]
    messages = silent.live.missed(pairs, tuple, rules(), TOO_LATE)
    assert [message.send for message in messages] == [True] * 5 + [False] * 3 + [True]
    assert messages[0].text.startswith("`C7/USDT:USDT`") and all(m.warning for m in messages)
    assert shown(messages[-1].text) == (
        "LiqTrend: 3 more waves not entered for want of candles: C2, C1, C0"
    )


@pytest.mark.parametrize(("waves", "sent"), [("all", True), ("enter", True), ("none", False)])
def test_who_wants_no_messages_of_waves_gets_none_of_these(
    store: Store, waves: str, sent: bool
) -> None:
    silent = Silent(store, messages={"waves": waves})
    wave(store, BTC=9)
    silent.bot.loop([ETH])
    (message,) = silent.told(TOO_LATE)
    assert message.send is sent


# -- a bot of the whole market ------------------------------------------------------------


def of_market(store: Store, **told: Any) -> Silent:
    """A bot whose whitelist is what the sidecar wrote and its filters left."""
    silent = Silent(store)
    silent.live = LiveLoop(silent.bot.engine, WatchNow(store, None), -0.99, {READS: True})
    assert silent.told(CLOSE - 50_000) == []
    coins = {"SOL": 9.0, "XRP": 8.0, "DOGE": 7.0, "KUKU": 6.0, "ETH": 5.5}
    rows = [stored(coin, CLOSE, z, 0.98) for coin, z in coins.items()]
    store.settle(CLOSE, rows, **told)
    for coin in coins:
        store.judge(verdict(40, base=coin))
    silent.bot.loop([BTC, ETH])
    return silent


def test_waves_of_coins_that_are_not_in_the_list_are_told_in_one_message(store: Store) -> None:
    listed = ["SOL/USDT:USDT", BTC, ETH]
    left_out = {"XRP/USDT:USDT": "the list is full", "KUKU": "not listed on binance"}
    silent = of_market(store, pair_list={"pairs": listed, "left_out": left_out})
    (message,) = silent.told(TOO_LATE)
    assert shown(message.sendable) == (
        "LiqTrend: 3 waves of coins that are not in the bot's list: SOL (the bot's filters or "
        "blacklist), XRP (the list is full), DOGE (not in the list in time)"
    )
    assert silent.told(TOO_LATE + 1_000) == []
    refusal = silent.live._refusals["XRP/USDT:USDT", CLOSE]
    assert refusal == ("whitelist", "not in the bot's list: the list is full")


def test_a_coin_that_came_into_the_list_and_left_it_was_not_left_out(store: Store) -> None:
    silent = of_market(store)
    for coin in ("SOL", "XRP", "DOGE", "KUKU"):
        silent.bot.loop([BTC, ETH, f"{coin}/USDT:USDT"])
    assert silent.told(TOO_LATE) == []


def test_a_coin_that_left_the_list_before_its_verdict_came_was_left_out(store: Store) -> None:
    """It was there when its candle came, and was decided on before its minute was settled."""
    store.settle(CLOSE - MINUTE_MS)
    silent = Silent(store)
    silent.live = LiveLoop(silent.bot.engine, WatchNow(store, None), -0.99, {READS: True})
    assert silent.told(CLOSE - 50_000) == []
    silent.bot.loop([BTC, ETH, "SOL/USDT:USDT"])
    wave(store, SOL=9)
    silent.bot.loop([BTC, ETH])
    (text,) = silent.texts(TOO_LATE)
    assert text.endswith("not in the bot's list: SOL (not in the list in time)")


def test_a_wave_of_a_coin_whose_position_is_open_was_not_left_out(store: Store) -> None:
    silent = of_market(store)
    held = tuple(f"{coin}/USDT:USDT" for coin in ("SOL", "XRP", "DOGE", "KUKU"))
    assert silent.told(TOO_LATE, held=held) == []
