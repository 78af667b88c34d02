"""Backtests spare the copies of a trade, and Freqtrade's inside is as it takes that."""

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cloudpickle
import freqtrade
import pytest
from freqtrade.persistence import LocalTrade
from freqtrade.strategy import strategy_wrapper
from freqtrade.strategy.strategy_wrapper import strategy_safe_wrapper

from liq_provider.bot import uncopied
from liq_provider.bot.uncopied import hand_over_trades
from tests.strategies.test_search import loaded

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Own:
    """A strategy whose callbacks leave the trade alone."""

    def custom_exit(self, pair: str, trade: Any, **_: Any) -> Any:
        return trade

    def custom_stoploss(self, pair: str, trade: Any, **_: Any) -> Any:
        return trade


class Derived(Own):
    """One of its callbacks is of its own."""

    def custom_exit(self, pair: str, trade: Any, **_: Any) -> Any:
        return trade


def handed_over(callback: Callable[..., Any], trade: Any) -> Any:
    """:return: what a callback gets that Freqtrade calls with this trade"""
    return strategy_safe_wrapper(callback)(pair="BTC/USDT:USDT", trade=trade)


@pytest.mark.parametrize("name", ["custom_exit", "custom_stoploss"])
def test_a_callback_gets_the_trade_itself(name: str) -> None:
    strategy: Any = Own()
    trade = ["a trade"]
    assert handed_over(getattr(strategy, name), trade) is not trade, "Freqtrade makes copies"
    hand_over_trades(strategy, Own)
    assert handed_over(getattr(strategy, name), trade) is trade


def test_what_a_derived_class_puts_in_their_place_gets_copies() -> None:
    strategy: Any = Derived()
    trade = ["a trade"]
    hand_over_trades(strategy, Own)
    assert handed_over(strategy.custom_exit, trade) is not trade
    assert handed_over(strategy.custom_stoploss, trade) is trade


def test_a_strategy_is_pickled_with_them_as_hyperopt_does() -> None:
    strategy: Any = Own()
    trade = ["a trade"]
    strategy.mark = "the one that was pickled"
    hand_over_trades(strategy, Own)
    again = cloudpickle.loads(cloudpickle.dumps(strategy))
    assert again.custom_exit._strategy is again and again.mark == strategy.mark
    assert handed_over(again.custom_exit, trade) is trade


def copies_always(call: Callable[..., Any]) -> Callable[..., Any]:
    return lambda **arguments: call(trade=list(arguments["trade"]))


def never_calls(call: Callable[..., Any]) -> Callable[..., Any]:
    return lambda **_: None


def fails(call: Callable[..., Any]) -> Callable[..., Any]:
    raise AttributeError("no such name")


@pytest.mark.parametrize("wrapper", [copies_always, never_calls, fails])
def test_with_another_freqtrade_all_stays_as_it_is(
    wrapper: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy: Any = Own()
    monkeypatch.setattr(strategy_wrapper, "strategy_safe_wrapper", wrapper)
    hand_over_trades(strategy, Own)
    assert strategy.custom_exit.__func__ is Own.custom_exit
    assert strategy.custom_stoploss.__func__ is Own.custom_stoploss


def test_a_freqtrade_that_has_its_wrapper_elsewhere_makes_copies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strategy: Any = Own()
    monkeypatch.setitem(sys.modules, strategy_wrapper.__name__, None)
    hand_over_trades(strategy, Own)
    assert strategy.custom_exit.__func__ is Own.custom_exit


def test_the_name_of_a_callback_decides_about_nothing_else_in_freqtrade() -> None:
    root = Path(freqtrade.__file__).parent
    users = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if re.search(r"__qualname__|co_qualname", path.read_text())
    }
    # The second names the method that a message is about, of informative pairs.
    assert users <= {"strategy/strategy_wrapper.py", "strategy/informative_decorator.py"}


# -- what LiqTrend's own callbacks do -----------------------------------------------------


class Untouchable(LocalTrade):
    """Notices who writes to it."""

    touched = False

    def __setattr__(self, name: str, value: Any) -> None:
        if Untouchable.touched is None:
            raise AssertionError(f"{name} is written to")
        super().__setattr__(name, value)


@pytest.fixture
def trade(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(Untouchable, "touched", False)
    made = Untouchable(
        pair="BTC/USDT:USDT",
        open_rate=100.0,
        open_date=NOW,
        is_short=False,
        leverage=1.0,
        enter_tag="liq_long_strong_low",
        stake_amount=100.0,
        amount=1.0,
        fee_open=0.0,
        fee_close=0.0,
    )
    monkeypatch.setattr(Untouchable, "touched", None)
    return made


@pytest.mark.parametrize("on_upgrade", ["reopen", "keep"])
def test_liqtrends_callbacks_write_to_no_trade(
    trade: Any, on_upgrade: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    strategy = loaded()(
        {
            "runmode": "plot",
            "trading_mode": "futures",
            "margin_mode": "isolated",
            "candle_type_def": "futures",
            "timeframe": "1m",
            "max_open_trades": 5,
            "exchange": {},
            "user_data_dir": tmp_path / "user_data",
            "liq_provider": {"on_upgrade": on_upgrade},
        }
    )
    strategy.bot_start()
    written: dict[str, Any] = {}
    monkeypatch.setattr(LocalTrade, "get_custom_data", lambda self, key, default=None: default)
    monkeypatch.setattr(
        LocalTrade, "set_custom_data", lambda self, key, value: written.update({key: value})
    )
    monkeypatch.setattr(strategy.liq.engine, "level_at", lambda *_: 3)
    monkeypatch.setattr(strategy.liq.engine, "upgrade", lambda *_: None)
    asked = SimpleNamespace(pair=trade.pair, current_time=NOW, current_rate=101.0)
    more = {"current_profit": 0.01, **vars(asked)}
    reason = strategy_safe_wrapper(strategy.custom_exit)(trade=trade, **more)
    assert reason == ("liq_upgrade" if on_upgrade == "reopen" else None)
    assert bool(written) == (on_upgrade == "keep")
    for after_fill in (True, False):
        stop = strategy_safe_wrapper(strategy.custom_stoploss)(
            trade=trade, after_fill=after_fill, **more
        )
        assert stop is not None and stop > 0
    assert isinstance(strategy.custom_exit, uncopied.Uncopied)
