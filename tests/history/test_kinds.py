"""What is not one row a line: REST answers, bare frames, bars, and mixtures in one folder."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from liq_provider.cli import main
from liq_provider.core.markets import Market
from liq_provider.errors import ImportRefused, UsageError
from liq_provider.history.recognise import recognise
from liq_provider.store import schema
from liq_provider.store.reader import Reader
from tests.history.test_import import HEADER, MINUTE, T0, Store, row, write


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.writer.close()


def answer(*markets: str, code: str = "0") -> dict[str, Any]:
    detail = {"bkPx": "50", "sz": "2", "side": "sell", "posSide": "long", "ts": str(T0)}
    data = [{"instId": m, "instType": "SWAP", "details": [detail]} for m in markets]
    return {"code": code, "msg": "", "data": data}


# -- OKX's answers


@pytest.mark.parametrize("indent", [None, 2])
def test_an_answer_of_okx_is_read_as_its_rows(
    store: Store, tmp_path: Path, indent: int | None
) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(answer("BTC-USDT-SWAP", "WHAT-USDT-SWAP"), indent=indent))
    assert recognise(path) == "okx-rest"
    report = store.load(path, form=None)
    assert (report.kept, store.total_usd()) == (1, 1.0)  # two contracts of 0.01 at 50
    assert [bad.line for bad in report.bad_rows] == [1]
    assert "WHAT-USDT-SWAP is in no market list of okx; start the sidecar" in str(
        report.bad_rows[0]
    )
    assert report.coins == {"okx": ["BTC"]}


def test_answers_may_stand_one_on_a_line(store: Store, tmp_path: Path) -> None:
    error = {"code": "50011", "msg": "Too Many Requests", "data": None}
    lines = [answer("BTC-USDT-SWAP"), error, answer("ETH-USDT-SWAP")]
    path = write(tmp_path / "a.jsonl", *[json.dumps(line) for line in lines], "{")
    report = store.load(path, form="okx-rest")
    assert report.kept == 2
    assert [(bad.line, bad.reason) for bad in report.bad_rows] == [
        (2, "no answer with data, but 'Too Many Requests'"),
        (4, "no answer with data"),
    ]


def test_a_truncated_answer_is_refused_with_its_line(store: Store, tmp_path: Path) -> None:
    text = json.dumps(answer("BTC-USDT-SWAP"), indent=1)
    path = write(tmp_path / "a.json", text[:-30])
    with pytest.raises(ImportRefused, match=r"a\.json:\d+: is no JSON"):
        store.load(path, form="okx-rest")


# -- frames


def bybit_frame(at_ms: int, symbol: str = "BTCUSDT") -> str:
    sent = {"T": at_ms, "s": symbol, "S": "Buy", "v": "2", "p": "50"}
    return json.dumps({"topic": f"allLiquidation.{symbol}", "ts": at_ms + 300, "data": [sent]})


def test_bare_frames_need_their_venue_and_get_its_usual_latency(
    store: Store, tmp_path: Path
) -> None:
    pong = '{"op": "pong"}'
    path = write(
        tmp_path / "a.jsonl", bybit_frame(T0), pong, "", bybit_frame(T0 + MINUTE), "<html>"
    )
    with pytest.raises(ImportRefused, match="looks like none of the formats"):
        store.load(path, form=None)
    with pytest.raises(UsageError, match="'nowhere' is none of the venues: binance"):
        store.load(path, form=None, venue="nowhere")
    report = store.load(path, form=None, venue="bybit")
    assert (report.kept, [bad.line for bad in report.bad_rows]) == (2, [5])
    assert store.load(path, form="frames", venue="bybit").duplicates == 2


def okx_frame(market_id: str, at_ms: int) -> str:
    detail = {"bkPx": "50", "sz": "2", "side": "sell", "posSide": "long", "ts": str(at_ms)}
    sent = {"instId": market_id, "details": [detail]}
    frame = {"arg": {"channel": "liquidation-orders"}, "data": [sent]}
    return json.dumps({"venue": "okx", "received_ms": at_ms + 400, "frame": json.dumps(frame)})


def covered(store: Store, *coins: str) -> dict[str, int]:
    grids = store.reader.grids(coins, ["binance", "bybit", "okx"], T0, T0 + 10 * MINUTE)
    return {coin: int(grid.covered.sum()) for coin, grid in grids.items()}


def test_coins_whose_rows_were_not_understood_do_not_become_known(
    store: Store, tmp_path: Path
) -> None:
    lines = [okx_frame(m, T0 + n * MINUTE) for n, m in enumerate(["BTC-USDT-SWAP"] * 5)]
    path = write(tmp_path / "a.jsonl", *lines, okx_frame("HYPE-USDT-SWAP", T0 + MINUTE))
    report = store.load(path, form="frames")
    assert "unknown_market: HYPE-USDT-SWAP is in no market list of okx" in str(report.bad_rows[0])
    assert covered(store, "BTC", "HYPE", "ETH") == {"BTC": 4, "HYPE": 0, "ETH": 0}
    # With the list, the same file is about all of the venue.
    store.writer.put_markets(
        "okx", [Market("okx", "HYPE-USDT-SWAP", "HYPE/USDT:USDT", "HYPE", 0.1)]
    )
    report = store.load(path, form="frames")
    assert (report.kept, report.duplicates, report.bad) == (1, 5, 0)
    assert covered(store, "BTC", "HYPE", "ETH") == {"BTC": 4, "HYPE": 4, "ETH": 4}


def test_a_skipped_file_claims_nothing_for_another_venue(store: Store, tmp_path: Path) -> None:
    first = write(tmp_path / "a.jsonl", bybit_frame(T0), bybit_frame(T0 + MINUTE))
    stated = {"form": "frames", "venue": "bybit"}
    store.load(first, **stated)
    other = write(tmp_path / "b.csv", HEADER, row(T0), row(T0 + 3 * MINUTE))
    store.load(other)
    second = write(tmp_path / "c.jsonl", bybit_frame(T0 + 2 * MINUTE), bybit_frame(T0 + 3 * MINUTE))
    report = store.load(first, second, **stated)
    assert (report.skipped, report.kept) == (1, 2)
    assert list(report.covered) == ["bybit"]


@pytest.mark.parametrize("wrap", ["bare", "event", "stream"])
def test_json_lines_of_binance_are_recognised_as_recorded_by_anybody(
    store: Store, tmp_path: Path, wrap: str
) -> None:
    order = {"s": "BTCUSDT", "S": "SELL", "o": "LIMIT", "p": "50", "ap": "50", "z": "2", "T": T0}
    event = {"e": "forceOrder", "E": T0 + 9, "o": order}
    line = {"bare": order, "event": event, "stream": {"stream": "!forceOrder@arr", "data": event}}
    path = write(tmp_path / "a.jsonl", json.dumps(line[wrap]))
    assert store.load(path, form=None).kept == 1


# -- bars, and all together


def test_a_folder_of_many_kinds_is_read_file_by_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data"
    folder.mkdir()
    hour = T0 // 3_600_000 * 3_600_000 - 10 * 3_600_000
    bars = [f"{hour + n * 3_600_000},{n}.5,7" for n in range(3)]
    write(folder / "bars.csv", "timestamp,longUsd,shortUsd", *bars)
    write(folder / "rows.csv", HEADER, row(T0))
    history = [{"t": hour // 1000 + 300 * n, "l": 1, "s": 2} for n in range(4)]
    (folder / "alyze.json").write_text(
        json.dumps([{"symbol": "ETHUSDT_PERP.A", "history": history}])
    )
    (folder / "okx.json").write_text(json.dumps(answer("BTC-USDT-SWAP")))
    write(folder / "readme.txt", "bars and rows")
    monkeypatch.setattr("liq_provider.commands.history.machine_ms", lambda: T0 + 3_600_000)
    assert main(["import", "data", "--pair", "BTC/USDT:USDT"]) == 1
    said = capsys.readouterr().out
    assert "2 liquidations kept" in said
    assert "refused: data/readme.txt: looks like none of the formats" in said
    assert "BTC: 3 bars of 60 min kept" in said
    assert "ETH: 4 bars of 5 min kept" in said
    url = f"sqlite:///{tmp_path / 'user_data' / 'liq_provider.sqlite'}"
    assert Reader(url).count("bars") == 7


def test_bars_that_name_no_coin_ask_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "bars.csv", "timestamp,longUsd,shortUsd", f"{T0},1,2")
    assert main(["import", "bars.csv"]) == 2
    assert "bars.csv: does not say which coin it is about; say --pair" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"PK\x03\x04 no zip", b"\x1f\x8b no gzip", b"PK\x05\x06"])
@pytest.mark.parametrize("suffix", [".zip", ".csv.gz"])
def test_archives_that_are_none_are_refused(
    store: Store, tmp_path: Path, content: bytes, suffix: str
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    for form in (None, "tardis", "frames"):
        with pytest.raises(ImportRefused, match=rf"a\{suffix}"):
            store.load(path, form=form)


def test_the_order_of_rows_and_files_does_not_matter(tmp_path: Path) -> None:
    """Sums of dollars that are exact, so that not even rounding may differ."""
    rows = [
        row(T0 + 7_001 * n, symbol=f"C{n % 3}USDT", side="SELL" if n % 2 else "BUY", z=str(n + 1))
        for n in range(60)
    ]
    contents = []
    for name, lines in (("a", rows), ("b", rows[::-1]), ("c", rows[1::2] + rows[::2])):
        folder = tmp_path / name
        folder.mkdir()
        store = Store(folder)
        store.load(
            write(folder / "1.csv", HEADER, *lines[:25]),
            write(folder / "2.csv", HEADER, *lines[25:]),
        )
        spans = store.reader.coverage(["binance"], T0, T0 + 60 * MINUTE)
        with store.writer.engine.connect() as connection:
            minutes = connection.execute(schema.minutes.select()).all()
        contents.append((sorted(map(tuple, minutes)), spans))
        store.writer.close()
    assert contents[0] == contents[1] == contents[2]


def test_a_recording_of_several_venues_covers_each_for_itself(store: Store, tmp_path: Path) -> None:
    bybit = {"venue": "bybit", "received_ms": T0 + 900, "frame": bybit_frame(T0)}
    later = {**bybit, "frame": bybit_frame(T0 + 8 * MINUTE), "received_ms": T0 + 8 * MINUTE + 900}
    lines = [okx_frame("BTC-USDT-SWAP", T0 + n * MINUTE) for n in range(3)]
    path = write(tmp_path / "a.jsonl", json.dumps(bybit), *lines, json.dumps(later))
    report = store.load(path, form=None)
    lengths = {
        venue: [round((span.end_ms - span.start_ms) / MINUTE) for span in spans]
        for venue, spans in report.covered.items()
    }
    assert lengths == {"bybit": [8], "okx": [2]}
