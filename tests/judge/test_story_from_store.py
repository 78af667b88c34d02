"""``explain``: every gate in order, each failing in turn, with the numbers of the features."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from liq_provider.bot.engine import Engine
from liq_provider.bot.rules_of_bots import in_force_of
from liq_provider.bot.source import HistorySource
from liq_provider.bot.story_from_bot import story_of
from liq_provider.config.settings import Settings
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import Liquidation, PositionSide
from liq_provider.judge.gate_list import NAMES, OF_WAVE, DecisionGate
from liq_provider.judge.story_from_store import StoryFromStore, explain
from liq_provider.measure.minute_grid import FeatureParams
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.database import open_engine
from liq_provider.store.minute_features import compute
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.bot.helpers import verdict

T0 = 1_735_689_600_000
FALLING = 100 * 0.998 ** np.arange(40.0)
RISING = FALLING[::-1]


@dataclass
class StoreWithWave:
    """
    A store whose last minutes hold one wave of long liquidations; every part can be changed.

    :param background_every: minutes between background orders
    :param orders: (side, usd) in the last minute before the close
    :param hole: first and end of unknown minutes, counted back from the close
    """

    hours: int = 26
    background_every: int = 3
    orders: tuple[tuple[PositionSide, float], ...] = (("long", 30_000.0),) * 6
    earlier: tuple[tuple[PositionSide, float], ...] = ()
    covered_until: int | None = None
    hole: tuple[int, int] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    closes: Any = field(default_factory=lambda: FALLING)
    mode: Any = "matrix"

    @property
    def close_ms(self) -> int:
        return T0 + self.hours * 60 * MINUTE_MS

    def build(self, url: str) -> Reader:
        writer = Writer(open_engine(url))
        items = []
        for minute in range(0, self.hours * 60 - 20, self.background_every):
            side: PositionSide = "long" if minute % 2 else "short"
            usd = 500.0 + 37 * (minute % 11)
            items.append(self._order(T0 + minute * MINUTE_MS, side, usd))
        for back, orders in ((1, self.orders), (2, self.earlier)):
            for number, (side, usd) in enumerate(orders):
                items.append(self._order(self.close_ms - back * MINUTE_MS + number, side, usd))
        writer.append([Incoming(item) for item in items])
        end_ms = T0 + self.covered_until * MINUTE_MS if self.covered_until else self.close_ms
        spans = [Interval(T0, end_ms)]
        if self.hole is not None:
            first, end = (self.close_ms - back * MINUTE_MS for back in self.hole)
            spans = [Interval(T0, first), Interval(end, end_ms)]
        writer.cover("binance", spans, "live", end_ms)
        writer.close()
        return Reader(url)

    def _order(self, event_ms: int, side: PositionSide, usd: float) -> Liquidation:
        return Liquidation(
            "binance",
            "BTCUSDT",
            "BTC/USDT:USDT",
            "BTC",
            side,
            50_000.0,
            usd / 50_000.0,
            usd,
            event_ms,
            event_ms + 200,
        )

    def explain(self, tmp_path: Path) -> list[DecisionGate]:
        """The gates of the wave; a bot's own are not known here."""
        reader = self.build(f"sqlite:///{tmp_path / 'store.sqlite'}")
        gates = self.explained(reader).story.gates
        assert [gate.name for gate in gates] == list(NAMES)
        assert {gate.passed for gate in gates if gate.name not in OF_WAVE} == {None}
        return [gate for gate in gates if gate.name in OF_WAVE]

    def explained(self, reader: Reader) -> StoryFromStore:
        settings = Settings(**self.settings)
        in_force = in_force_of(settings, {}, MINUTE_MS, None, "a test")
        closes = np.array(self.closes)
        return explain(reader, settings, in_force, "BTC", self.close_ms, closes, self.mode)


def first_failed(gates: list[DecisionGate]) -> str | None:
    """The gate that the command names as the reason."""
    return next((gate.name for gate in gates if gate.passed is False), None)


def gate(gates: list[DecisionGate], name: str) -> DecisionGate:
    """:return: the gate of that name"""
    return next(item for item in gates if item.name == name)


def test_every_gate_of_an_entry_passes_in_order(tmp_path: Path) -> None:
    gates = StoreWithWave().explain(tmp_path)
    assert [item.name for item in gates] == list(OF_WAVE)
    assert [item.passed for item in gates] == [True] * len(OF_WAVE)


