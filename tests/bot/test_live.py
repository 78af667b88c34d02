"""The loop's own work, and starting the sidecar."""

import gc
import logging
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from liq_provider.bot import autostart as module
from liq_provider.bot.autostart import Autostart, sidecar_config
from liq_provider.bot.candle_delay import CandleDelay
from liq_provider.bot.engine import Engine
from liq_provider.bot.live import LiveLoop
from liq_provider.bot.messages import LIMIT
from liq_provider.bot.rules_of_bots import in_force_now
from liq_provider.bot.sidecar_keeper import SidecarWatch
from liq_provider.config.pair_list_file import HOLDS, READS, STAKE
from liq_provider.config.settings import sidecar_settings
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.markets import Market
from liq_provider.core.moments import moment
from liq_provider.exchange.candle_sum import RequestTime, told_by
from liq_provider.judge.matrix import Confidence
from liq_provider.measure.readiness import READY, Readiness, ReadinessReport
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.sidecar.sidecar_lock import SidecarLock
from tests import handles
from tests.bot.helpers import Store, at, live_source, settings
from tests.bot.markdown import shown

NOW = at(10) + 3_000
PARAMETERS = {
    "z_threshold": 3.0,
    "purity_threshold": 0.75,
    "direction_mode": "follow",
    "fallback_pct": 0.02,
}


class PlantedError(Exception):
    """What a test makes a function raise."""


class FakeAutostart:
    """Counts."""

    def __init__(self, *, fails: bool = False) -> None:
        self.asked = 0
        self._fails = fails

    def ensure(self) -> bool:
        self.asked += 1
        if self._fails:
            raise PlantedError("planted")
        return False


class WatchNow(SidecarWatch):
    """Does at once what the bot has a thread for."""

    def __init__(self, store: Store, starter: Any) -> None:
        self.files = SidecarFiles(store.path)
        super().__init__(lambda: (self.files, starter))

    def ask(self, told: Mapping[str, Any]) -> None:
        self._keeper.work(told)


def loop(store: Store, starter: Any = None, **section: Any) -> LiveLoop:
    own = settings(**section)
    engine = Engine(own, MINUTE_MS, live_source(store.url, own), "live")
    return LiveLoop(engine, WatchNow(store, starter), -0.99, {"dry_run": True})


def texts(live: LiveLoop, **parameters: Any) -> list[str]:
    messages = live.begin(NOW, ["BTC/USDT:USDT"], PARAMETERS | parameters)
    return [message.text for message in messages]


def test_a_loop_beats_reads_and_keeps_the_sidecar(store: Store) -> None:
    store.settle(at(10))
    starter = FakeAutostart()
    live = loop(store, starter)
    assert texts(live) == ["LiqTrend: entries are possible."]
    assert texts(live) == []
    assert starter.asked == 2
    assert live.engine.problem is None
    files = SidecarFiles(store.path)
    assert files.last_beat_s() is not None
    (told,) = files.bots()
    assert told.pop("rules")["whitelist"] == ["BTC/USDT:USDT"]
    assert told == {"dry_run": True, "parameters": PARAMETERS, "refusals": []}


def test_candles_that_come_too_late_are_told_by_the_heartbeat_and_said_once(store: Store) -> None:
    store.settle(at(10))
    live = loop(store)
    pairs = dict.fromkeys((f"C{n}/USDT:USDT" for n in range(400)), NOW - MINUTE_MS)
    known = live.engine.candles = CandleDelay(live.engine.settings, lambda: RequestTime(100.0))
    assert not any("candles" in text for text in texts(live))
    (told,) = SidecarFiles(store.path).bots()
    assert told["candles"] == {}
    known.saw(pairs, NOW)
    (said,) = texts(live)
    assert said == (
        "LiqTrend: candles come too late to enter: `400 pairs x 100 ms = 40.0 s; max_entry_delay_s "
        "30`; list at most 232 pairs, or let `liq-provider init` make a short list."
    )
    assert texts(live) == []
    (told,) = SidecarFiles(store.path).bots()
    remedy = "list at most 232 pairs, or let `liq-provider init` make a short list"
    assert told_by(told) == ("error", known.sum.words, remedy)
    known.saw(dict.fromkeys(pairs, NOW), NOW + 2_000)
    assert texts(live) == []
    known.saw(dict.fromkeys(pairs, NOW + MINUTE_MS), NOW + MINUTE_MS + 41_000)
    assert len(texts(live)) == 1


