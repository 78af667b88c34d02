"""Import, features, explain, rebuild, prune and status as a user runs them."""

import csv
import gc
import io
import json
from pathlib import Path

import psutil
import pytest

from liq_provider.cli import main

HEADER = "s,S,o,f,q,p,ap,X,l,z,T\n"
START_MS = 1_767_225_600_000  # 2026-01-01 00:00 UTC


def row(minute: int, side: str = "SELL", usd: float = 1_000.0, second: int = 5) -> str:
    time_ms = START_MS + minute * 60_000 + second * 1_000
    return f"BTCUSDT,{side},LIMIT,IOC,1,100,100,FILLED,1,{usd / 100},{time_ms}\n"


def recording(path: Path) -> Path:
    """Nine hours with one order every five minutes, then a burst of longs."""
    rows = [
        row(minute, "SELL" if minute % 2 else "BUY", usd=500.0 + minute)
        for minute in range(2, 540, 5)
    ]
    rows += [row(541, usd=30_000, second=second) for second in range(0, 50, 5)]
    path.write_text(HEADER + "".join(rows))
    return path


def import_(path: Path, *more: str) -> int:
    return main(["import", str(path), "--format", "binance-forceorder", *more])


def test_importing_twice_keeps_once(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recording(workplace / "r.csv")
    assert import_(path) == 0
    assert "118 liquidations kept, 0 duplicates, 0 bad rows" in capsys.readouterr().out
    assert import_(path) == 0
    assert "0 liquidations kept, 118 duplicates, 0 bad rows" in capsys.readouterr().out


def test_the_commands_leave_no_connection_open(workplace: Path) -> None:
    path = recording(workplace / "r.csv")
    # Python's collector must have nothing to do with it.
    gc.disable()
    try:
        for command in (
            ["import", str(path), "--format", "binance-forceorder"],
            ["import", str(workplace / "none"), "--format", "binance-forceorder"],
            ["features", "--pair", "BTC/USDT:USDT", "--to", "2026-01-01T09:10"],
            ["export", str(workplace / "out")],
            ["import", str(workplace / "out")],
            ["rebuild"],
            ["fill"],
            ["prune", "--days", "30", "--clock-is-right"],
        ):
            main(command)
            files = [Path(file.path) for file in psutil.Process().open_files()]
            own = [path for path in files if path.is_relative_to(workplace.resolve())]
            assert not [path for path in own if ".sqlite" in path.name], command
    finally:
        gc.enable()


def test_bad_rows_are_named_with_their_line_and_good_ones_kept(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = workplace / "r.csv"
    path.write_text(HEADER + row(1) + "BTCUSDT,SELL,LIMIT\n" + row(2, side="UP") + row(3))
    assert import_(path) == 1
    out = capsys.readouterr().out
    assert "2 liquidations kept, 0 duplicates, 2 bad rows" in out
    assert f"{path}:3: too few columns" in out
    assert f"{path}:4: bad_side" in out


def test_a_file_of_another_format_is_refused(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = workplace / "r.csv"
    path.write_text("time,open,high\n1,2,3\n")
    assert import_(path) == 2
    assert f"{path}: no column s, S" in capsys.readouterr().err


def test_a_missing_file_is_one_clear_line(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert import_(workplace / "none.csv") == 2
    assert capsys.readouterr().err.strip().endswith("none.csv: no such file")


def test_features_show_the_burst(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import_(recording(workplace / "r.csv"), "--covered", "2026-01-01..2026-01-01T10:00")
    capsys.readouterr()
    assert main(["features", "--pair", "BTC/USDT:USDT", "--to", "2026-01-01T09:10"]) == 0
    rows = {line["close"]: line for line in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    burst = rows["2026-01-01 09:02:00"]
    assert burst["strength"] == "strong"
    assert burst["direction"] == "SHORT"
    assert float(burst["long_usd"]) == 300_000 + 1_037
    assert burst["wave"] == "2026-01-01 09:02:00"
    assert rows["2026-01-01 05:00:00"]["state"] == "warming_up"


def test_features_as_json_are_one_object_a_line(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_(recording(workplace / "r.csv"))
    capsys.readouterr()
    assert main(["features", "--pair", "BTC/USDT:USDT", "--format", "json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["state"] == "uncovered"  # the recording ends within that minute
    assert lines[-2]["count"] == 1


def test_explain_names_the_first_gate_that_failed(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_(recording(workplace / "r.csv"), "--covered", "2026-01-01..2026-01-01T10:00")
    capsys.readouterr()
    arguments = ["explain", "--pair", "BTC/USDT:USDT", "--json", "--at"]
    assert main([*arguments, "2026-01-01T05:00"]) == 0
    early = json.loads(capsys.readouterr().out)
    assert next(gate for gate in early["gates"] if gate["passed"] is False)["name"] == "baseline"
    assert main([*arguments, "2026-01-01T09:02"]) == 0
    burst = json.loads(capsys.readouterr().out)
    gates = {gate["name"]: gate["passed"] for gate in burst["gates"]}
    assert gates["z"] and gates["purity"] and gates["wave"]
    # No configuration names an exchange, so there are no candles, and nobody can tell.
    assert gates["trend"] is False
    assert burst["entry"] is None


def test_explain_prints_numbers_and_a_conclusion(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_(recording(workplace / "r.csv"), "--covered", "2026-01-01..2026-01-01T10:00")
    capsys.readouterr()
    assert main(["explain", "--pair", "BTC/USDT:USDT", "--at", "2026-01-01T09:02"]) == 0
    out = capsys.readouterr().out
    assert "No candles: no configuration names an exchange" in out
    assert "cannot be told without candles" in out and "No entry" not in out


def test_min_event_usd_asks_for_a_rebuild_and_rebuild_obeys_it(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recording(workplace / "r.csv")
    import_(path)
    config = workplace / "user_data" / "config.json"
    config.write_text('{"liq_provider": {"min_event_usd": 5000}}')
    assert import_(path) == 2
    assert "liq-provider rebuild" in capsys.readouterr().err
    assert main(["rebuild"]) == 0
    assert "1 minutes made anew, min_event_usd 5000" in capsys.readouterr().out
    assert import_(path) == 0


def test_prune_deletes_the_distant_past(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_(recording(workplace / "r.csv"))
    capsys.readouterr()
    assert main(["prune", "--days", "0.001", "--clock-is-right"]) == 0
    assert "liquidations: 118 rows deleted" in capsys.readouterr().out


def test_prune_goes_by_keep_days_if_nothing_else_is_said(
    workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import_(recording(workplace / "r.csv"))
    capsys.readouterr()
    assert main(["prune"]) == 2
    assert "say --days, or set liq_provider.keep_days" in capsys.readouterr().err
    monkeypatch.setenv("LIQ_PROVIDER__KEEP_DAYS", "2")
    assert main(["prune", "--clock-is-right"]) == 0
    assert "liquidations: 118 rows deleted" in capsys.readouterr().out


def test_prune_refuses_by_a_clock_far_from_the_newest_in_the_store(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_(recording(workplace / "r.csv"))
    capsys.readouterr()
    assert main(["prune", "--days", "2"]) == 2
    said = capsys.readouterr().err
    assert "the newest in the store is of 2026-01-01 09:01:45; nothing is deleted" in said
    assert "--clock-is-right" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["features", "--pair", "BTC/USDT:USDT"], "There is no store at"),
        (["explain", "--pair", "BTC/USDT:USDT"], "There is no store at"),
        (["status"], "There is no store at"),
        (["prune", "--days", "-1"], "--days must be positive"),
        (["status", "-c", "missing.json"], "missing.json"),
        (["status", "--store", "mysql://x"], "liq_provider.store"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    workplace: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err


def test_an_unreadable_time_says_how_to_write_one(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_(recording(workplace / "r.csv"))
    assert main(["explain", "--pair", "BTC/USDT:USDT", "--at", "noon"]) == 2
    assert "write 2026-03-10T05:09" in capsys.readouterr().err


def test_status_without_a_sidecar_says_so_and_fails(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_(recording(workplace / "r.csv"))
    capsys.readouterr()
    assert main(["status"]) == 1
    assert "No entries: no sidecar is running" in capsys.readouterr().out
    assert main(["status", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["readiness"]["whole"]["condition"] == "blocked"


@pytest.mark.parametrize("command", ["features", "explain"])
@pytest.mark.parametrize("pair", ["BCT/USDT:USDT", "BTCUSDT"])
def test_a_misspelled_pair_is_told_and_not_answered_with_zeros(
    workplace: Path, capsys: pytest.CaptureFixture[str], command: str, pair: str
) -> None:
    import_(recording(workplace / "r.csv"))
    assert main([command, "--pair", pair]) == 2
    assert f"{pair}: the store has no liquidations of it" in capsys.readouterr().err
