"""What page and command say of a world of stories, and what a backtest would order there."""

import json
from argparse import Namespace
from typing import Any

import numpy as np
import pytest

from liq_provider.bot.engine import Engine
from liq_provider.commands import explain as command
from liq_provider.core.candle_columns import COLUMNS, no_candles
from liq_provider.dashboard import board as page
from liq_provider.dashboard.account import Account
from liq_provider.dashboard.board import Board
from liq_provider.dashboard.queries import PageReader
from tests.storyworld import CLOSE, NOW, StoryWorld


def explained(
    world: StoryWorld,
    pair: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    now_ms: int = NOW,
) -> dict[str, Any]:
    """What the command prints for a parser."""

    def candles_of(*_: Any) -> tuple[Any, str | None]:
        if world.scenes[pair[:4]].price is None:
            return no_candles(), "No candles: a test has none."
        close = world.frame(pair[:4])["close"].to_numpy()
        return np.repeat(close[:, None], len(COLUMNS), axis=1), None

    monkeypatch.chdir(world.store.path.parent.parent)
    monkeypatch.setattr(command, "machine_ms", lambda: now_ms)
    monkeypatch.setattr(command, "candles_of", candles_of)
    capsys.readouterr()
    command.explain(Namespace(pair=pair, at=None, json=True, config=None, store=None))
    return dict(json.loads(capsys.readouterr().out))


def board_of(world: StoryWorld, monkeypatch: pytest.MonkeyPatch) -> Board:
    """The page, with a table that has room for all, after one look at the store."""
    monkeypatch.setattr(page, "_SIGNALS", 10_000)
    board = Board(
        PageReader(world.store.url), world.settings, Account(None), None, lambda: NOW, dict
    )
    board.take_status(world.reader.states(["sidecar"])["sidecar"])
    board._look()
    return board


def order_is_short(engine: Engine, pair: str) -> bool:
    """The side of the order that a signal would lead to."""
    decided = engine.decision(pair, CLOSE)
    return decided is None or bool(decided[0].sign[decided[1]] <= 0)
