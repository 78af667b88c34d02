"""Verdicts about waves that the model may have read about prove nothing."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from liq_provider.config.settings import Settings, load_settings
from liq_provider.study.judge_findings import judge_sentences
from tests.study.planted import market, pair_data
from tests.study.recorded_waves import DETAILS, MODEL, RecordedMarket, Wave


@pytest.fixture
def record(tmp_path: Path) -> Iterator[RecordedMarket]:
    data = pair_data(market(1, 12, 0.0))
    recorded = RecordedMarket(tmp_path / "store.sqlite", [data], load_settings({}, {}))
    yield recorded
    recorded.store.close()


def day_of(wave: Wave, days: int = 0) -> str:
    moment = datetime.fromtimestamp(wave.facts.wave_start_ms / 1000, UTC)
    return (moment + timedelta(days=days)).date().isoformat()


def settings(**llm: Any) -> Settings:
    return load_settings({"liq_provider": {"llm": llm}}, {})


def test_what_the_record_says_the_model_knew_is_left_out_and_said(record: RecordedMarket) -> None:
    first, last = record.waves[0], record.waves[-1]
    cutoff = day_of(first)
    assert day_of(last) > cutoff
    inputs = json.dumps(DETAILS | {"knowledge_cutoff": cutoff})
    for wave in record.waves:
        record.model(wave, inputs=inputs)
    after = [wave for wave in record.waves if day_of(wave) > cutoff]
    judges = record.judges()
    assert (judges.said, judges.foreknown) == (len(after), len(record.waves) - len(after))
    (sentence,) = [line for line in judge_sentences(judges) if "knowledge_cutoff" in line]
    assert sentence.startswith(f"{judges.foreknown:,} verdict(s) are left out")


def test_what_the_settings_say_holds_for_the_model_that_is_configured(
    record: RecordedMarket,
) -> None:
    for wave in record.waves:
        record.model(wave)
    after_all = day_of(record.waves[-1], 1)
    name = MODEL.split("@")[0]
    own = record.judges(settings(model=name, knowledge_cutoff=after_all))
    assert (own.said, own.foreknown) == (0, len(record.waves))
    assert any("left out" in line for line in judge_sentences(own))
    other = record.judges(settings(model="another", knowledge_cutoff=after_all))
    assert (other.said, other.foreknown) == (len(record.waves), 0)


def test_without_a_date_nothing_is_left_out_and_nothing_said(record: RecordedMarket) -> None:
    for wave in record.waves:
        record.model(wave, inputs=json.dumps(DETAILS | {"knowledge_cutoff": "soon"}))
        record.matrix(wave)
    judges = record.judges()
    assert judges.foreknown == 0
    assert not any("left out" in line for line in judge_sentences(judges))
