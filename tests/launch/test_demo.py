"""``make demo`` as a stranger sees it: real processes, real Freqtrade, real time."""

import argparse
import json
import os
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from freqtrade.configuration.directory_operations import create_datadir

from liq_provider.commands.support.api_server import api_remarks
from liq_provider.commands.support.context import context_of
from liq_provider.config.settings import Settings
from liq_provider.core.coverage import Interval
from liq_provider.core.liquidation import MINUTE_MS, minute_of
from liq_provider.errors import UsageError
from liq_provider.launch import demo as launcher
from liq_provider.launch.processes import Ending
from liq_provider.simulator.world import World
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.dashboard.browser import CHROMIUM, needs_browser
from tests.integration.harness import simulator
from tests.launch.visitor import Visit, visit_demo
from tests.simulator.helpers import tables

ROOT = Path(__file__).parents[2]
# Everything is told about two minutes after the bot has started. A slow machine starts it late.
LONGEST_S = 420
_STRONG_SHORT = ("entry", "SHORT", "liq_short_strong")
_STRONG_LONG = ("entry", "LONG", "liq_long_strong")
_TRAILING = ("exit", "trailing stop", "+")
_FALLBACK = ("exit", "fallback stop", "-2.")
_MIXED = ("refused", "purity")
_NOT_ALIGNED = ("verdict", "skip: price does not follow", "do not agree")
STORY = (_STRONG_SHORT, _STRONG_LONG, _TRAILING, _FALLBACK, _MIXED, _NOT_ALIGNED)

pytestmark = pytest.mark.timeout(LONGEST_S + 180)


