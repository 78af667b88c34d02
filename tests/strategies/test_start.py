"""What is wrong is told before trading starts, in one message that names the key."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from freqtrade.exceptions import FreqtradeException, OperationalException

from liq_provider.core.markets import Market
from liq_provider.simulator.exchange_server import Simulator
from tests.bot.helpers import Store
from tests.integration.harness import (
    BTC,
    ETH,
    Bot,
    bot_config,
    fresh_minute,
    running,
    wave,
)

# A whole minute, without waiting for one.
pytestmark = pytest.mark.usefixtures("full_minute")


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"z_treshold": 3}, "liq_provider.z_treshold: unknown key"),
        ({"z_threshold": "high"}, "liq_provider.z_threshold"),
        ({"purity_threshold": 1.2}, "liq_provider.purity_threshold"),
        ({"judge": {"z_mim": 2}}, "liq_provider.judge.z_mim: unknown key"),
        ({"venues": {"mexc": {}}}, "mexc publishes no public liquidation feed"),
        ({"segment_min": 4, "max_entry_delay_s": 60}, "liq_provider.max_entry_delay_s"),
        ({"fallback_pct": 0.1, "leverage": 10}, "liq_provider.fallback_pct"),
    ],
)
def test_a_wrong_setting_stops_the_bot(
    sim: Simulator, tmp_path: Path, section: dict[str, Any], key: str
) -> None:
    with pytest.raises(FreqtradeException) as told:
        Bot(bot_config(sim, tmp_path, **section), tmp_path)
    assert key in str(told.value)


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        ({"minimal_roi": {"0": 0.02}}, "minimal_roi:"),
        ({"trailing_stop": True}, "trailing_stop:"),
        ({"use_exit_signal": False}, "use_exit_signal:"),
        ({"exit_profit_only": True}, "exit_profit_only:"),
        ({"use_custom_stoploss": False}, "use_custom_stoploss:"),
        ({"position_adjustment_enable": True}, "position_adjustment_enable:"),
        ({"process_only_new_candles": True}, "process_only_new_candles:"),
        ({"stoploss": -0.01}, "stoploss:"),
        ({"timeframe": "3m"}, "timeframe:"),
    ],
)
def test_an_override_in_freqtrades_own_configuration_stops_the_bot(
    sim: Simulator,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    overrides: dict[str, Any],
    key: str,
) -> None:
    caplog.set_level(logging.WARNING)
    with pytest.raises(FreqtradeException) as told:
        Bot(bot_config(sim, tmp_path) | overrides, tmp_path)
    assert key in str(told.value)
    assert "Traceback" not in caplog.text


def test_spot_is_refused_in_our_words(sim: Simulator, tmp_path: Path) -> None:
    """Freqtrade's own message would advise to switch shorts off."""
    spot = {"trading_mode": "spot", "margin_mode": ""}
    with pytest.raises(OperationalException, match="trading_mode: must be"):
        Bot(bot_config(sim, tmp_path) | spot, tmp_path)


