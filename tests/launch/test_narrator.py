"""What the launchers say of a trade."""

from pathlib import Path
from typing import Any

import pytest

from liq_provider.launch.narrator import Narrator
from liq_provider.settings import Settings
from liq_provider.store.reader import Reader


def trade(**changes: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "pair": "SOL/USDT:USDT",
        "is_short": False,
        "enter_tag": "liq_long_strong_high",
        "open_rate": 193.11,
        "stop_loss": 189.25,
        "is_stop_loss_trailing": False,
        "is_open": True,
    } | changes


def test_the_stop_is_told_once_the_strategy_has_set_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrator = make(tmp_path)
    told = []
    # Freqtrade begins with the class's own stop, at a hundredth of the price.
    for stop in (1.94, 189.25, 189.25, 192.0):
        monkeypatch.setattr(narrator, "trades", lambda stop=stop: [trade(stop_loss=stop)])
        told.append([line.split(maxsplit=1)[0] for line in narrator._trade_changes()])
    assert told == [["entry"], ["stop"], [], ["stop"]]


def make(tmp_path: Path) -> Narrator:
    reader = Reader(f"sqlite:///{tmp_path / 'store.sqlite'}")
    return Narrator(reader, Settings(), tmp_path / "trades.sqlite")
