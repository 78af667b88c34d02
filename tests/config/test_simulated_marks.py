"""What never happened is marked wherever it is shown or exported."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from liq_provider.cli import main
from liq_provider.config import simulated_marks
from liq_provider.config.settings import load_settings
from liq_provider.core.coverage import Interval
from liq_provider.history.importer import import_files
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.serve import SimulateOptions, build_market
from liq_provider.simulator.urls import freqtrade_exchange_config
from liq_provider.simulator.world import World
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.simulated_spans import mark_of, note_simulated, simulated_spans
from liq_provider.store.writer import Writer
from tests.plot.helpers import PAIR, at, fill

VENUES = ("binance", "bybit", "okx")
WHOLE = "SIMULATED market: nothing of this happened on an exchange"
PART = "SIMULATED in part: what is of okx never happened on an exchange"
SECTION = {
    "baseline_hours": 6, "min_baseline_segments": 36, "min_active_segments": 10,
    "store": "sqlite:///store.sqlite",
}  # fmt: skip


@pytest.mark.parametrize(
    ("simulated", "said"),
    [((), None), (("okx",), PART), (VENUES, WHOLE), ((*VENUES, "gate"), WHOLE)],
)
def test_the_mark_says_whether_all_or_some_of_it_is_simulated(
    simulated: tuple[str, ...], said: str | None
) -> None:
    assert simulated_marks.mark(simulated, VENUES) == said


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("ws://127.0.0.1:18900/x", True),
        ("ws://localhost/x", True),
        ("wss://[::1]:1/x", True),
        ("wss://fstream.binance.com/ws", False),
        ("wss://localhost.example/ws", False),
        ("wss://[", False),
        (None, False),
        ({"rest": "https://a.example", "deep": {"x": "http://127.0.0.1:1"}}, True),
    ],
)
def test_an_address_on_this_machine_is_no_exchange(url: object, here: bool) -> None:
    assert simulated_marks.is_here(url) is here


def test_one_simulated_venue_beside_real_ones_is_named() -> None:
    section = {"venues": {"okx": {"url": "ws://127.0.0.1:18900/ws/v5/public"}}}
    settings = load_settings({"liq_provider": section}, {})
    assert simulated_marks.fed_from_here(settings) == ("okx",)
    assert simulated_marks.fed_from_here(load_settings({}, {})) == ()


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's folder with a store in which okx was simulated."""
    writer = Writer(open_engine(f"sqlite:///{tmp_path / 'store.sqlite'}"))
    fill(writer)
    note_simulated(writer.engine, "okx", Interval(at(0), at(1_440)), at(1_440))
    writer.close()
    config = {"timeframe": "1m", "exchange": {}, "liq_provider": SECTION}
    (tmp_path / "user_data").mkdir()
    (tmp_path / "config.json").write_text(json.dumps(config))
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def test_every_command_that_shows_data_says_that_some_never_happened(
    base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> tuple[str, str]:
        main(list(words))
        said = capsys.readouterr()
        return said.out, said.err

    assert PART in " ".join(run("status")[0].split())
    assert json.loads(run("status", "--json")[0])["simulated"] == PART
    out, err = run("explain", "--pair", PAIR, "--at", "2026-03-04T12:04", "--json")
    assert PART in err and json.loads(out)["simulated"] == PART
    span = ("--from", "2026-03-04T00:00", "--to", "2026-03-05T00:00")
    out, err = run("verdicts", *span, "--format", "json")
    assert PART in err and json.loads(out)[0]["stand_in"] is False
    out, err = run("features", "--pair", PAIR, *span)
    assert PART in err and "SIMULATED" not in out
    header, *rows = out.splitlines()
    assert header.endswith(",simulated") and any(row.endswith(",okx") for row in rows)
    out, _ = run("plot", "--pair", PAIR, "--out", str(base / "p.html"))
    assert out.startswith("SIMULATED: BTC/USDT:USDT, NO candles") and PART in out
    page = (base / "p.html").read_text()
    assert page.count("SIMULATED") >= 3
    out, _ = run("study", "--pair", PAIR, "--out", str(base / "study"))
    assert out.partition("No 1m candles")[2] and f"{PART}. " in out
    (report,) = (base / "study").glob("*.json")
    assert json.loads(report.read_text())["simulated"] == PART
    assert PART in report.with_suffix(".html").read_text()


def test_the_mark_goes_with_an_export_and_its_files(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(base / "out")]) == 0
    assert PART in capsys.readouterr().out
    file = next((base / "out" / "liquidations").rglob("*.parquet"))
    assert pq.read_schema(file).metadata[b"liqtrend_simulated"] == b"okx"
    other = {**SECTION, "store": "sqlite:///other.sqlite"}
    (base / "other.json").write_text(json.dumps({"liq_provider": other}))
    assert main(["import", "-c", str(base / "other.json"), str(base / "out")]) == 0
    assert PART in capsys.readouterr().out
    reader = Reader(f"sqlite:///{base / 'other.sqlite'}")
    assert simulated_spans(reader) == {"okx": Interval(at(0), at(1_440))}


