"""Freqtrade's commands accept the strategy and the example configuration."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cloudpickle
import pytest
from freqtrade.enums import CandleType, RunMode
from freqtrade.resolvers import StrategyResolver

from liq_provider.core.durations import MINUTE_MS
from tests.bot.helpers import Store, at
from tests.bot.test_engine import BTC, candles
from tests.integration.harness import ROOT, bot_config, simulator


def freqtrade(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "freqtrade", *arguments],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "400"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def ours(text: str) -> list[str]:
    """Warnings and errors that name LiqTrend or its package."""
    return [
        line
        for line in text.splitlines()
        if ("WARNING" in line or "ERROR" in line) and "liq" in line.lower()
    ]


def test_list_strategies_finds_it() -> None:
    done = freqtrade(
        "list-strategies", "--strategy-path", "strategies", "-c", "config.json.example"
    )
    assert done.returncode == 0, done.stderr
    row = next(line for line in done.stdout.splitlines() if "LiqTrend" in line and "│" in line)
    assert "OK" in row
    assert ours(done.stdout + done.stderr) == []


def test_show_config_takes_the_example() -> None:
    done = freqtrade("show-config", "-c", "config.json.example")
    assert done.returncode == 0, done.stderr
    assert "liq_provider" in done.stdout
    assert ours(done.stdout + done.stderr) == []


def test_a_wrong_setting_is_one_message_and_no_traceback(tmp_path: Path) -> None:
    with simulator() as sim:
        path = tmp_path / "config.json"
        path.write_text(json.dumps(bot_config(sim, tmp_path, z_treshold=3)))
        done = freqtrade("trade", "-c", str(path), cwd=tmp_path)
    text = done.stdout + done.stderr
    assert done.returncode == 2
    assert "Traceback" not in text
    errors = [line for line in text.splitlines() if " ERROR " in line]
    assert len(errors) == 1
    assert "liq_provider.z_treshold: unknown key" in errors[0]


def test_the_strategy_can_be_pickled_after_it_was_populated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "store.sqlite")
    config = {
        "strategy": "LiqTrend",
        "strategy_path": str(ROOT / "strategies"),
        "user_data_dir": tmp_path / "user_data",
        "runmode": RunMode.BACKTEST,
        "trading_mode": "futures",
        "margin_mode": "isolated",
        "candle_type_def": CandleType.FUTURES,
        "stake_currency": "USDT",
        "liq_provider": {"store": "sqlite:///store.sqlite"},
    }
    strategy = StrategyResolver.load_strategy(config)
    strategy.ft_bot_start()
    frame = strategy.ft_advise_signals(
        strategy.advise_indicators(candles(), {"pair": BTC}), {"pair": BTC}
    )
    again = cloudpickle.loads(cloudpickle.dumps(strategy))
    assert again.liq.engine.decision(BTC, at(40)) is not None
    assert again.liq.engine.timeframe_ms == MINUTE_MS
    repeated = again.ft_advise_signals(
        again.advise_indicators(candles(), {"pair": BTC}), {"pair": BTC}
    )
    assert repeated.equals(frame)
    store.close()
