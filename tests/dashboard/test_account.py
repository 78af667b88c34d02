"""What the page makes of the bot's own words."""

from typing import Any

import pytest

from liq_provider.bot.stops import StopRules, stops
from liq_provider.dashboard.account import Account, BotAddress, position
from liq_provider.settings import Settings

SETTINGS = Settings()


def trade(**changes: Any) -> dict[str, Any]:
    values = {
        "trade_id": 1,
        "pair": "BTC/USDT:USDT",
        "is_short": True,
        "open_rate": 100.0,
        "current_rate": 98.0,
        "min_rate": 97.0,
        "max_rate": 101.0,
        "stake_amount": 50.0,
        "open_timestamp": 1,
        "leverage": 3.0,
        "enter_tag": "liq_short_strong_high",
        "stop_loss_abs": 97.97,
        "total_profit_abs": 3.0,
    }
    return values | changes


def test_a_short_is_measured_from_its_lowest_price() -> None:
    found = position(trade(), {}, SETTINGS)
    assert found["profit"] == pytest.approx(0.02)
    assert found["best_profit"] == pytest.approx(0.03)
    assert found["drawdown"] == pytest.approx(0.01)
    assert found["trailing"] == pytest.approx(97.97)
    assert found["fallback"] == pytest.approx(102.0)
    assert found["binds"] == "trailing"
    assert found["distance"] == pytest.approx(97.97 / 98 - 1)


def test_a_long_that_never_gained_has_only_its_fallback() -> None:
    found = position(
        trade(is_short=False, current_rate=99.0, max_rate=100.0, min_rate=98.5), {}, SETTINGS
    )
    assert (found["trailing"], found["binds"]) == (None, "fallback")
    assert found["fallback"] == pytest.approx(98.0)
    assert found["best_profit"] == 0 and found["drawdown"] == pytest.approx(0.01)
    assert found["distance"] == pytest.approx(1 - 98 / 99)


def test_the_stops_are_those_that_the_strategy_computes() -> None:
    kept = {"stops": {"trailing_pct": 0.02, "trailing_arm_pct": 0.005, "fallback_pct": 0.05}}
    found = position(trade(), kept, SETTINGS)
    same = stops(100.0, 97.0, True, StopRules(0.02, 0.005, 0.05))
    assert (found["fallback"], found["trailing"]) == (same.fallback, same.trailing)


def test_a_trade_just_filled_has_no_best_price_yet() -> None:
    found = position(trade(min_rate=None, max_rate=0.0, current_rate=None), {}, SETTINGS)
    assert found["profit"] is None and found["drawdown"] is None and found["distance"] is None
    assert found["best_profit"] == 0


@pytest.mark.parametrize(
    ("section", "url"),
    [
        (None, None),
        ({"enabled": False, "listen_port": 1}, None),
        ({"enabled": True}, "http://127.0.0.1:8080"),
        ({"enabled": True, "listen_ip_address": "0.0.0.0"}, "http://127.0.0.1:8080"),
        ({"enabled": True, "listen_ip_address": "::1", "listen_port": 5}, "http://[::1]:5"),
    ],
)
def test_the_bots_address_is_that_of_its_configuration(section: Any, url: str | None) -> None:
    found = BotAddress.of(section)
    assert (None if found is None else found.url) == url


def test_a_bot_that_does_not_answer_is_said_in_words_without_its_password() -> None:
    account = Account(BotAddress("http://127.0.0.1:9", "user", "planted-password"), SETTINGS)
    found = account.report()
    assert found == {"error": "the bot does not answer"}
    assert account.trades() == []
