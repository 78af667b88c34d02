"""``liq-provider plot`` as a user runs it."""

import json
from pathlib import Path

import pytest
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType

from liq_provider.bot.rules_of_bots import TOLD, in_force_of
from liq_provider.cli import main
from liq_provider.config.settings import Settings
from liq_provider.core.durations import MINUTE_MS
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.store.database import open_engine
from liq_provider.store.writer import Writer
from tests.plot.helpers import PAIR, at, fill, frame
from tests.plot.test_trades import moment, put

SECTION = {"baseline_hours": 6, "min_baseline_segments": 36, "min_active_segments": 10}
HOUR = ["--from", "2026-03-04T11:30", "--to", "2026-03-04T13:00"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: store, configuration, candles, trades."""
    folder = tmp_path_factory.mktemp("plot")
    writer = Writer(open_engine(f"sqlite:///{folder / 'store.sqlite'}"))
    fill(writer)
    writer.close()
    data = folder / "user_data" / "data" / "binance"
    (data / "futures").mkdir(parents=True)
    get_datahandler(data, "feather").ohlcv_store(PAIR, "1m", frame(), CandleType.FUTURES)
    put(folder / "trades.sqlite", [{"id": 1, "is_open": True, "open_date": moment(722)}], [])
    config = {
        "timeframe": "1m",
        "db_url": "sqlite:///trades.sqlite",
        "exchange": {"name": "binance"},
        "liq_provider": SECTION | {"store": "sqlite:///store.sqlite"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(autouse=True)
def there(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(base)


def test_a_page_with_candles_and_trades(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "view.html"
    assert main(["plot", "--pair", PAIR, *HOUR, "--out", str(out), "--theme", "dark"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("BTC/USDT:USDT, 1m candles, 2026-03-04 11:30 to 2026-03-04 13:00 UTC\n")
    assert f"Written: {out}" in said and "No candles" not in said
    text = out.read_text()
    for part in ('"candlestick"', "entry long", "verdict: enter", "wave SHORT", "#14171b"):
        assert part in text, part


def test_todays_whitelist_refuses_nothing_of_the_past(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = json.loads((base / "config.json").read_text())
    config["exchange"]["pair_whitelist"] = ["ETH/USDT:USDT"]
    other, out = tmp_path / "other.json", tmp_path / "view.html"
    other.write_text(json.dumps(config))
    assert main(["plot", "-c", str(other), "--pair", PAIR, *HOUR, "--out", str(out)]) == 0
    text = out.read_text()
    assert "verdict: enter" in text and "whitelist" not in text


def test_the_candles_are_those_of_the_bot_that_is_there(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings.model_validate(SECTION)
    known = in_force_of(settings, {}, 5 * MINUTE_MS, [PAIR], "")
    files = SidecarFiles(base / "store.sqlite")
    files.beat({"name": "A", TOLD: known.as_told()})
    try:
        out = tmp_path / "view.html"
        assert main(["plot", "--pair", PAIR, *HOUR, "--out", str(out)]) == 0
    finally:
        files.heartbeat().unlink()
    assert ", NO candles, " in capsys.readouterr().out, "there are none of 5m"
    assert "longs \u2193" in out.read_text() and "USD per 5m" in out.read_text()


def test_the_last_day_by_default_and_without_candles(
    base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plot", "--pair", "BTC/USDC:USDC"]) == 0
    said = capsys.readouterr().out
    assert "2026-03-04 00:0" in said and "to 2026-03-0" in said
    assert "NO candles" in said.splitlines()[0]
    assert "freqtrade download-data gets them): prices are of liquidations." in said
    assert (base / "user_data" / "plot" / "liqtrend-BTC_USDC_USDC-1m.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--pair", "FOO/USDT:USDT"], "FOO/USDT:USDT: the store has no liquidations of it"),
        (["--pair", "btc"], "--pair 'btc': write it as Freqtrade does"),
        (["--pair", PAIR, "--out", "a.pdf"], "--out a.pdf: must end in .html or .png"),
        (["--pair", PAIR, "--from", "2026-03-04T12:00", "--to", "2026-03-04T11:00"], "--from must"),
        (["--pair", PAIR, "--from", "2027-01-01"], "--from must be before --to"),
        (["--pair", PAIR, "--from", "noon"], "'noon' is no time"),
        (["--pair", PAIR, "--from", "2025-01-01"], "days are too much for one picture"),
        (["--pair", PAIR, "--from", "2026-02-01", "--to", "2026-02-02"], "no feed was heard"),
        (["--pair", PAIR, "--from", str(at(901)), "--to", str(at(959))], "no feed was heard"),
        (["--pair", PAIR, "--store", "sqlite:////nowhere/x.sqlite"], "There is no store"),
        (["--pair", PAIR, "--out", "/proc/none/a.html"], "cannot be written"),
    ],
)
def test_what_cannot_be_drawn_is_one_clear_error(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plot", *arguments]) == 2
    said = capsys.readouterr().err
    assert problem in said and len(said.splitlines()) == 1


def test_a_picture_needs_a_browser(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert main(["plot", "--pair", PAIR, "--out", "a.png"]) == 2
    assert (
        "needs Chromium or Chrome, and there is none here; write .html" in capsys.readouterr().err
    )


@pytest.mark.processes
def test_a_browser_that_fails_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = tmp_path / "chromium"
    fake.write_text("#!/bin/sh\necho 'no display' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    out = tmp_path / "a.png"
    assert main(["plot", "--pair", PAIR, *HOUR, "--out", str(out)]) == 2
    assert "made no picture (no display); write .html" in capsys.readouterr().err
    assert not out.exists()
