"""What is kept with a trade, and said of it, when its orders are filled."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from liq_provider.bot.messages import LIMIT, Message
from liq_provider.bot.order_filled import filled
from liq_provider.bot.stops import StopRules
from liq_provider.bot.wave_notices import WaveNotices
from liq_provider.config.sections import MessageSettings
from tests.bot.helpers import Store, stored, verdict
from tests.bot.markdown import shown
from tests.bot.test_engine import BTC, CLOSE, ETH, Bot, wave

RULES = StopRules(trailing_pct=0.01, trailing_arm_pct=0.01, fallback_pct=0.02)


@dataclass
class Order:
    """As much of Freqtrade's as is asked for."""

    ft_order_side: str
    stop_price: float | None = None


@dataclass
class Trade:
    """As much of Freqtrade's as is asked for: short at 100."""

    id: int = 7
    pair: str = BTC
    is_short: bool = True
    is_open: bool = False
    entry_side: str = "sell"
    enter_tag: str = "liq_short_strong_medium"
    exit_reason: str | None = None
    open_rate: float = 100.0
    stop_loss: float = 102.0
    is_stop_loss_trailing: bool = False
    min_rate: float = 95.0
    max_rate: float = 100.5
    kept: dict[str, Any] = field(default_factory=dict)

    def set_custom_data(self, key: str, value: Any) -> None:
        self.kept[key] = value


def fill(
    bot: Bot, trade: Trade, order: Order, told: bool = True, **switches: Any
) -> Message | None:
    """:param told: the wave had its message before"""
    messages = MessageSettings(**switches)
    bot.engine.settings = bot.engine.settings.model_copy(update={"messages": messages})
    if told:
        WaveNotices(messages).waves(bot.engine, [BTC, ETH], CLOSE)
    return filled(bot.engine, trade, order, CLOSE, RULES)


@pytest.fixture
def bot(store: Store) -> Bot:
    wave(store, BTC=9)
    made = Bot(store)
    made.loop([BTC, ETH])
    return made


STOPS = {"trailing_pct": 0.01, "trailing_arm_pct": 0.01, "fallback_pct": 0.02}
ENTRY = Order("sell")
EXIT = Order("buy")


def test_an_entry_keeps_its_reasons_and_adds_nothing_to_what_was_said(bot: Bot) -> None:
    trade = Trade(is_open=True)
    assert fill(bot, trade, ENTRY) is None
    assert trade.kept == {
        "liq_stops": STOPS,
        "liq_direction": "SHORT",
        "liq_strength": "strong",
        "liq_z": 9.0,
        "liq_purity": 0.98,
        "liq_notional_usd": 1_000_000,
        "liq_count": 10,
        "liq_news": "not_asked",
        "liq_level": 2,
        "liq_judge": "matrix",
        "liq_verdict": "enter (medium)",
        "liq_reason": "a strong one-sided wave that price follows",
    }


def test_an_entry_whose_wave_was_not_told_is_told_with_its_reasons(bot: Bot) -> None:
    message = fill(bot, Trade(is_open=True), ENTRY, waves="none")
    assert message == Message(
        f"`{BTC}` #7 entered: strong wave SHORT, z 9.0, purity 98%, $1,000,000, enter (medium), "
        "`a strong one-sided wave that price follows`"
    )


def test_a_hostile_reason_is_kept_as_plain_text_and_does_not_break_the_message(
    store: Store,
) -> None:
    store.settle(CLOSE, [stored("BTC", CLOSE, 9, 0.98)])
    store.judge(verdict(40, action_reason="`*_[x](https://evil.example)\n/stop" + "y" * 900))
    made = Bot(store)
    made.loop([BTC, ETH])
    trade = Trade(is_open=True)
    message = fill(made, trade, ENTRY, told=False)
    assert message is not None
    assert len(message.sendable) <= LIMIT
    shown(message.sendable)
    assert "`" not in trade.kept["liq_reason"]
    assert len(trade.kept["liq_reason"]) <= 200


