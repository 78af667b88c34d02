"""A verdict as the page tells it."""

import json
from pathlib import Path
from typing import Any

import pytest

from liq_provider.config.settings import Settings
from liq_provider.core.liquidation import Liquidation
from liq_provider.dashboard.market_rows import MarketRows
from liq_provider.dashboard.queries import PageReader
from liq_provider.dashboard.signals import record, refused_by, signal
from liq_provider.dashboard.tape import Tape
from liq_provider.judge.prompt import messages
from liq_provider.measure.feature_rows import State
from liq_provider.news.desk import NOT_ASKED, NewsSet
from liq_provider.sidecar.running_minute import Running
from liq_provider.store import schema
from liq_provider.store.database import open_engine
from liq_provider.store.writer import Writer
from tests.commands.test_verdicts import call
from tests.judge.facts import CANDLES, NOW, facts, news

SETTINGS = Settings()
SOME = news("Bitcoin falls", summary="after a rise")


def row(**changes: Any) -> dict[str, Any]:
    values = dict.fromkeys(
        ("base_asset", "symbol", "direction", "liq_note", "trend_note", "news_note"), "x"
    )
    inputs = {name: changes.pop(name) for name in ("z", "purity") if name in changes}
    return {
        **values,
        "strength": "strong",
        "aligned": "yes",
        "news": "none",
        "action": "enter",
        "confidence": "medium",
        "judge": "matrix",
        "action_reason": "r",
        "wave_start_ms": 1,
        "available_at": 60_002,
        "expires_at": 92_000,
        "close_ms": 60_000,
        "confirmed": "[[60000, 60000]]",
        "inputs": json.dumps({"z": 9.0, "purity": 0.95} | inputs),
        "guard": '["a", "b"]',
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "gate"),
    [
        ({}, None),
        ({"z": 2.7, "aligned": "no"}, "z 2.7 is below z_threshold 3"),
        ({"purity": 0.75}, "purity 75% is not above 75%"),
        ({"aligned": "unknown"}, "no candles"),
        ({"aligned": "no", "news": "contradicts"}, "price does not follow"),
        ({"judge": "unavailable", "action": "skip"}, "no verdict of the model"),
        ({"judge": "vetoed", "action": "skip"}, "vetoed"),
        ({"news": "contradicts", "action": "skip"}, "news contradicts"),
        ({"action": "hold"}, "the judge says hold"),
        ({"confidence": "low"}, "confidence low is below min_confidence medium"),
        ({"available_at": 60_001 + 30_000}, "came 30 s after the close, too late"),
        ({"available_at": 60_000 + 30_000}, None),
        ({"available_at": 100_000, "confirmed": "[[60000, 120000]]"}, None),
    ],
)
def test_the_first_gate_that_fails_is_named(changes: dict[str, Any], gate: str | None) -> None:
    found = row(**changes)
    said = refused_by(found, json.loads(found["inputs"]), SETTINGS)
    assert said is None if gate is None else (said or "").startswith(gate)
    assert signal(found, SETTINGS)["guarded"] == 2


def test_a_pair_that_the_bot_does_not_trade_is_no_open_gate() -> None:
    assert signal(row(), SETTINGS, {"x", "y"})["refused_by"] is None
    assert signal(row(), SETTINGS, {"y"})["refused_by"] == "not in the bot's whitelist now"
    first = signal(row(aligned="no"), SETTINGS, {"y"})["refused_by"]
    assert first == "price does not follow"
    # A bot that did not tell its list is not said to have an empty one.
    assert signal(row(), SETTINGS)["refused_by"] is None


def test_a_wave_whose_beginning_was_not_seen_is_no_open_gate() -> None:
    said = "the wave's beginning was not seen"
    assert signal(row(), SETTINGS, frozenset(), {("x", "x", 1)})["refused_by"] == said
    assert signal(row(), SETTINGS, frozenset(), {("x", "x", 2)})["refused_by"] is None
    # What the measured gates say comes first, as a bot asks them in that order.
    low = signal(row(z=2.7), SETTINGS, frozenset(), {("x", "x", 1)})["refused_by"]
    assert low == "z 2.7 is below z_threshold 3"


