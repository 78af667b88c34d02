"""``judge``: what a model would be asked, with the candles and news that a sidecar would have."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liq_provider.cli import main
from liq_provider.commands import judge as module
from liq_provider.config.settings import Settings
from liq_provider.core.candle_columns import COLUMNS
from liq_provider.core.durations import MINUTE_MS
from liq_provider.store.database import open_engine
from liq_provider.store.writer import Writer
from tests.commands.test_explain import BTC, beat, configure
from tests.judge.test_story_from_store import FALLING, StoreWithWave
from tests.store.helpers import headline, model_call

CLOSE_MS = StoreWithWave().close_ms
EXPIRES_MS = CLOSE_MS + Settings().verdict_life_ms


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


# -- news -------------------------------------------------------------------------------------


@pytest.fixture
def writer(asked: list[tuple[Any, ...]], workplace: Path) -> Iterator[Writer]:
    """The same store, with headlines of the last moment and of just after it."""
    url = f"sqlite:///{workplace / 'user_data' / 'liq_provider.sqlite'}"
    writer = Writer(open_engine(url))
    writer.put_news([headline(EXPIRES_MS, "n1", title="BTC falls, just in time")])
    writer.put_news([headline(EXPIRES_MS + 1, "n2", title="BTC falls, told too late")])
    yield writer
    writer.close()


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["judge", "--dry", "--pair", BTC, "--at", str(CLOSE_MS)]) == 0
    return capsys.readouterr().out


def test_a_question_that_was_not_asked_has_the_news_until_its_verdict_would_expire(
    writer: Writer, capsys: pytest.CaptureFixture[str]
) -> None:
    said = shown(capsys)
    assert "No question about this minute is on record" in said
    assert "just in time" in said and "told too late" not in said


def test_the_sources_of_a_question_are_known_of_the_last_moments_news_too(
    writer: Writer, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"news": [{"title": "BTC falls, just in time"}]}
    chat = [{"role": "user", "content": f"---\n{json.dumps(given)}\n---"}]
    writer.put_model_call(
        model_call(EXPIRES_MS - 1, close_ms=CLOSE_MS, requests=1, prompt=json.dumps(chat))
    )
    assert "News: 1 headlines of 1 independent sources" in shown(capsys)
