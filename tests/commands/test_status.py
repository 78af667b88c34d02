"""What ``liq-provider status`` says of a sidecar."""

import io
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from liq_provider.cli import main
from liq_provider.commands.status import _elsewhere
from liq_provider.commands.support.status_words import (
    print_pair_list,
    print_readiness,
    print_sidecar,
)
from liq_provider.judge.questions import EarlyStats
from liq_provider.measure.readiness import READY, ReadinessReport
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.sidecar.sidecar_lock import SidecarLock
from tests.sidecar.test_settle_minute import Store

NOW = 1_795_350_000_000


def sidecar_status(**changes: Any) -> dict[str, Any]:
    judge = {"name": "matrix", "judged": 3, "without_candles": 1, "last": None, "error": None}
    sidecar: dict[str, Any] = {
        "started_ms": 0,
        "skew_ms": None,
        "stored": 5,
        "duplicates": 0,
        "booked": {},
        "spooled": 0,
        "lost": 0,
        "unsettled_minutes": 0,
        "store_error": None,
        "judge": judge | changes.pop("judge", {}),
    }
    return sidecar | changes


def told(**changes: Any) -> str:
    console = Console(file=io.StringIO(), width=200)
    print_sidecar(console, sidecar_status(**changes), True)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_a_sidecar_that_is_older_than_the_command_is_understood() -> None:
    text = told(judge={"early": {"asked": 2, "used": 1, "unconfirmed": 1}})
    assert "3 verdicts, 1 of them without candles, 0 waves not judged" in text
    assert "not confirmed 1, failed 0" in text


def pairs_told(**changes: Any) -> str:
    console = Console(file=io.StringIO(), width=300)
    pairs = ["BTC/USDT:USDT", "ETH/USDT:USDT"]
    kept: dict[str, Any] = {
        **{"read": True, "path": "user_data/liq_pairs.json", "pairs": pairs, "in_wave": 1},
        **{"left_out": {}, "left_out_n": 0, "written_ms": 98_000, "error": None},
    }
    print_pair_list(console, kept | changes if changes.get("told", True) else {}, 100_000)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_list_of_pairs_is_told_with_what_it_left_out_and_its_trouble() -> None:
    said = "Pairs: 2 in user_data/liq_pairs.json, 1 of them in a wave, written 2 s ago\n"
    assert pairs_told() == said
    out = {f"C{n}/USDT:USDT": "the list is full" for n in range(6)}
    assert "; left out: C0/USDT:USDT (the list is full), C1" in pairs_told(
        left_out=out, left_out_n=9
    )
    assert "C4/USDT:USDT (the list is full) and 4 more" in pairs_told(left_out=out, left_out_n=9)
    assert "; binance has 2 pairs in USDC" in pairs_told(few="binance has 2 pairs in USDC ...")
    assert "not written yet" in pairs_told(written_ms=None)
    assert "Pairs: the disk hangs" in pairs_told(error="the disk hangs")
    assert pairs_told(read=False) == pairs_told(told=False) == ""


