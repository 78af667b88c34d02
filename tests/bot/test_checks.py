"""Settings that would break LiqTrend are refused, each by its name."""

from types import SimpleNamespace
from typing import Any

import pytest
from freqtrade.enums import MarginMode, TradingMode

from liq_provider.bot.checks import check_bot, check_served, refuse_spot
from liq_provider.errors import SettingsError
from tests.bot.helpers import settings

GOOD_CONFIG = {
    "trading_mode": TradingMode.FUTURES,
    "margin_mode": MarginMode.ISOLATED,
    "timeframe": "1m",
}
GOOD_STRATEGY: dict[str, Any] = {
    "trailing_stop": False,
    "exit_profit_only": False,
    "use_exit_signal": True,
    "use_custom_stoploss": True,
    "position_adjustment_enable": False,
    "process_only_new_candles": False,
    "can_short": True,
    "minimal_roi": {},
    "stoploss": -0.99,
    "startup_candle_count": 30,
}


def check(
    config: dict[str, Any] | None = None,
    strategy: dict[str, Any] | None = None,
    **section: Any,
) -> None:
    check_bot(
        GOOD_CONFIG | (config or {}),
        SimpleNamespace(**GOOD_STRATEGY | (strategy or {})),
        settings(**section),
    )


def test_the_defaults_pass() -> None:
    check()
    check({"trading_mode": "futures", "margin_mode": "isolated"})
    check(strategy={"minimal_roi": {0: 10.0}})


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"trading_mode": "spot"}, "trading_mode:"),
        ({"trading_mode": TradingMode.SPOT}, "trading_mode:"),
        ({"margin_mode": "cross"}, "margin_mode:"),
        ({"margin_mode": MarginMode.CROSS}, "margin_mode:"),
        ({"margin_mode": MarginMode.NONE}, "margin_mode:"),
        ({"timeframe": "3m"}, "timeframe:"),
        ({"timeframe": "1h"}, "timeframe:"),
    ],
)
def test_a_wrong_market_or_timeframe_is_named(config: dict[str, Any], key: str) -> None:
    with pytest.raises(SettingsError, match=key):
        check(config)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trailing_stop", True),
        ("exit_profit_only", True),
        ("use_exit_signal", False),
        ("use_custom_stoploss", False),
        ("position_adjustment_enable", True),
        ("process_only_new_candles", True),
        ("can_short", False),
        ("minimal_roi", {0: 0.05}),
        ("minimal_roi", {0: 100, 60: -1}),
        ("stoploss", -0.01),
        ("startup_candle_count", 15),
    ],
)
def test_an_override_that_breaks_exits_is_named(name: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=f"(?m)^{name}: "):
        check(strategy={name: value})


def test_a_class_stop_tighter_than_the_leveraged_fallback_is_refused() -> None:
    check(strategy={"stoploss": -0.2}, leverage=10)
    with pytest.raises(SettingsError, match=r"stoploss: .*fallback_pct \* liq_provider.leverage"):
        check(strategy={"stoploss": -0.19}, leverage=10)


def test_a_fallback_beyond_the_liquidation_price_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"liq_provider\.fallback_pct: 0\.1 .*leverage 10"):
        check(leverage=10, fallback_pct=0.1)


def test_a_fallback_close_to_the_liquidation_price_is_refused() -> None:
    """Maintenance margin and Freqtrade's buffer bring it nearer than 1/leverage."""
    check(leverage=10)
    check(leverage=10, fallback_pct=0.049)
    with pytest.raises(
        SettingsError, match=r"liq_provider\.fallback_pct: 0\.05 .*must be below 0\.5"
    ):
        check(leverage=10, fallback_pct=0.05)


def test_an_entry_delay_as_long_as_a_candle_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"liq_provider\.max_entry_delay_s: 60 "):
        check(max_entry_delay_s=60)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as told:
        check({"trading_mode": "spot"}, {"trailing_stop": True, "stoploss": -0.01})
    lines = str(told.value).splitlines()
    assert [line.partition(":")[0] for line in lines[1:]] == [
        *("trading_mode", "trailing_stop", "stoploss"),
    ]


def test_spot_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="trading_mode"):
        refuse_spot({})
    refuse_spot(GOOD_CONFIG)


# -- what the sidecar can serve -----------------------------------------------------------


def served(z: float = 3.0, purity: float = 0.75, mode: str = "follow", **sidecar: Any):
    return check_served(settings(), z, purity, mode, sidecar)


def test_parameters_above_the_floor_are_served() -> None:
    assert served() is None
    assert served(2.5, 0.7) is None


def test_a_threshold_below_the_floor_names_both_keys() -> None:
    assert "z_threshold 2.4 is below liq_provider.judge.z_min 2.5" in str(served(z=2.4))
    text = str(served(purity=0.69))
    assert "purity_threshold 0.69 is below liq_provider.judge.purity_min 0.7" in text


def test_the_floor_of_the_sidecar_that_runs_counts() -> None:
    text = str(served(settings={"judge": {"z_min": 4.0, "purity_min": 0.7}}))
    assert "z_threshold 3.0 is below judge.z_min 4.0 of the running sidecar" in text


def test_a_sidecar_that_judges_by_another_score_is_named_before_its_floor() -> None:
    text = str(served(settings={"zscore": "percentile", "judge": {"z_min": 0.97}}))
    assert "zscore classic differs from percentile, which the running sidecar judges by" in text
    own = settings(zscore="robust")
    running = {"settings": {"zscore": "robust", "judge": {"z_min": 1.7}}}
    assert check_served(own, 2.0, 0.75, "follow", running) is None


def test_minutes_that_count_other_events_name_the_key() -> None:
    text = str(served(settings={"min_event_usd": 500.0}))
    assert "liq_provider.min_event_usd 0 differs from 500" in text
    assert "liq-provider rebuild" in text
    assert served(settings={"min_event_usd": 0.0}) is None


def test_a_direction_that_is_never_judged_names_both_keys() -> None:
    text = str(served(mode="fade"))
    assert "direction_mode fade of the parameter file" in text
    assert "liq_provider.direction_mode follow" in text