FAILURES: list[tuple[str, StoreWithWave, str]] = [
    ("coverage", StoreWithWave(covered_until=26 * 60 - 1), "no venue"),
    ("baseline", StoreWithWave(hours=6), "71 of 288 segments"),
    ("activity", StoreWithWave(background_every=100), "14 segments"),
    ("count", StoreWithWave(orders=(("long", 90_000.0),) * 2), "2 liquidations"),
    ("size", StoreWithWave(orders=(("long", 4_000.0),) * 6), "$24,000"),
    (
        "z",
        StoreWithWave(
            settings={"z_threshold": 100, "z_strong": 100}, orders=(("long", 8_400.0),) * 3
        ),
        "classic z",
    ),
    (
        "purity",
        StoreWithWave(orders=(("long", 30_000.0),) * 3 + (("short", 30_001.0),) * 3),
        "50.0%",
    ),
    (
        "beginning",
        StoreWithWave(hole=(6, 5), orders=(), earlier=(("long", 30_000.0),) * 6),
        "follows minutes that were not known for the same venues, and without its newest minute "
        "the segment already stands out (z",
    ),
    ("trend", StoreWithWave(closes=RISING), "up"),
    ("trend", StoreWithWave(closes=np.full(40, 100.0)), "flat"),
    ("trend", StoreWithWave(closes=[]), "unknown"),
    ("verdict", StoreWithWave(mode="recorded"), "no verdict in time"),
    ("confidence", StoreWithWave(settings={"min_confidence": "high"}), "medium"),
]


@pytest.mark.parametrize(("name", "scene", "value"), FAILURES, ids=[f[0] for f in FAILURES])
def test_the_first_gate_that_fails_is_named_with_its_number(
    tmp_path: Path, name: str, scene: StoreWithWave, value: str
) -> None:
    gates = scene.explain(tmp_path)
    assert [item.name for item in gates] == list(OF_WAVE)
    assert first_failed(gates) == name
    assert value in gate(gates, name).measured


@pytest.mark.parametrize(
    ("scene", "words"),
    [
        (StoreWithWave(), "follows one that was known and quiet"),
        (StoreWithWave(hole=(6, 5)), "without its newest minute the segment is empty"),
        (
            StoreWithWave(hole=(6, 5), earlier=(("long", 300.0),) * 6),
            "the segment does not stand out (z 1.83, $1,800)",
        ),
    ],
)
def test_a_beginning_that_was_seen_says_how(
    tmp_path: Path, scene: StoreWithWave, words: str
) -> None:
    beginning = gate(scene.explain(tmp_path), "beginning")
    assert beginning.passed
    assert words in beginning.measured


def test_without_candles_it_is_known_all_the_same_how_a_wave_began(tmp_path: Path) -> None:
    scene = StoreWithWave(hole=(6, 5), orders=(), earlier=(("long", 30_000.0),) * 6, closes=[])
    beginning = gate(scene.explain(tmp_path), "beginning")
    assert beginning.passed is False and "already stands out" in beginning.measured
    earlier = StoreWithWave(earlier=(("long", 30_000.0),) * 6, orders=(), closes=[])
    (tmp_path / "other").mkdir()
    began = gate(earlier.explain(tmp_path / "other"), "beginning").measured
    assert began.startswith("its first minute, 01:59 UTC, follows"), began


def test_the_matrix_gate_fails_for_a_row_that_does_not_enter(tmp_path: Path) -> None:
    gates = StoreWithWave(closes=RISING).explain(tmp_path)
    assert gate(gates, "matrix").passed is False
    assert "not_asked" in gate(gates, "matrix").measured
    assert gate(gates, "confidence").passed is None


def test_the_second_candle_of_a_wave_was_offered_before(tmp_path: Path) -> None:
    scene = StoreWithWave(earlier=(("long", 30_000.0),) * 6, orders=(("long", 30_000.0),) * 3)
    gates = scene.explain(tmp_path)
    assert first_failed(gates) == "once per wave"
    assert "offered before" in gate(gates, "once per wave").measured


def test_gates_behind_no_wave_are_not_reached(tmp_path: Path) -> None:
    gates = StoreWithWave(orders=()).explain(tmp_path)
    reached = {item.name: item.passed for item in gates}
    for name in ("beginning", "trend", "verdict", "matrix", "confidence", "once per wave"):
        assert reached[name] is None