def test_a_forced_entry_has_nothing_of_ours_but_its_stops(bot: Bot) -> None:
    trade = Trade(pair=ETH, is_open=True)
    assert fill(bot, trade, ENTRY) is None
    assert trade.kept == {"liq_stops": STOPS}


@pytest.mark.parametrize(
    ("order", "reason", "changes", "words"),
    [
        (
            Order("stoploss", 102.0),
            None,
            {},
            "fallback stop at 102, 2% against the entry at 100",
        ),
        (EXIT, "stop_loss", {}, "fallback stop at 102, 2% against the entry at 100"),
        (
            Order("stoploss", 95.95),
            None,
            {"stop_loss": 95.95, "is_stop_loss_trailing": True},
            "trailing stop at 95.95, 1% back from the best price, 95",
        ),
        (
            EXIT,
            "trailing_stop_loss",
            {"stop_loss": 95.95, "is_stop_loss_trailing": True},
            "trailing stop at 95.95, 1% back from the best price, 95",
        ),
        # The bot trails already, and the exchange has not heard of it.
        (
            Order("stoploss", 102.0),
            None,
            {"stop_loss": 95.95, "is_stop_loss_trailing": True},
            "fallback stop at 102, 2% against the entry at 100",
        ),
    ],
)
def test_which_stop_closed_a_trade_is_told_and_kept(
    bot: Bot, order: Order, reason: str | None, changes: dict[str, Any], words: str
) -> None:
    trade = Trade(exit_reason=reason, **changes)
    message = fill(bot, trade, order)
    assert trade.kept == {"liq_exit": words}
    assert message == Message(f"`{BTC}` #7 closed: {words}.")
    assert message is not None and message.sendable == message.text


def test_a_long_trails_from_its_highest_price(bot: Bot) -> None:
    trade = Trade(is_short=False, max_rate=110.0, stop_loss=108.9, is_stop_loss_trailing=True)
    message = fill(bot, trade, Order("stoploss", 108.9))
    assert message is not None
    assert "trailing stop at 108.9, 1% back from the best price, 110" in message.text


def test_a_reversal_is_told_by_its_wave(bot: Bot) -> None:
    trade = Trade(exit_reason="liq_reversal", is_short=False, entry_side="buy")
    message = fill(bot, trade, Order("sell"), told=False)
    assert message is not None
    assert "closed: a wave the other way, strong wave SHORT" in message.text
    assert fill(bot, trade, Order("sell")) is None
    assert trade.kept["liq_exit"].startswith("a wave the other way, strong wave SHORT, z 9.0")


def test_an_upgrade_says_what_comes_next(bot: Bot) -> None:
    trade = Trade(exit_reason="liq_upgrade")
    wave_told = "strong wave SHORT, z 9.0, purity 98%, $1,000,000, enter (medium)"
    following = "; opened again at the next candle if it holds."
    message = fill(bot, trade, EXIT, told=False)
    assert message == Message(f"`{BTC}` #7 closed: a surer signal, {wave_told}{following}")
    message = fill(bot, trade, EXIT)
    assert message == Message(f"`{BTC}` #7 closed: a surer signal{following}")
    assert trade.kept == {"liq_exit": f"a surer signal, {wave_told}"}


@pytest.mark.parametrize("reason", ["force_exit", "emergency_exit", "liquidation", "roi", None])
def test_an_exit_that_is_not_ours_is_left_to_freqtrade(bot: Bot, reason: str | None) -> None:
    trade = Trade(exit_reason=reason)
    assert fill(bot, trade, EXIT) is None
    assert trade.kept == {}


def test_a_stop_that_is_cancelled_to_be_moved_is_no_exit(bot: Bot) -> None:
    trade = Trade(is_open=True)
    assert fill(bot, trade, Order("stoploss", 102.0)) is None
    assert trade.kept == {}


def test_trades_can_be_kept_to_the_log(bot: Bot) -> None:
    message = fill(bot, Trade(exit_reason="stop_loss"), EXIT, trades=False)
    assert message is not None
    assert not message.send
