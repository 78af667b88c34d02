"""A verdict as the page tells it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liq_provider.bot.rules_of_bots import in_force_of
from liq_provider.config.settings import Settings
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import Liquidation
from liq_provider.dashboard.market_rows import MarketRows
from liq_provider.dashboard.queries import PageReader
from liq_provider.dashboard.signals import record, signal, wave_words
from liq_provider.dashboard.tape import KEPT, Tape
from liq_provider.judge.prompt import messages
from liq_provider.judge.verdict_story import story_of_verdict
from liq_provider.measure.feature_rows import FeatureRows, State
from liq_provider.measure.minute_grid import FeatureParams
from liq_provider.measure.readiness import coin_readiness
from liq_provider.measure.scales import Score
from liq_provider.news.desk import NOT_ASKED, NewsSet
from liq_provider.sidecar.running_minute import Running
from liq_provider.store.database import open_engine
from liq_provider.store.writer import Writer
from tests.bot.helpers import feature_rows
from tests.commands.test_verdicts import call
from tests.judge.facts import CANDLES, NOW, facts, news

SETTINGS = Settings()
IN_FORCE = in_force_of(SETTINGS, {}, MINUTE_MS, None, "a test")
SOME = news("Bitcoin falls", summary="after a rise")


def row(**changes: Any) -> dict[str, Any]:
    values = dict.fromkeys(
        ("base_asset", "symbol", "direction", "liq_note", "trend_note", "news_note"), "x"
    )
    inputs = {"z": 9.0, "purity": 1.0, "count": 10, "trend_change": 0.05, "trend_noise": 0.01}
    inputs |= {"long_usd": 1_000.0, "short_usd": 99_000.0}
    inputs |= {name: changes.pop(name) for name in inputs if name in changes}
    return {
        **values,
        "direction": "LONG",
        "strength": "strong",
        "aligned": "yes",
        "news": "none",
        "news_key": "",
        "action": "enter",
        "confidence": "medium",
        "downgrade": 0,
        "judge": "matrix",
        "action_reason": "r",
        "wave_start_ms": 60_000,
        "available_at": 60_002,
        "expires_at": 92_000,
        "close_ms": 60_000,
        "confirmed": "[[60000, 60000]]",
        "inputs": json.dumps(inputs),
        "guard": '["a", "b"]',
        **changes,
    }


def told(verdict: dict[str, Any], whitelist: list[str] | None = None) -> dict[str, Any]:
    """A line of the table, of a verdict whose features are not stored."""
    in_force = in_force_of(SETTINGS, {}, MINUTE_MS, whitelist, "a test")
    listed = in_force.lists(verdict["symbol"])
    return signal(verdict, story_of_verdict(verdict, FeatureRows.empty(), in_force, (), listed))


def minutes(z: float, *, steady: bool = True) -> FeatureRows:
    """Features of the minutes that close at 60 and 120 seconds."""
    rows = feature_rows({0: (z, 0.02), 1: (z, 0.02)})
    begins = np.array([steady, steady])
    return replace(rows, close_ms=np.array([60_000, 120_000]), steady=begins)


REFUSED = "refused: a judge was against this wave, or doubted it"
VETO = {"action": "skip", "downgrade": 3}


@pytest.mark.parametrize(
    ("changes", "verb", "gate"),
    [
        ({}, "enter", None),
        ({"z": 2.7, "aligned": "no"}, "skip", "z 2.7 is below z_threshold 3"),
        ({"z": 2.96}, "skip", "z 2.96 is below z_threshold 3"),
        (
            {"long_usd": 25_000.0, "short_usd": 75_000.0},
            "skip",
            "purity 75% is not above 75%",
        ),
        ({"aligned": "unknown", "trend_change": None}, "skip", "no candles"),
        (
            {"trend_change": -0.05, "news": "contradicts", "aligned": "no"},
            "skip",
            "price does not follow",
        ),
        ({"judge": "unavailable", **VETO}, "skip", "no verdict of the judge"),
        (
            {"judge": "vetoed", **VETO},
            "skip",
            REFUSED,
        ),
        ({"news": "contradicts", **VETO}, "skip", "the news is against it"),
        ({"action": "hold", "downgrade": 3}, "hold", "the judge is not convinced"),
        (
            {"z": 4.0, "news": "not_asked"},
            "skip",
            "confidence low is below min_confidence medium",
        ),
        (
            {"available_at": 60_001 + 30_000},
            "skip",
            "its verdict came 30 s after the close, too late",
        ),
        ({"available_at": 60_000 + 30_000}, "enter", None),
    ],
)
def test_the_first_gate_that_fails_is_named(
    changes: dict[str, Any], verb: str, gate: str | None
) -> None:
    line = told(row(**changes))
    said = line["refused_by"]
    assert said is None if gate is None else (said or "").startswith(gate)
    assert (line["guarded"], line["verb"]) == (2, verb)


def test_a_verdict_that_came_late_for_one_minute_may_be_in_time_for_the_next() -> None:
    verdict = row(available_at=100_000, confirmed="[[60000, 120000]]")
    assert story_of_verdict(verdict, minutes(9.0), IN_FORCE).enters


def test_a_pair_that_the_bot_does_not_trade_is_no_open_gate() -> None:
    assert told(row(), ["x", "y"])["refused_by"] is None
    outside = told(row(), ["y"])
    assert outside["refused_by"] == "not in the bot's whitelist now"
    assert outside["words"] == "not entered: not in the bot's whitelist now"
    assert told(row(trend_change=-0.05), ["y"])["refused_by"] == "price does not follow"
    # A bot that did not tell its list is not said to have an empty one.
    assert told(row())["refused_by"] is None


def test_a_wave_whose_beginning_was_not_seen_is_no_open_gate() -> None:
    assert story_of_verdict(row(), minutes(9.0), IN_FORCE).refused_by is None
    unseen = story_of_verdict(row(), minutes(9.0, steady=False), IN_FORCE)
    assert unseen.refused_by == "its beginning was not seen"
    # What the measured gates say comes first, as a bot asks them in that order.
    low = story_of_verdict(row(), minutes(2.7, steady=False), IN_FORCE)
    assert low.refused_by == "z 2.7 is below z_threshold 3"


@pytest.mark.parametrize(
    ("asked", "state", "words"),
    [
        ({"min_baseline_segments": 288}, None, None),
        (
            {"baseline_hours": 30, "min_baseline_segments": 300},
            State.WARMING_UP,
            "warming up: 288 of 300 baseline segments of 5 min are known",
        ),
        (
            {"min_active_segments": 101},
            State.TOO_THIN,
            "too thin: liquidations in 100 of its baseline segments, 101 are needed",
        ),
    ],
)
def test_a_bot_that_asks_for_more_of_a_baseline_is_told_what_is_missing_as_readiness_tells_it(
    asked: dict[str, int], state: State | None, words: str | None
) -> None:
    in_force = in_force_of(Settings(**asked), {}, MINUTE_MS, None, "a test")
    assert story_of_verdict(row(), minutes(9.0), in_force).refused_by == words
    if state is not None:
        own = in_force.windows
        windows = FeatureParams(
            own.segment_min,
            own.baseline_segments,
            own.min_baseline_segments,
            own.min_active_segments,
        )
        assert coin_readiness(state, 288, 100, None, windows).reason == words


@pytest.mark.parametrize(
    ("inputs", "score"),
    [
        ({"z": 9.0}, "z 9.00"),
        ({"z": 2.414, "zscore": "robust"}, "robust z 2.41"),
        ({"z": 0.985, "zscore": "percentile"}, "larger than 98.5% of its baseline"),
        ({}, None),
    ],
)
def test_a_verdicts_score_is_told_by_its_name(inputs: dict[str, Any], score: str | None) -> None:
    story = story_of_verdict(row(), minutes(9.0), IN_FORCE)
    assert signal(row() | {"inputs": json.dumps(inputs)}, story)["score"] == score


@pytest.mark.parametrize(
    ("zscore", "peak", "words"),
    [
        ("classic", 9.04, "z 9.0"),
        ("robust", 2.41, "robust z 2.4"),
        ("percentile", 0.985, "larger than 98.5% of its baseline"),
    ],
)
def test_a_waves_peak_is_told_by_the_scores_name(zscore: Score, peak: float, words: str) -> None:
    told_of = wave_words({"peak_z": peak, "seen": True}, zscore)
    assert told_of == {"peak": words, "remark": ""}
    assert wave_words({"peak_z": peak, "seen": None}, zscore) == told_of
    unseen = wave_words({"peak_z": peak, "seen": False}, zscore)
    assert unseen["remark"] == "its beginning was not seen"


def test_a_verdict_between_two_candles_of_the_strategy_is_no_entry() -> None:
    slow = in_force_of(SETTINGS, {}, 5 * MINUTE_MS, None, "a test")
    said = story_of_verdict(row(), minutes(9.0), slow).refused_by
    assert said == "no candle of 5 min closed in the minutes that it was judged for"


def test_a_tape_gives_each_viewer_each_item_once() -> None:
    tape = Tape()
    order = Liquidation("okx", "m", "BTC/USDT:USDT", "BTC", "short", 10.0, 1.0, 10.0, 5, 6)
    tape.put([order, order])
    first = tape.since(0)
    assert [entry["id"] for entry in first] == [1, 2] and tape.since(2) == []
    tape.put([order])
    assert [entry["id"] for entry in tape.since(2)] == [3]
    # What was stored before comes too late to be put before what has come.
    tape.remember([{}])
    assert tape.last == 3


def test_a_tape_forgets_what_is_old() -> None:
    tape = Tape()
    order = Liquidation("okx", "m", "BTC/USDT:USDT", "BTC", "short", 10.0, 1.0, 10.0, 5, 6)
    tape.put([order] * 2_000)
    assert tape.last == 2_000 and len(tape.since(0)) == KEPT


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (State.READY, "ready"),
        (State.WARMING_UP, "warming up 41 of 72"),
        (State.TOO_THIN, "too thin 7 of 20"),
        (State.UNCOVERED, "not covered"),
    ],
)
def test_readiness_is_said_in_words(state: State, said: str) -> None:
    table = MarketRows(PageReader("sqlite:////nowhere"), SETTINGS, dict)
    features = {
        "base_asset": "BTC", "pair": "BTC/USDT:USDT", "z": None, "robust_z": None, "purity": 1.0,
        "count": 1, "state": int(state), "baseline_n": 41, "active_n": 7,
    }  # fmt: skip
    table.take(Running(60_000, 0, (), {"BTC": features}, {"BTC": "BTC/USDT:USDT"}))
    line = table._row("BTC", {"okx": (5.0, 0.0, 1, "BTC/USDT:USDT")})
    assert line["ready"] == said and line["venues"] == {"okx": [5, 0]}


def test_a_venue_whose_money_is_not_in_z_is_named() -> None:
    """The sums are of all venues; what is measured may be of fewer, see ``features``."""
    table = MarketRows(PageReader("sqlite:////nowhere"), SETTINGS, dict)
    names = sorted(SETTINGS.venues.enabled)
    features = {"base_asset": "BTC", "pair": "BTC/USDT:USDT", "z": 9.0, "state": int(State.READY)}
    for counted in (names[:1], names):
        row = features | {"venues": ",".join(counted)}
        table.take(Running(60_000, 0, (), {"BTC": row}, {"BTC": "BTC/USDT:USDT"}))
        line = table._row("BTC", {names[-1]: (5.0, 0.0, 1, "BTC/USDT:USDT")})
        assert line["left_out"] == [name for name in names if name not in counted]
    assert table._row("ETH", {"okx": (5.0, 0.0, 1, "ETH/USDT:USDT")})["left_out"] == []


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (SOME, ["Bitcoin falls"]),
        (NewsSet((), "none"), []),
        (NOT_ASKED, None),
    ],
)
def test_a_record_shows_the_news_that_the_judge_was_given(
    tmp_path: Path, given: NewsSet, shown: list[str] | None
) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    writer = Writer(open_engine(url))
    later = news("Bitcoin falls", "Something that was found later").items
    rows = [
        {
            **{name: getattr(item, name) for name in ("item_id", "title", "source", "summary")},
            **{"base_asset": "BTC", "provider": "rss", "available_at": 1, "published_ms": NOW},
        }
        for item in later
    ]
    writer.put_news(rows)
    sent = json.dumps(messages(facts(), CANDLES, "1m", given, NOW))
    writer.put_model_call(call(prompt=sent))
    writer.close()
    asked = row(
        base_asset="BTC", downgrade=0, inputs=json.dumps({"z": 9.0, "purity": 1.0, "call_id": "c1"})
    )
    told_of = record(PageReader(url), asked, IN_FORCE, {})
    titles = None if told_of["news"] is None else [item["title"] for item in told_of["news"]]
    assert (titles, told_of["asked"]) == (shown, True)
    if given is SOME:
        assert (
            told_of["news"][0]["age_min"] == 10 and told_of["news"][0]["summary"] == "after a rise"
        )
    gone = row(
        base_asset="BTC",
        downgrade=0,
        inputs=json.dumps({"z": 9.0, "purity": 1.0, "call_id": "pruned"}),
    )
    assert record(PageReader(url), gone, IN_FORCE, {})["call"] is None
    assert record(PageReader(url), row(downgrade=0), IN_FORCE, {})["asked"] is False
