"""``judge --dry`` shows the news that a verdict on the minute could be based on, and no later."""

import json
from pathlib import Path

import numpy as np
import pytest

from liq_provider.cli import main
from liq_provider.commands import judge as module
from liq_provider.config.settings import Settings
from liq_provider.core.candle_columns import COLUMNS
from liq_provider.store.database import open_engine
from liq_provider.store.writer import Writer
from tests.judge.test_story_from_store import FALLING, Scene
from tests.store.helpers import headline, model_call

LIFE_MS = Settings().verdict_life_ms
BTC = "BTC/USDT:USDT"


@pytest.fixture
def scene(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A wave, and headlines that were found at the last moment and just after it."""
    scene = Scene()
    url = f"sqlite:///{workplace / 'user_data' / 'liq_provider.sqlite'}"
    scene.build(url).close()
    writer = Writer(open_engine(url))
    expires_at = scene.close_ms + LIFE_MS
    writer.put_news([headline(expires_at, "n1", title="BTC falls, just in time")])
    writer.put_news([headline(expires_at + 1, "n2", title="BTC falls, told too late")])
    writer.close()
    candles = np.repeat(FALLING[:, None], len(COLUMNS), axis=1)
    monkeypatch.setattr(module, "candles_of", lambda *_: (candles, None))
    return scene


def shown(scene: Scene, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["judge", "--dry", "--pair", BTC, "--at", str(scene.close_ms)]) == 0
    return capsys.readouterr().out


def test_a_question_that_was_not_asked_has_the_news_until_its_verdict_would_expire(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    said = shown(scene, capsys)
    assert "No question about this minute is on record" in said
    assert "just in time" in said and "told too late" not in said


def test_the_sources_of_a_question_are_known_of_the_last_moments_news_too(
    scene: Scene, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"news": [{"title": "BTC falls, just in time"}]}
    chat = [{"role": "user", "content": f"---\n{json.dumps(given)}\n---"}]
    asked_ms = scene.close_ms + LIFE_MS - 1
    writer = Writer(open_engine(f"sqlite:///{workplace / 'user_data' / 'liq_provider.sqlite'}"))
    writer.put_model_call(
        model_call(asked_ms, close_ms=scene.close_ms, requests=1, prompt=json.dumps(chat))
    )
    writer.close()
    assert "News: 1 headlines of 1 independent sources" in shown(scene, capsys)