@pytest.mark.parametrize("market", [False, True])
def test_what_would_help_against_late_candles_is_never_cut_off(store: Store, market: bool) -> None:
    store.settle(at(10))
    live = loop(store)
    request = RequestTime(99.0, 2_000, 60.0)
    known = live.engine.candles = CandleDelay(live.engine.settings, lambda: request, market)
    pairs = [f"C{n}/USDT:USDT" for n in range(1_000)]
    texts(live)
    for late_s in (140.5, 99.5):
        at_ms = NOW + round(1_000 * late_s)
        known.saw(dict.fromkeys(pairs, NOW - MINUTE_MS), NOW)
        known.saw(dict.fromkeys(pairs, NOW), at_ms)
    (said,) = live.begin(NOW, ["BTC/USDT:USDT"], PARAMETERS)
    assert len(said.text) <= LIMIT and said.sendable == said.text
    assert shown(said.text).endswith(f"; {known.sum.remedy.replace('`', '')}.")


def test_the_docs_show_what_is_said_of_a_list_that_is_too_long(store: Store) -> None:
    store.settle(at(10))
    live = loop(store)
    request = RequestTime(100.0, 600, 60.0)
    known = live.engine.candles = CandleDelay(live.engine.settings, lambda: request)
    pairs = [f"C{n}/USDT:USDT" for n in range(400)]
    texts(live)
    for number, late_s in enumerate((1.0, 43.0, 41.3)):
        close_ms = NOW + number * MINUTE_MS
        known.saw(dict.fromkeys(pairs, close_ms), close_ms + round(1_000 * late_s))
    (said,) = texts(live)
    page = Path(__file__).parents[2] / "docs" / "watching.md"
    assert f"``{said}``" in page.read_text(encoding="utf-8")


def test_a_bot_tells_the_rules_that_it_decides_by(store: Store) -> None:
    store.settle(at(10))
    live = loop(store, settle_s=4)
    texts(live, z_strong=4.0, trend_k=0.7, min_confidence="low")
    (told,) = SidecarFiles(store.path).bots()
    known = in_force_now([told], settings(z_strong=9), 5 * MINUTE_MS)
    own = known.rules
    assert (own.thresholds.z_strong, own.trend_k, own.verdict_life_ms) == (4.0, 0.7, 34_000)
    assert own.min_confidence is Confidence.LOW
    assert (known.timeframe_ms, known.owner) == (MINUTE_MS, "the bot")
    assert known.lists("BTC/USDT:USDT") is True and known.lists("ETH/USDT:USDT") is False


def test_the_sidecars_report_of_each_minute_is_told_as_it_changes(store: Store) -> None:
    live = loop(store)
    soon = at(10) + 90 * MINUTE_MS
    cold = Readiness("warming_up", "warming up: 3 of 72", soon)
    silent = Readiness("unknown", "okx is silent: nothing comes")
    told = []
    for minute, (coin, okx) in enumerate(
        ((cold, cold), (cold, cold), (READY, READY), (READY, silent), (READY, READY))
    ):
        store.settle(at(10), [])
        report = ReadinessReport(at(10 + minute), coin, {"okx": okx, "bybit": coin}, {"BTC": coin})
        store.writer.put_readiness(report.as_json(), [], NOW)
        told.append(texts(live))
    assert told == [
        [f"LiqTrend: no entries before {moment(soon)} (in 1 h 29 min), `warming up: 3 of 72`."],
        [],
        ["LiqTrend: entries are possible."],
        [
            "LiqTrend: a venue does not count. The other venues go on. "
            "`okx is silent: nothing comes`"
        ],
        ["LiqTrend: `okx` counts again."],
    ]


