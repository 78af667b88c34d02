"""``judge``: what a model would be asked, with the candles that the sidecar would have had."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liq_provider.cli import main
from liq_provider.commands import judge as module
from liq_provider.core.candle_columns import COLUMNS
from liq_provider.core.durations import MINUTE_MS
from tests.commands.test_explain import BTC, beat, configure
from tests.judge.test_story_from_store import FALLING, StoreWithWave


@pytest.fixture
def asked(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the exchange is asked for; the store goes on after the wave."""
    scene = StoreWithWave(covered_until=26 * 60 + 4)
    scene.build(f"sqlite:///{workplace / 'user_data' / 'liq_provider.sqlite'}").close()
    asked: list[tuple[Any, ...]] = []

    def candles_of(_context: Any, *wanted: Any) -> tuple[Any, None]:
        asked.append(wanted)
        return np.repeat(FALLING[:, None], len(COLUMNS), axis=1), None

    monkeypatch.setattr(module, "candles_of", candles_of)
    return asked


@pytest.mark.parametrize(("timeframe", "minutes"), [("1m", 0), ("5m", 2), ("1h", 2)])
def test_a_minute_within_a_candle_is_asked_about_with_the_candles_before_it(
    asked: list[tuple[Any, ...]],
    capsys: pytest.CaptureFixture[str],
    timeframe: str,
    minutes: int,
) -> None:
    configure(timeframe=timeframe)
    close_ms = StoreWithWave().close_ms
    at_ms = close_ms + minutes * MINUTE_MS
    assert main(["judge", "--pair", BTC, "--at", str(at_ms), "--dry"]) == 0
    assert asked == [(BTC, close_ms, timeframe)]
    assert f'"timeframe": "{timeframe}"' in capsys.readouterr().out


def test_the_candles_are_those_of_the_bot_that_is_there(
    asked: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    configure(timeframe="5m")
    beat("A")
    assert main(["judge", "--pair", BTC, "--at", str(StoreWithWave().close_ms), "--dry"]) == 0
    assert asked == [(BTC, StoreWithWave().close_ms, "1m")]
