"""
Freqtrade lets a trade through, keeps an old frame or an old stop when a callback raises. Here
something inside each of them raises, in the real bot, and what follows must be safe.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from freqtrade.exceptions import FreqtradeException

from liq_provider.bot import last_look, position
from liq_provider.bot.engine import Engine
from liq_provider.bot.live import LiveLoop
from liq_provider.bot.store_reading import StoreReading
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


class PlantedError(Exception):
    """What a test makes a function raise."""


def broken(*_: Any, **__: Any) -> Any:
    raise PlantedError("planted")


@pytest.fixture
def bot(sim: Simulator, store: Store, tmp_path: Path) -> Iterator[Bot]:
    with running(bot_config(sim, tmp_path, leverage=5), tmp_path) as made:
        yield made


@pytest.fixture
def holding(bot: Bot, store: Store) -> Bot:
    """A bot that is short BTC."""
    wave(store, fresh_minute(), {"BTC": ("SHORT", 9)})
    bot.loop()
    assert set(bot.open) == {BTC}
    return bot


def exits_work(bot: Bot, sim: Simulator) -> bool:
    """A gap through the stop closes the position in one loop."""
    sim.set_price("BTCUSDT", to_pct=6)
    bot.loop()
    return bot.open == {}


def test_bot_start_does_not_start(
    sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liq_provider.bot.start.check_bot", broken)
    with pytest.raises(FreqtradeException, match="planted"):
        Bot(bot_config(sim, tmp_path), tmp_path)


def test_a_bot_that_cannot_start_its_sidecar_still_has_its_exits(
    sim: Simulator, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(bot_config(sim, tmp_path), tmp_path) as before:
        wave(store, fresh_minute(), {"BTC": ("SHORT", 9)})
        before.loop()
        assert set(before.open) == {BTC}
    (tmp_path / "file").write_text("not a directory")
    config = bot_config(sim, tmp_path, autostart=True, store="sqlite:///file/store.sqlite")
    with running(config, tmp_path) as bot:
        for _ in range(2):
            bot.loop()
        assert caplog.text.count("liq_provider.store: the sidecar cannot be started") == 1
        assert len([text for text in bot.messages if "no entries" in str(text)]) == 1
        assert set(bot.open) == {BTC}
        assert exits_work(bot, sim)


def test_bot_loop_start_enters_nothing_and_exits_go_on(
    holding: Bot, store: Store, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(LiveLoop, "begin", broken)
        wave(store, fresh_minute(), {"ETH": ("LONG", 9)})
        holding.loop()
        assert set(holding.open) == {BTC}
        assert exits_work(holding, sim)


def test_reading_the_store_enters_nothing_and_exits_go_on(
    holding: Bot, store: Store, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StoreReading, "_steps", broken)
    wave(store, fresh_minute(), {"ETH": ("LONG", 9)})
    holding.loop()
    assert set(holding.open) == {BTC}
    assert exits_work(holding, sim)


@pytest.mark.parametrize("where", ["to_analyze", "analyzed", "choose"])
def test_analyze_enters_nothing_and_exits_go_on(
    bot: Bot, store: Store, sim: Simulator, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Engine, where, broken)
        wave(store, fresh_minute(), {"BTC": ("SHORT", 9)})
        bot.loop()
        assert bot.open == {}
    bot.loop()
    assert set(bot.open) == {BTC}, "the next loop works again"
    monkeypatch.setattr(Engine, where, broken)
    assert exits_work(bot, sim)


def test_ranking_takes_back_signals_that_are_out(
    bot: Bot, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    wave(store, fresh_minute(), {"BTC": ("SHORT", 9)})
    with monkeypatch.context() as patch:
        patch.setattr(bot.freqtrade, "enter_positions", lambda *_: 0)
        bot.loop()
    frame, _ = bot.freqtrade.dataprovider.get_analyzed_dataframe(BTC, "1m")
    assert frame["enter_short"].iat[-1] == 1
    monkeypatch.setattr(Engine, "choose", broken)
    bot.loop()
    frame, _ = bot.freqtrade.dataprovider.get_analyzed_dataframe(BTC, "1m")
    assert frame["enter_short"].iat[-1] == 0
    assert bot.open == {}


@pytest.mark.parametrize("where", ["indicators", "entries", "exits"])
def test_populate_enters_nothing_on_the_frame_of_an_earlier_loop(
    bot: Bot, store: Store, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    wave(store, fresh_minute(), {"BTC": ("SHORT", 9), "ETH": ("LONG", 9)})
    with monkeypatch.context() as patch:
        patch.setattr(bot.freqtrade, "enter_positions", lambda *_: 0)
        bot.loop()
    original = getattr(Engine, where)

    def fails_for_btc(self: Engine, frame: Any, pair: str, *more: Any) -> Any:
        if pair == BTC:
            raise PlantedError("planted")
        return original(self, frame, pair, *more)

    with monkeypatch.context() as patch:
        patch.setattr(Engine, where, fails_for_btc)
        bot.strategy.liq.engine._changed.add("BTC")
        bot.loop()
        assert BTC not in bot.open


def test_confirm_trade_entry_denies(
    bot: Bot, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    wave(store, fresh_minute(), {"BTC": ("SHORT", 9)})
    monkeypatch.setattr(last_look, "deny_live", broken)
    bot.loop()
    assert bot.open == {}


class _Broken:
    """Settings of which one cannot be read."""

    def __init__(self, real: Any, name: str) -> None:
        self._real = real
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name == self._name:
            raise PlantedError("planted")
        return getattr(self._real, name)


def test_leverage_is_one(bot: Bot, store: Store) -> None:
    bot.strategy.liq.settings = _Broken(bot.strategy.liq.settings, "leverage")
    wave(store, fresh_minute(), {"BTC": ("SHORT", 9)})
    bot.loop()
    assert bot.open[BTC].leverage == 1.0


def test_custom_entry_price_is_the_books(bot: Bot, store: Store) -> None:
    bot.strategy.order_types = bot.strategy.order_types | {"entry": "limit"}
    bot.strategy.liq.settings = _Broken(bot.strategy.liq.settings, "max_slippage_pct")
    wave(store, fresh_minute(), {"BTC": ("SHORT", 9)})
    bot.loop()
    trade = bot.open[BTC]
    assert trade.open_rate_requested == pytest.approx(trade.open_rate, rel=1e-4)


def test_order_filled_leaves_the_trade_and_its_stop(
    bot: Bot, store: Store, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(position, "record", broken)
    wave(store, fresh_minute(), {"BTC": ("SHORT", 9)})
    bot.loop()
    assert bot.open[BTC].stop_loss == pytest.approx(bot.open[BTC].open_rate * 1.02, rel=1e-3)
    assert exits_work(bot, sim)


def test_custom_exit_leaves_the_stops(
    holding: Bot, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "level_at", broken)
    holding.loop()
    assert set(holding.open) == {BTC}
    assert exits_work(holding, sim)


def test_custom_stoploss_still_gives_the_fallback(
    bot: Bot, store: Store, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(position, "current_stops", broken)
    wave(store, fresh_minute(), {"BTC": ("SHORT", 9)})
    bot.loop()
    trade = bot.open[BTC]
    assert trade.stop_loss == pytest.approx(trade.open_rate * 1.02, rel=1e-3)
    assert exits_work(bot, sim)


def test_a_stop_beyond_the_liquidation_price_is_told_once(
    holding: Bot, caplog: pytest.LogCaptureFixture
) -> None:
    trade = holding.open[BTC]
    holding.loop()
    assert "beyond the liquidation price" not in caplog.text
    trade.liquidation_price = trade.open_rate * 1.015
    for _ in range(2):
        holding.loop()
    told = [text for text in caplog.messages if "beyond the liquidation price" in text]
    assert len(told) == 1
    assert "liq_provider.fallback_pct" in told[0]
    assert "liq_provider.leverage" in told[0]


@pytest.mark.parametrize(
    ("tag", "reason"), [("liq_short_strong_medium", "liq_upgrade"), ("force_entry", None)]
)
def test_only_what_a_signal_entered_is_upgraded(
    holding: Bot, monkeypatch: pytest.MonkeyPatch, tag: str, reason: str | None
) -> None:
    monkeypatch.setattr(Engine, "level_at", lambda *_: 3)
    trade = holding.open[BTC]
    trade.enter_tag = tag
    now = datetime.now(UTC)
    asked = {"current_time": now, "current_rate": trade.open_rate, "current_profit": 0.0}
    assert holding.strategy.custom_exit(pair=BTC, trade=trade, **asked) == reason


def test_plot_annotations_are_none(holding: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    frame, _ = holding.freqtrade.dataprovider.get_analyzed_dataframe(BTC, "1m")
    assert len(holding.strategy.ft_plot_annotations(BTC, frame)) == 1
    holding.strategy.liq.engine = _Broken(holding.strategy.liq.engine, "timeframe_ms")
    assert holding.strategy.ft_plot_annotations(BTC, frame) == []


def test_plot_annotations_are_none_before_the_bot_has_started(bot: Bot) -> None:
    strategy = type(bot.strategy)(bot.strategy.config)
    frame, _ = bot.freqtrade.dataprovider.get_analyzed_dataframe(BTC, "1m")
    for candles in (frame, frame.iloc[:0]):
        annotations = strategy.plot_annotations(
            pair=BTC, start_date=None, end_date=None, dataframe=candles
        )
        assert annotations == []


def test_a_backtest_says_and_keeps_nothing(holding: Bot) -> None:
    """Its trades have no custom data that a later one could read."""
    trade, said = holding.open[BTC], len(holding.messages)
    kept = len(trade.get_all_custom_data())
    trade.exit_reason, order = "stop_loss", trade.orders[0]
    holding.strategy.liq.live = None
    holding.strategy.order_filled(
        pair=BTC, trade=trade, order=order, current_time=datetime.now(UTC)
    )
    holding.strategy.bot_loop_start(datetime.now(UTC))
    assert len(trade.get_all_custom_data()) == kept
    assert len(holding.strategy.dp._msg_queue) == 0
    assert len(holding.messages) == said


# -- limit orders -------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "bound"), [("market", 0.0), ("limit", 0.003)])
def test_only_a_limit_order_is_bounded(bot: Bot, kind: str, bound: float) -> None:
    strategy = bot.strategy
    strategy.order_types = strategy.order_types | {"entry": kind}
    for side, sign in (("long", 1), ("short", -1)):
        price = strategy.custom_entry_price(
            pair=ETH, trade=None, current_time=None, proposed_rate=100.0, entry_tag="", side=side
        )
        assert price == pytest.approx(100 * (1 + sign * bound))


def test_a_limit_entry_is_filled_in_the_real_bot(
    sim: Simulator, store: Store, tmp_path: Path
) -> None:
    config = bot_config(sim, tmp_path)
    config["order_types"] = {
        "entry": "limit",
        "exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": False,
    }
    with running(config, tmp_path) as bot:
        wave(store, fresh_minute(), {"BTC": ("SHORT", 9), "ETH": ("LONG", 9)})
        bot.loop()
        assert set(bot.open) == {BTC, ETH}
        for trade in bot.open.values():
            assert trade.has_open_position
            assert trade.orders[0].order_type == "limit"