def test_a_sidecar_that_cannot_be_watched_is_logged_once_and_reading_goes_on(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.settle(at(10))
    live = loop(store, FakeAutostart(fails=True))
    for _ in range(3):
        texts(live)
    assert live.engine.problem is None
    assert caplog.text.count("the sidecar cannot be started or watched") == 1


def test_parameters_that_are_never_judged_stop_entries_in_every_loop(store: Store) -> None:
    store.settle(at(10))
    live = loop(store)
    assert "z_threshold 2.0" in texts(live, z_threshold=2.0)[0]
    assert texts(live, z_threshold=2.0) == []
    assert "z_threshold" in str(live.engine.problem)


def test_a_stop_of_the_parameter_file_beyond_liquidation_stops_entries_in_every_loop(
    store: Store,
) -> None:
    store.settle(at(10))
    live = loop(store, leverage=10)
    said = texts(live, fallback_pct=0.06)[0]
    assert "liq_provider.fallback_pct: 0.06" in said
    assert "liq_provider.leverage 10" in said
    assert texts(live, fallback_pct=0.06) == []
    assert live.engine.problem is not None
    texts(live)
    assert live.engine.problem is None


def test_a_sidecar_with_other_settings_is_told_once_with_the_keys(store: Store) -> None:
    theirs = sidecar_settings(settings()) | {"settle_s": 5.0, "min_count": 7}
    theirs["judge"] = theirs["judge"] | {"z_min": 1.5}
    store.settle(at(10), settings=theirs)
    live = loop(store)
    said = texts(live)[1]
    assert "judge.z_min: 1.5, here 2.5" in said and "{" not in said
    assert "settle_s: 5.0, here 2.0" in said
    assert "min_count: 7, here 3" in said
    assert "liq-provider stop" in said
    assert texts(live) == []
    assert live.engine.problem is None


def test_a_sidecar_that_judges_the_other_direction_stops_entries(store: Store) -> None:
    store.settle(at(10), settings={"direction_mode": "fade"})
    live = loop(store)
    assert "direction_mode follow differs from fade" in texts(live)[0]
    assert live.engine.problem is not None


def test_long_warnings_are_cut_for_telegram_and_whole_in_the_log(store: Store) -> None:
    theirs = sidecar_settings(settings())
    theirs |= {"settle_s": 5.0, "venues": {name: "_*[" * 60 for name in theirs["venues"]}}
    venues = ("binance", "bybit", "okx")
    for venue in venues:
        store.writer.put_markets(venue, [Market(venue, "SOLUSDT", "SOL/USDT:USDT", "SOL")])
    store.settle(
        at(10), settings=theirs, feeds={v: {"markets": 1, "state": "live"} for v in venues}
    )
    pairs = [f"COIN_{n}/USDT:USDT" for n in range(100)]
    messages = [message for message in loop(store).begin(NOW, pairs, PARAMETERS) if message.warning]
    assert ["other settings" in messages[0].text, "without liquidation" in messages[1].text] == [
        True
    ] * 2
    for message in messages:
        assert len(message.sendable) <= LIMIT
        assert message.sendable == message.text
        shown(message.sendable)
    assert "settle_s: 5.0, here 2.0" in str(messages[0].logged)
    assert pairs[-1] in str(messages[1].logged)


def test_a_budget_that_is_spent_is_told_once(store: Store) -> None:
    budget = {"spent": {"usd_per_day": {"used": 5.0, "limit": 5.0}}, "reached": ["usd_per_day"]}
    store.settle(at(10), judge={"model": {"unavailable": "over budget", "budget": budget}})
    live = loop(store)
    assert "`llm.budget.usd_per_day` 5 of 5." in texts(live)[1]
    assert texts(live) == []
    assert live.engine.problem is None, "the judge's own records say what follows from it"


# -- the whole market ---------------------------------------------------------------------


def of_market(store: Store) -> LiveLoop:
    own = settings()
    engine = Engine(own, MINUTE_MS, live_source(store.url, own), "live")
    return LiveLoop(engine, WatchNow(store, None), -0.99, {READS: True})


def test_a_list_of_the_moment_is_not_told_as_a_whitelist_but_what_is_held_is(store: Store) -> None:
    store.settle(at(10))
    live = of_market(store)
    live.begin(NOW, ["BTC/USDT:USDT"], PARAMETERS, lambda: {"SOL/USDT:USDT", "ETH/USDT:USDT"})
    (told,) = SidecarFiles(store.path).bots()
    assert told["rules"]["whitelist"] is None
    assert told[HOLDS] == ["ETH/USDT:USDT", "SOL/USDT:USDT"]
    known = in_force_now([told], settings(), MINUTE_MS)
    assert known.lists("XRP/USDT:USDT") is None
    assert live.engine.whitelist == {"BTC/USDT:USDT"}


def test_entries_of_the_whole_market_are_possible_whatever_is_listed_at_the_moment(
    store: Store,
) -> None:
    """A coin that is too thin is nothing to tell while others are not."""
    thin = Readiness("too_thin", "too thin: 3 of 60")
    store.settle(at(10))
    report = ReadinessReport(at(10), READY, {"okx": READY}, {"BTC": thin, "ETH": READY})
    store.writer.put_readiness(report.as_json(), [], NOW)
    live = of_market(store)
    told = [
        [message.text for message in live.begin(NOW, [pair], PARAMETERS)]
        for pair in ("BTC/USDT:USDT", "ETH/USDT:USDT", "BTC/USDT:USDT")
    ]
    assert told == [["LiqTrend: entries are possible."], [], []]


def test_pairs_of_the_moment_are_not_to_be_taken_out_of_a_whitelist(store: Store) -> None:
    for venue in ("binance", "bybit", "okx"):
        store.writer.put_markets(venue, [Market(venue, "SOLUSDT", "SOL/USDT:USDT", "SOL")])
    feeds = {v: {"markets": 1, "state": "live"} for v in ("binance", "bybit", "okx")}
    store.settle(at(10), feeds=feeds)
    for live, named in ((loop(store), True), (of_market(store), False)):
        messages = live.begin(NOW, ["KUKU/USDT:USDT"], PARAMETERS)
        assert any("without liquidation feed" in one.text for one in messages) is named


# -- autostart ----------------------------------------------------------------------------


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def files(tmp_path: Path) -> SidecarFiles:
    return SidecarFiles(tmp_path / "store.sqlite")


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is started instead of a sidecar; reads its configuration and ends."""
    command = [sys.executable, "-c", "import sys; sys.stdin.read(); sys.exit(3)"]
    real = module.subprocess.Popen
    monkeypatch.setattr(module.subprocess, "Popen", lambda _, **how: real(command, **how))
    yield command


@pytest.mark.processes
def test_at_most_one_start_a_minute(
    files: SidecarFiles, program: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    clock = Clock()
    starter = Autostart(files, {}, clock)
    assert starter.ensure()
    assert starter._process is not None
    starter._process.wait(60)
    clock.now_s = 59.9
    assert not starter.ensure()
    assert "The sidecar ended (exit status 3)" in caplog.text
    clock.now_s = 60.0
    assert starter.ensure()
    starter._process.wait(60)
    starter.ensure()
    assert caplog.text.count("Started the sidecar") == 2


@pytest.mark.processes
def test_a_sidecar_that_is_still_starting_is_not_started_again(
    files: SidecarFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", "import sys, time; sys.stdin.read(); time.sleep(60)"]
    real = module.subprocess.Popen
    monkeypatch.setattr(module.subprocess, "Popen", lambda _, **how: real(command, **how))
    starter = Autostart(files, {}, restart_s=0.0)
    assert starter.ensure()
    assert not starter.ensure()
    assert starter._process is not None
    starter._process.kill()
    starter._process.wait(60)


@pytest.mark.processes
def test_a_sidecar_whose_bot_was_configured_anew_is_waited_for_once_it_ends(
    files: SidecarFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", "import sys, time; sys.stdin.read(); time.sleep(60)"]
    real = module.subprocess.Popen
    monkeypatch.setattr(module.subprocess, "Popen", lambda _, **how: real(command, **how))
    starter = Autostart(files, {})
    assert starter.ensure() and starter._process is not None
    sidecar = psutil.Process(starter._process.pid)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        handles.forget(starter._process)
        starter = Autostart(files, {})
        gc.collect()
    assert warned == []
    with SidecarLock(files).held():
        assert not starter.ensure()
        assert sidecar.pid in module.still_running()
        sidecar.kill()
        deadline_s = time.monotonic() + 60
        while sidecar.is_running():
            assert time.monotonic() < deadline_s, "it is not waited for"
            assert not starter.ensure()
            time.sleep(0.05)
    assert module.still_running() == []


def test_nothing_is_started_beside_a_running_sidecar(files: SidecarFiles) -> None:
    with SidecarLock(files).held() as first:
        assert first
        assert not Autostart(files, {}).ensure()


def test_the_sidecar_gets_settings_and_addresses_but_no_credentials(tmp_path: Path) -> None:
    config = {
        "timeframe": "5m",
        "exchange": {
            "name": "binance",
            "key": "K",
            "secret": "S",
            "ccxt_config": {"secret": "S", "urls": {"api": {}}, "apiKey": "K"},
            "ccxt_sync_config": {"password": "P", "enableRateLimit": False},
        },
    }
    own = sidecar_config(config, settings(z_threshold=4), tmp_path)
    assert own["liq_provider"]["z_threshold"] == 4
    assert own["exchange"] == {
        "name": "binance",
        "ccxt_config": {"urls": {"api": {}}, "enableRateLimit": False},
    }
    assert (own["timeframe"], own["base_dir"]) == ("5m", str(tmp_path))


def test_a_list_in_another_currency_is_told_for_freqtrade_takes_no_pair_of_it(
    store: Store,
) -> None:
    store.settle(at(10), pair_list={"stake_currency": "USDT"})
    for own, told in (("USDC", True), ("USDT", False)):
        for reads in (True, False):
            live = loop(store)
            live = LiveLoop(live.engine, live.watch, -0.99, {READS: reads, STAKE: own})
            said = [text for text in texts(live) if "stake_currency: USDT, here USDC" in text]
            assert len(said) == (told and reads)