def test_the_numbers_are_those_of_the_features(tmp_path: Path) -> None:
    scene = StoreWithWave()
    gates = scene.explain(tmp_path)
    reader = Reader(f"sqlite:///{tmp_path / 'store.sqlite'}")
    (item,) = compute(reader, ["BTC"], ["binance"], FeatureParams(), scene.close_ms, scene.close_ms)
    features, row = item.features, int(item.wanted[-1])
    assert gate(gates, "z").measured == f"classic z {features.z[row]:.2f}"
    assert f"{features.baseline_n[row]} of 288" in gate(gates, "baseline").measured
    assert f"{features.active_n[row]} segments" in gate(gates, "activity").measured
    assert f"{features.count[row]} liquidations" in gate(gates, "count").measured
    assert f"${features.notional_usd[row]:,.0f}" in gate(gates, "size").measured
    assert f"mean ${features.mean_usd[row]:,.0f}" in gate(gates, "size").measured
    assert f"std ${features.std_usd[row]:,.0f}" in gate(gates, "size").measured
    assert f"{features.purity[row]:.1%}" in gate(gates, "purity").measured


def test_the_robust_z_is_shown_even_of_a_small_segment(tmp_path: Path) -> None:
    scene = StoreWithWave(settings={"zscore": "robust"}, orders=(("long", 100.0),) * 5)
    told = gate(scene.explain(tmp_path), "z")
    assert told.passed is False
    assert "nan" not in told.measured


def test_without_coverage_the_numbers_are_unknown_not_zero(tmp_path: Path) -> None:
    gates = StoreWithWave(covered_until=60, closes=[]).explain(tmp_path)
    for name in ("count", "size", "purity"):
        assert gate(gates, name).passed is None
        assert gate(gates, name).measured == "unknown"
    assert gate(gates, "z").measured == "no classic z"
    assert not any("nan" in item.measured for item in gates)


def test_the_question_that_a_verdict_came_from_is_named(tmp_path: Path) -> None:
    scene = StoreWithWave(mode="live")
    scene.explain(tmp_path)
    url, close_ms = f"sqlite:///{tmp_path / 'store.sqlite'}", scene.close_ms
    said = verdict(0, inputs='{"call_id": "c7"}') | {
        "wave_start_ms": close_ms,
        "close_ms": close_ms,
        "available_at": close_ms + 3_000,
        "expires_at": close_ms + 32_000,
    }
    writer = Writer(open_engine(url))
    writer.put_verdicts([said], now_ms=close_ms + 3_000)
    writer.close()
    story = scene.explained(Reader(url))
    assert story.call_id == "c7" and gate(list(story.story.gates), "verdict").passed


def past_frame(scene: StoreWithWave) -> pd.DataFrame:
    """The candles of a scene, as a backtest has them."""
    close = np.array(scene.closes)
    opened = scene.close_ms - MINUTE_MS * np.arange(len(close), 0, -1, dtype=np.int64)
    date = pd.to_datetime(opened, unit="ms", utc=True)
    prices = {name: close for name in ("open", "high", "low", "close")}
    return pd.DataFrame({"date": date, **prices, "volume": 1.0})


@pytest.mark.parametrize("values", [{}, {"z_threshold": 9_000.0}, {"min_confidence": "high"}])
@pytest.mark.parametrize("scene", [s for _, s, _ in FAILURES if len(s.closes)] + [StoreWithWave()])
def test_explain_tells_what_a_backtest_decides_by_the_same_rules(
    tmp_path: Path, scene: StoreWithWave, values: dict[str, Any]
) -> None:
    own, pair = Settings(**scene.settings), "BTC/USDT:USDT"
    reader = scene.build(f"sqlite:///{tmp_path / 'store.sqlite'}")
    in_force = in_force_of(own, values, MINUTE_MS, None, "a test")
    closes = np.array(scene.closes)
    told = explain(reader, own, in_force, "BTC", scene.close_ms, closes, scene.mode).story
    engine = Engine(own, MINUTE_MS, HistorySource(reader, own), scene.mode)
    frame = engine.entries(engine.indicators(past_frame(scene), pair), pair, in_force.rules)
    entered = bool(frame[["enter_long", "enter_short"]].iloc[-1].any())
    assert told.enters == entered
    decided = story_of(engine, pair, scene.close_ms)
    # A backtest keeps no minutes in which nothing could be anomalous.
    if decided.gates[NAMES.index("coverage")].passed:
        assert told.words == decided.words
    else:
        assert told.failed is not None and told.failed.name in OF_WAVE