def test_waves_whose_beginning_was_not_seen_are_told_from_those_nobody_knows(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    writer = Writer(open_engine(url))
    base = {
        "direction": "SHORT", "start_ms": 60_000, "pair": "p", "last_ms": 60_000, "minutes": 1,
        "strength": "strong", "peak_z": 9.0, "peak_usd": 1.0, "available_at": 1,
    }  # fmt: skip
    rows = [
        {**base, "base_asset": name, "seen": seen}
        for name, seen in (("A", True), ("B", False), ("C", None))
    ]
    with writer.engine.begin() as connection:
        connection.execute(schema.waves.insert(), rows)
    assert PageReader(url).unseen_waves(0) == {("B", "SHORT", 60_000)}
    assert PageReader(url).unseen_waves(60_001) == set()
    writer.close()


def test_a_tape_gives_each_viewer_each_item_once() -> None:
    tape = Tape()
    item = Liquidation("okx", "m", "BTC/USDT:USDT", "BTC", "short", 10.0, 1.0, 10.0, 5, 6)
    tape.put([item, item])
    first = tape.since(0)
    assert [entry["id"] for entry in first] == [1, 2] and tape.since(2) == []
    tape.put([item])
    assert [entry["id"] for entry in tape.since(2)] == [3]
    # What was stored before comes too late to be put before what has come.
    tape.remember([{}])
    assert tape.last == 3


def test_a_tape_forgets_what_is_old() -> None:
    tape = Tape()
    item = Liquidation("okx", "m", "BTC/USDT:USDT", "BTC", "short", 10.0, 1.0, 10.0, 5, 6)
    tape.put([item] * 2_000)
    assert tape.last == 2_000 and len(tape.since(0)) == 500


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
    found = table._row("BTC", {"okx": (5.0, 0.0, 1, "BTC/USDT:USDT")})
    assert found["ready"] == said and found["venues"] == {"okx": [5, 0]}


def test_a_venue_whose_money_is_not_in_z_is_named() -> None:
    """The sums are of all venues; what is measured may be of fewer, see ``features``."""
    table = MarketRows(PageReader("sqlite:////nowhere"), SETTINGS, dict)
    names = sorted(SETTINGS.venues.enabled)
    features = {"base_asset": "BTC", "pair": "BTC/USDT:USDT", "z": 9.0, "state": int(State.READY)}
    for counted in (names[:1], names):
        row = features | {"venues": ",".join(counted)}
        table.take(Running(60_000, 0, (), {"BTC": row}, {"BTC": "BTC/USDT:USDT"}))
        found = table._row("BTC", {names[-1]: (5.0, 0.0, 1, "BTC/USDT:USDT")})
        assert found["left_out"] == [name for name in names if name not in counted]
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
    found = record(PageReader(url), asked, SETTINGS)
    titles = None if found["news"] is None else [item["title"] for item in found["news"]]
    assert (titles, found["asked"]) == (shown, True)
    if given is SOME:
        assert found["news"][0]["age_min"] == 10 and found["news"][0]["summary"] == "after a rise"
    gone = row(
        base_asset="BTC",
        downgrade=0,
        inputs=json.dumps({"z": 9.0, "purity": 1.0, "call_id": "pruned"}),
    )
    assert record(PageReader(url), gone, SETTINGS)["call"] is None
    assert record(PageReader(url), row(downgrade=0), SETTINGS)["asked"] is False


def test_pairs_with_a_wave_come_first_and_quiet_ones_are_not_left_out() -> None:
    names = {base: f"{base}/USDT:USDT" for base in ("ADA", "BTC", "ETH", "SOL", "XRP")}
    table = MarketRows(PageReader("sqlite:////nowhere"), SETTINGS, lambda: names)
    assert table.ranked() == list(names.values())
    table._readiness = {"XRP": {"active_n": 40}, "SOL": {"active_n": 90}}
    table._settled = {
        base: {"base_asset": base, "pair": names[base], "z": z}
        for base, z in (("BTC", 1.0), ("ETH", 2.0), ("ADA", None))
    }
    table._waves = {"BTC": ("SHORT", "strong", True)}
    coins = [pair.partition("/")[0] for pair in table.ranked()]
    assert coins == ["BTC", "ETH", "SOL", "XRP", "ADA"]
