"""A simulated exchange in a process of its own, and a place that is set up for it."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from freqtrade.configuration.load_config import load_config_file

from liq_provider.launch.ports import free_port
from liq_provider.simulator.urls import freqtrade_exchange_config, venue_urls

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def exchange() -> Iterator[str]:
    """Base address of a quiet simulated exchange."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "liq_provider.cli", "simulate", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(1_000):
                try:
                    requests.get(f"{url}/sim/state", timeout=1)
                    break
                except requests.RequestException:
                    time.sleep(0.1)
            else:
                raise AssertionError("the simulator does not answer")
            yield url
        finally:
            process.terminate()


@pytest.fixture
def place(exchange: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory whose configuration is the example, pointed at the simulator."""
    monkeypatch.chdir(tmp_path)
    for name in ("strategies", "config.json.example"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "user_data").mkdir()
    write_config(tmp_path, exchange)
    return tmp_path


def write_config(place: Path, url: str, /, **changes: Any) -> None:
    """The example configuration with the simulator's addresses, and changes by top-level key."""
    config = load_config_file(str(ROOT / "config.json.example"))
    config["exchange"] = freqtrade_exchange_config(url) | {
        "pair_whitelist": ["BTC/USDT:USDT", "ETH/USDT:USDT"],
        "pair_blacklist": [],
    }
    config["liq_provider"] = {
        "autostart": True,
        "venues": venue_urls(url),
        "dashboard": {"port": 0},
    }
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(config.get(key), dict):
            value = config[key] | value
        config[key] = value
    (place / "user_data" / "config.json").write_text(json.dumps(config))