@pytest.mark.processes
def test_json_waits_for_nothing_that_draws_tables() -> None:
    code = (
        "import sys, liq_provider.commands.status as status\n"
        "heavy = {'rich', 'pandas', 'ccxt', 'freqtrade', 'alembic', 'psycopg'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "HEAVY []"


def test_what_failed_is_counted() -> None:
    early = EarlyStats(asked=2, failed=7).report()
    text = told(looks_failed=4, judge={"failed": 5, "error": "BTC: disk full", "early": early})
    assert "4 looks at a running minute failed" in text
    assert "5 waves not judged" in text
    assert "Judge: BTC: disk full" in text
    assert "failed 7" in text


def test_what_waits_where_and_what_was_set_aside_is_told() -> None:
    text = told(in_memory=7, spooled=1_200, lost=9, set_aside=2, spool_error="x.spool: No space")
    assert "7 waiting in memory, 1,200 on disk, 9 lost (2 of them set aside)" in text
    assert "Spool: x.spool: No space" in text
    assert "replaced" not in text


def test_a_store_that_became_another_one_is_told() -> None:
    assert "The store was replaced 2 times while it was open" in told(store_replaced=2)
    assert "The store was replaced once while it was open" in told(store_replaced=1)


def asked(**changes: Any) -> dict[str, Any]:
    known = {"asked": 4, "answered": 3, "failures": {"timeout": 1}, "notes_replaced": 2}
    nothing = {"shared": 0, "circuit": "closed", "unavailable": None}
    return known | nothing | {"budget": {"spent": {}, "reached": []}} | changes


def test_a_judge_without_a_budget_is_called_by_its_name_and_spends_nothing() -> None:
    text = told(judge={"name": "careful@1.2", "model": asked(unavailable="timeout")})
    assert "Judge careful@1.2: 3 of 4 questions answered, 0 of them" in text
    assert "2 notes with made-up figures replaced" in text
    assert "failures: timeout 1\n" in text
    assert "Judge careful@1.2: unavailable, timeout" in text
    assert "Model" not in text and "spent" not in text


def test_a_model_is_told_with_what_it_spent() -> None:
    budget = {"spent": {"calls_per_day": {"used": 12, "limit": 2_000}}, "reached": []}
    text = told(judge={"name": "gpt@v1", "model": asked(budget=budget, unavailable="timeout")})
    assert "Model: 3 of 4 questions answered" in text and "Model: unavailable, timeout" in text
    assert "2 notes with made-up figures replaced" in text
    assert "failures: timeout 1; spent: calls_per_day 12 of 2,000\n" in text


def news(**changes: Any) -> dict[str, Any]:
    known = {"provider": "rss", "asked": 4, "failed": 0, "items": 9, "error": None}
    return known | changes


def test_what_the_news_costs_is_told_beside_what_may_be_spent() -> None:
    budget = {"calls_per_day": {"used": 12, "limit": 200}, "usd": 0.06, "reached": False}
    text = told(judge={"news": news(provider="brave", budget=budget)})
    assert "News (brave): asked 4 times, 9 headlines; 12 of 200 requests today, $0.060" in text
    text = told(judge={"news": news(provider="brave", budget=budget | {"reached": True})})
    assert "news.budget.calls_per_day is reached, not asked until midnight UTC" in text


def test_a_feed_that_fails_is_named() -> None:
    feeds = {
        "a.example/rss": {"failed": 0, "error": None},
        "b.example/rss": {"failed": 3, "error": "not read within 5 s"},
    }
    text = told(judge={"news": news(feeds=feeds)})
    assert "the feed b.example/rss failed 3 times, last: not read within 5 s" in text
    assert "a.example" not in text


def test_a_venue_that_does_not_count_for_some_coins_says_so() -> None:
    console = Console(file=io.StringIO(), width=200)
    coins = {name: READY for name in ("ADA", "BTC", "DOGE", "ETH", "SOL", "XRP")}
    venues = {"binance": READY, "okx": READY}
    print_readiness(console, ReadinessReport(NOW, READY, venues, coins, {"okx": list(coins)}), NOW)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Venue binance: counts\n" in text
    named = "ADA, BTC, DOGE, ETH, SOL and 1 more"
    assert f"Venue okx: counts, except for 6 coin(s): {named}\n" in text


def test_a_store_on_a_server_may_be_served_by_another_machine() -> None:
    fresh, old = {"now_ms": NOW - 5_000}, {"now_ms": NOW - 25_000}
    server = "postgresql+psycopg://user@host/liqtrend"
    told = [_elsewhere(server, status, NOW) for status in (fresh, old, {})]
    assert told == [True, False, False]
    # Of a file, this machine's own lock tells.
    assert not _elsewhere("sqlite:///store.sqlite", fresh, NOW)


@pytest.fixture
def silent(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store whose sidecar spoke ten minutes ago, and that spools by now."""
    monkeypatch.setenv("COLUMNS", "200")
    store, heard_ms = Store(workplace), int(time.time() * 1000) - 600_000
    feed = {
        "state": "live",
        "detail": "",
        "last_liquidation_ms": heard_ms,
        "dropped": {},
        "not_understood": 0,
        "markets_error": None,
        "rejected": [],
    }
    status = sidecar_status(now_ms=heard_ms, feeds={"binance": feed})
    store.writer.put_state("sidecar", status, heard_ms)
    (workplace / "store.sqlite.spool").write_text("{}\n" * 3)
    return store


def status_of(workplace: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(["status", "--store", f"sqlite:///{workplace / 'store.sqlite'}"]) != 0
    said = capsys.readouterr()
    return said.out + said.err


def test_a_sidecar_that_does_not_answer_is_told_of_as_of_when_it_was_last_heard(
    silent: Store, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = SidecarFiles.of(f"sqlite:///{workplace / 'store.sqlite'}", workplace)
    with SidecarLock(files).held() as alone:
        assert alone
        said = status_of(workplace, capsys)
    assert "No entries: the sidecar does not answer" in said
    assert "no sidecar listens" not in said
    assert "binance is unknown: the sidecar does not answer" in said
    assert "Prices: Binance what was paid." in said
    header = said.index("UTC, when the sidecar was last heard:")
    assert header < said.index("live") and header < said.index("waiting in memory")
    assert " 0 s ago" not in said
    assert any(f" {seconds} s ago" in said for seconds in range(600, 700))
    assert f"3 liquidations wait in {files.spool}" in said


@pytest.mark.parametrize(
    ("settings", "peak", "words"),
    [
        ({}, 9.04, "peak z 9.0, $1,000"),
        ({"zscore": "robust"}, 2.41, "peak robust z 2.4, $1,000"),
        ({"zscore": "percentile"}, 0.985, "peak larger than 98.5% of its baseline, $1,000"),
    ],
)
def test_the_last_waves_peak_is_told_by_the_name_of_the_score_that_the_sidecar_goes_by(
    silent: Store,
    workplace: Path,
    capsys: pytest.CaptureFixture[str],
    settings: dict[str, str],
    peak: float,
    words: str,
) -> None:
    now_ms = int(time.time() * 1000)
    wave = {
        **{"base_asset": "BTC", "direction": "SHORT", "pair": "BTC/USDT:USDT", "minutes": 1},
        **{"start_ms": now_ms, "last_ms": now_ms, "available_at": now_ms, "seen": True},
        **{"strength": "strong", "peak_z": peak, "peak_usd": 1_000.0},
    }
    silent.writer.put_results([], [wave], now_ms, now_ms)
    status = sidecar_status(now_ms=now_ms - 600_000, feeds={}, settings=settings)
    silent.writer.put_state("sidecar", status, now_ms)
    assert words in status_of(workplace, capsys)


def test_what_a_dead_sidecar_left_in_its_spool_is_told(
    silent: Store, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = status_of(workplace, capsys)
    assert "No entries: no sidecar is running on this machine" in said
    assert "UTC, when the sidecar was last heard:" in said
    assert f"3 liquidations wait in {workplace / 'store.sqlite.spool'}" in said


def test_what_waits_is_told_also_where_the_store_cannot_be_read(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "store.sqlite").write_text("this is no database, " * 100)
    (workplace / "store.sqlite.spool").write_text("{}\n")
    assert "No sidecar is running; 1 liquidation waits in" in status_of(workplace, capsys)