def test_an_environment_variable_is_checked_like_the_file(
    sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIQ_PROVIDER__FALLBACK_PCT", "nonsense")
    with pytest.raises(FreqtradeException, match=r"liq_provider\.fallback_pct"):
        Bot(bot_config(sim, tmp_path), tmp_path)


def test_settings_reach_the_parameters(sim: Simulator, store: Store, tmp_path: Path) -> None:
    config = bot_config(sim, tmp_path, z_threshold=3.7, min_confidence="high", fallback_pct=0.03)
    with running(config, tmp_path) as bot:
        assert bot.strategy.z_threshold.value == 3.7
        assert bot.strategy.min_confidence.value == "high"
        assert bot.strategy.fallback_pct.value == 0.03
        assert bot.strategy.ignore_buying_expired_candle_after == 59
        assert bot.strategy.order_types["entry"] == "market"


def test_no_digit_of_a_setting_is_lost(
    sim: Simulator, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    given = {"z_threshold": 2.55, "purity_threshold": 0.7625, "trend_k": 0.0625}
    given |= {"fallback_pct": 0.0004, "trailing_pct": 0.0125, "trailing_arm_pct": 0.00375}
    with running(bot_config(sim, tmp_path, **given), tmp_path) as bot:
        bot.loop()
        assert {name: getattr(bot.strategy, name).value for name in given} == given
    assert "from the parameter file wins" not in caplog.text


def _put_parameters(base: Path, sell: dict[str, Any] | None = None, **buy: Any) -> None:
    spaces = {"buy": buy, "sell": sell or {}}
    parameters = {"strategy_name": "LiqTrend", "params": spaces, "ft_stratparam_v": 1}
    (base / "strategies" / "LiqTrend.json").write_text(json.dumps(parameters))


def test_a_parameter_file_wins_over_the_configuration_and_that_is_logged(
    sim: Simulator, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    config = bot_config(sim, tmp_path)
    _put_parameters(tmp_path, z_threshold=4.5)
    with running(config, tmp_path) as bot:
        assert bot.strategy.z_threshold.value == 4.5
        wave(store, fresh_minute(), {"BTC": ("SHORT", 4.2), "ETH": ("LONG", 9)})
        bot.loop()
        assert set(bot.open) == {ETH}
    assert "z_threshold = 4.5 from the parameter file wins over" in caplog.text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[]", "is no parameter file"),
        ('{"strategy_name": "LiqTrend", "params": {"buy": null}}', "params.buy must be an object"),
        (
            '{"strategy_name": "LiqTrend", "params": {"sell": {"fallback_pct": "wide"}}}',
            "fallback_pct: Input should be a valid number",
        ),
    ],
)
def test_a_parameter_file_that_cannot_be_used_ends_the_bot_with_one_line(
    sim: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, why: str
) -> None:
    caplog.set_level(logging.WARNING)
    config = bot_config(sim, tmp_path)
    (tmp_path / "strategies" / "LiqTrend.json").write_text(text)
    with pytest.raises(FreqtradeException) as told:
        Bot(config, tmp_path)
    assert f"LiqTrend.json: {why}" in str(told.value) and "\n" not in str(told.value)
    assert "Traceback" not in caplog.text


def test_a_parameter_file_that_is_no_json_is_left_out(
    sim: Simulator, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    config = bot_config(sim, tmp_path, z_strong=6.5)
    (tmp_path / "strategies" / "LiqTrend.json").write_text("{")
    with running(config, tmp_path) as bot:
        assert bot.strategy.z_strong.value == 6.5
    assert "Invalid parameter file format." in caplog.text


@pytest.mark.parametrize(
    ("name", "value", "keys"),
    [
        ("z_threshold", 2.0, ("z_threshold 2.0", "liq_provider.judge.z_min")),
        ("purity_threshold", 0.6, ("purity_threshold 0.6", "liq_provider.judge.purity_min")),
        ("direction_mode", "fade", ("direction_mode fade", "liq_provider.direction_mode")),
    ],
)
def test_a_parameter_file_that_asks_for_what_is_never_judged_enters_nothing(
    sim: Simulator, store: Store, tmp_path: Path, name: str, value: Any, keys: tuple[str, str]
) -> None:
    config = bot_config(sim, tmp_path)
    _put_parameters(tmp_path, **{name: value})
    with running(config, tmp_path) as bot:
        wave(store, fresh_minute(), {"BTC": ("SHORT", 9), "ETH": ("LONG", 9)})
        for _ in range(2):
            bot.loop()
        assert bot.open == {}
        assert len(refusals(bot, keys)) == 1


def test_a_parameter_file_with_a_stop_beyond_liquidation_enters_nothing(
    sim: Simulator, store: Store, tmp_path: Path
) -> None:
    config = bot_config(sim, tmp_path, leverage=10)
    _put_parameters(tmp_path, sell={"fallback_pct": 0.09})
    with running(config, tmp_path) as bot:
        wave(store, fresh_minute(), {"BTC": ("SHORT", 9)})
        for _ in range(2):
            bot.loop()
        assert bot.open == {}
        keys = ("liq_provider.fallback_pct: 0.09", "liq_provider.leverage 10")
        assert len(refusals(bot, keys)) == 1


def refusals(bot: Any, keys: Sequence[str]) -> list[str]:
    """What says once that there are no entries; each wave says it, too, that is not entered."""
    told = [text for text in bot.messages if all(key in text for key in keys)]
    return [text for text in told if text.startswith("LiqTrend: no entries")]


def test_a_pair_without_liquidation_feed_is_named_once(
    sim: Simulator, store: Store, tmp_path: Path
) -> None:
    venues = store.settings.venues.enabled
    for venue in venues:
        listed = [Market(venue, "BTCUSDT", BTC, "BTC"), Market(venue, "SOLUSDT", "SOL", "SOL")]
        store.writer.put_markets(venue, listed)
    with running(bot_config(sim, tmp_path), tmp_path) as bot:
        store.settle(fresh_minute(), feeds={})
        bot.loop()
        assert not any("without liquidation feed" in text for text in bot.messages)
        store.settle(fresh_minute(), feeds={venue: {"markets": 2} for venue in venues})
        for _ in range(2):
            bot.loop()
        told = [text for text in bot.messages if "pair without liquidation feed" in text]
        assert len(told) == 1
        assert ETH in told[0]
        assert BTC not in told[0]
        assert "exchange.pair_whitelist" in told[0]