@dataclass
class Demo:
    """
    :param told: what it printed
    :param visit: what a visitor of its dashboard saw; None without a browser
    :param pairs: the list of pairs at its end
    """

    told: str
    visit: Visit | None
    pairs: dict[str, Any]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A demo in a directory of its own, so that no other run is disturbed."""
    place = tmp_path_factory.mktemp("demo")
    for name in ("strategies", "config.json.example"):
        (place / name).symlink_to(ROOT / name)
    log = place / "told.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "liq_provider.launch.demo"],
            cwd=place,
            env={
                **os.environ,
                "OPENAI_API_KEY": "",
                "DEMO_SECONDS": str(LONGEST_S),
                "COLUMNS": "80",
            },
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            visit = visit_demo(log, LONGEST_S) if CHROMIUM else None
            # It ends by itself if a part of its story does not come.
            while process.poll() is None and not all(is_told(log.read_text(), p) for p in STORY):
                time.sleep(1)
        finally:
            process.terminate()
            code = process.wait(100)
    told = log.read_text()
    assert code == 0, told
    left = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if str(place) in " ".join(process.info["cmdline"] or [])
    ]
    assert not left, "the demo must stop everything that it started"
    pairs = place / "user_data" / "demo" / "user_data" / "liq_pairs.json"
    return Demo(told, visit, json.loads(pairs.read_text()))


def is_told(told: str, part: tuple[str, ...]) -> bool:
    """:return: is there a line of this kind with all these words?"""
    kind, *words = part
    return any(all(word in line for word in words) for line in lines(told, kind))


@pytest.fixture(scope="module")
def told(demo: Demo) -> str:
    return demo.told


def lines(told: str, kind: str) -> list[str]:
    return [line[10:] for line in told.splitlines() if line[10:].startswith(kind)]


def test_it_is_labelled_synthetic(told: str) -> None:
    assert told.startswith("SYNTHETIC market")
    assert "Summary (SYNTHETIC market, dry-run)" in told


def test_its_pairs_are_those_that_the_sidecar_keeps(demo: Demo) -> None:
    assert demo.pairs["simulated"] is True and demo.pairs["written_ms"]
    assert "BTC/USDT:USDT" in demo.pairs["pairs"]


def test_a_long_and_a_short_are_entered_on_waves(told: str) -> None:
    assert is_told(told, _STRONG_SHORT)
    assert is_told(told, _STRONG_LONG)


def test_a_trailing_and_a_fallback_stop_close_positions(told: str) -> None:
    assert is_told(told, _TRAILING)
    assert is_told(told, _FALLBACK)


def test_a_wave_is_refused_with_its_reason(told: str) -> None:
    assert is_told(told, _MIXED)
    assert is_told(told, _NOT_ALIGNED)


def test_the_stand_in_for_a_model_is_labelled_as_such(told: str) -> None:
    assert "STAND-IN, not an AI" in told
    assert all("stand-in, not an AI" in line for line in lines(told, "verdict"))


def test_every_line_of_the_summary_fits_a_terminal(told: str) -> None:
    table = told[told.index("Summary") :].splitlines()
    rows = [line for line in table if "/USDT" in line and "refused" not in line]
    assert len(rows) >= 3
    assert all(len(line.rstrip()) <= 80 for line in rows)


@needs_browser
def test_the_dashboard_says_what_is_simulated_and_fills_every_table(demo: Demo) -> None:
    visit = demo.visit
    assert visit is not None
    assert "SIMULATED market" in visit.texts["modes"] and "DRY-RUN" in visit.texts["modes"]
    assert "LiqTrend on binance (simulated), running" in visit.texts["account"]
    assert "of 5" in visit.texts["account"] and "USDT" in visit.texts["account"]
    for name in ("waves", "signals", "market", "tape"):
        assert visit.rows[name] >= 3, name
    assert "stand-in-not-an-AI@v1" in visit.texts["strip"]


@needs_browser
def test_the_dashboard_shows_a_position_with_both_stops_and_what_opened_it(demo: Demo) -> None:
    assert demo.visit is not None
    said = demo.visit.texts["position"]
    assert "Fallback:" in said and "Trailing:" in said and "binds" in said
    assert "liq_" in said and "wave, z" in said and "stand-in" in said


@needs_browser
def test_a_record_of_the_demo_holds_prompt_answer_and_synthetic_news(demo: Demo) -> None:
    assert demo.visit is not None
    said = demo.visit.texts["record"]
    assert "=== DATA" in said and "SYNTHETIC" in said and '"action_reason"' in said


@needs_browser
def test_the_demos_page_is_quiet_local_and_fits_a_phone(demo: Demo) -> None:
    visit = demo.visit
    assert visit is not None
    assert visit.witness.errors == []
    assert visit.witness.hosts == {"127.0.0.1"}
    assert visit.phone_width <= 390


def test_two_demos_that_start_together_take_different_ports(tmp_path: Path) -> None:
    # Nothing listens yet when the second one chooses.
    demos = [launcher.Demo(tmp_path / name, None, Ending()) for name in ("one", "two")]
    ports = [port for demo in demos for port in demo.ports]
    assert len(set(ports)) == 6


@pytest.mark.parametrize("background", [0.0, 1.0, 30.0])
def test_a_minute_in_which_a_venue_was_quiet_is_known_of_all_of_them(
    tmp_path: Path, background: float
) -> None:
    now_ms = int(time.time() * 1000)
    span = Interval(minute_of(now_ms) - MINUTE_MS, minute_of(now_ms))
    demo = launcher.Demo(tmp_path, None, Ending())
    demo._dir.mkdir(parents=True)
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    world = World(now_ms, background=background, history_h=1)
    with closing(Writer(open_engine(url))) as writer:
        for venue, known in tables(world).items():
            writer.put_markets(venue, known)
    reader = Reader(url)
    with simulator(world) as sim:
        demo._url = sim.url
        demo._import(reader, url, span)
    venues = ["binance", "bybit", "okx"]
    assert reader.coverage(venues, span.start_ms, span.end_ms) == {key: [span] for key in venues}


def test_the_demo_names_whoever_judges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    demo = launcher.Demo(tmp_path, None, Ending())
    assert "STAND-IN" in demo._judge_words()
    monkeypatch.setenv("LIQ_PROVIDER__LLM__MODEL", "some-model")
    monkeypatch.setenv("LIQ_PROVIDER__LLM__BASE_URL", "http://127.0.0.1:9/v1")
    assert demo._judge_words() == "a real model, some-model"
    monkeypatch.setenv("LIQ_PROVIDER__JUDGE__BY", "matrix")
    assert demo._judge_words() == "the matrix"


def test_a_key_alone_asks_no_real_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-for-the-demo")
    demo = launcher.Demo(tmp_path, None, Ending())
    assert demo._judge()["llm"] == {"base_url": f"{demo._url}/v1", "model": "stand-in-not-an-AI"}
    assert "STAND-IN" in demo._judge_words()
    asked = launcher.Demo(tmp_path, None, Ending(), real_model=True)
    assert asked._judge() == {}
    assert asked._judge_words() == f"a real model, {Settings().llm.model}"


def test_a_real_model_needs_a_key_and_is_asked_for_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert not launcher._real_model("")
    assert not launcher._real_model("0")
    with pytest.raises(UsageError, match="'yes' is neither 1 nor 0"):
        launcher._real_model("yes")
    with pytest.raises(UsageError, match="set OPENAI_API_KEY"):
        launcher._real_model("1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-for-the-demo")
    assert launcher._real_model("1")


def test_each_demo_signs_logins_with_a_key_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher.Demo, "_simulator_state", lambda demo: {"symbols": ["BTCUSDT"]})
    (tmp_path / "config.json.example").symlink_to(ROOT / "config.json.example")
    configs = []
    for _ in range(2):
        one = launcher.Demo(tmp_path, None, Ending())
        one._usual.release()
        configs.append(one._config())
    keys = {config["api_server"]["jwt_secret_key"] for config in configs}
    assert len(keys) == 2
    assert all([*api_remarks(config)] == [] for config in configs)


def test_a_demos_candles_are_apart_from_real_ones_for_freqtrade_and_for_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher.Demo, "_simulator_state", lambda demo: {"symbols": ["BTCUSDT"]})
    monkeypatch.setattr(launcher.Demo, "_judge", lambda demo: {})
    (tmp_path / "config.json.example").symlink_to(ROOT / "config.json.example")
    one = launcher.Demo(tmp_path, None, Ending())
    one._usual.release()
    config = one._config()
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    context = context_of(argparse.Namespace(config=[str(path)]))
    demo_dir = tmp_path / "user_data" / "demo"
    assert context.datadir == create_datadir(config)
    assert context.datadir.is_relative_to(demo_dir)
    assert context.store_url == f"sqlite:///{demo_dir / 'liq_provider.sqlite'}"