def test_a_simulators_tape_marks_the_store_it_is_imported_into(tmp_path: Path) -> None:
    market = build_market(SimulateOptions(scenario="quiet", history_h=1.0), at(0))
    rows = market.tape(at(-60), at(0))
    path = tmp_path / "tape.jsonl"
    fields = ("venue", "received_ms", "frame", "simulated")
    lines = [json.dumps({name: getattr(row, name) for name in fields}) for row in rows]
    path.write_text("\n".join(lines))
    writer = Writer(open_engine(f"sqlite:///{tmp_path / 's.sqlite'}"))
    reader = Reader(f"sqlite:///{tmp_path / 's.sqlite'}")
    report = import_files(writer, reader, [path], "frames", now_ms=at(0))
    assert report.kept and {"binance", "bybit"} <= report.simulated
    assert set(simulated_spans(reader)) == report.simulated
    assert mark_of(reader, ("binance", "bybit"), at(-30), at(0)) == WHOLE
    # Of another time nothing is simulated.
    assert mark_of(reader, ("binance", "bybit"), at(60), at(120)) is None
    writer.close()


def test_a_span_only_grows(tmp_path: Path) -> None:
    writer = Writer(open_engine(f"sqlite:///{tmp_path / 's.sqlite'}"))
    reader = Reader(f"sqlite:///{tmp_path / 's.sqlite'}")
    for begin, end in ((50, 60), (52, 55), (70, 80), (10, 20)):
        note_simulated(writer.engine, "gate", Interval(begin, end), 1)
    assert simulated_spans(reader) == {"gate": Interval(10, 80)}
    writer.close()


def test_a_stand_in_is_told_from_a_model() -> None:
    assert simulated_marks.is_stand_in("stand-in-not-an-AI@v3")
    assert not simulated_marks.is_stand_in("gpt-6-luna@v3") and not simulated_marks.is_stand_in(
        "matrix"
    )


def test_a_plot_takes_the_candles_that_its_title_promises_from_the_bots_exchange(
    base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Freqtrade downloaded none, and the exchange is a simulated one."""
    asyncio.run(_plot_beside_an_exchange(base))
    said = capsys.readouterr().out
    assert said.startswith("SIMULATED: BTC/USDT:USDT, 1m candles, ")
    assert "No candles" not in said and "Candles of" not in said
    assert '"candlestick"' in (base / "p.html").read_text()


async def _plot_beside_an_exchange(base: Path) -> None:
    world = World(at(1_440), volatility=0.0, background=0.0, history_h=26)
    async with Simulator(world, clock=lambda: at(1_440) / 1000) as sim:
        config = {
            "timeframe": "1m",
            "exchange": freqtrade_exchange_config(sim.url),
            "liq_provider": SECTION,
        }
        (base / "config.json").write_text(json.dumps(config))
        words = ["plot", "--pair", PAIR, "--out", str(base / "p.html")]
        assert await asyncio.to_thread(main, words) == 0
