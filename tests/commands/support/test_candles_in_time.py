"""What ``doctor`` and ``status`` say of candles: as a sum, and as a bot measured it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from liq_provider.cli import main
from liq_provider.commands.doctor import Finding, _candles
from liq_provider.commands.support.candles_in_time import planned_pairs
from liq_provider.commands.support.context import Context
from liq_provider.config.settings import Settings
from liq_provider.exchange.candle_sum import CandleSum, RequestTime
from liq_provider.sidecar.sidecar_files import SidecarFiles
from tests.sidecar.test_settle_minute import Store

REMEDY = "list at most 232 pairs, or let `liq-provider init` make a short list"
BINANCE = {"name": "binance", "enable_ws": False}


def whitelist(count: int) -> dict[str, Any]:
    return {"exchange": {**BINANCE, "pair_whitelist": [f"C{n}/USDT:USDT" for n in range(count)]}}


def found(tmp_path: Path, config: Mapping[str, Any], **section: Any) -> list[Finding]:
    store = f"sqlite:///{tmp_path / 's.sqlite'}"
    return list(_candles(Context(config, Settings(**section), store, tmp_path)))


def beat(tmp_path: Path, ready_s: float | None, pairs: int = 400) -> None:
    request = RequestTime(100.0, 600, 60.0)
    told = CandleSum.of(pairs, request, Settings(), ready_s, ready_s).as_told()
    SidecarFiles(tmp_path / "s.sqlite").beat({"name": "A", "candles": told})


def test_a_list_that_is_too_long_is_an_error_before_any_bot_runs(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, whitelist(400))
    assert (finding.level, finding.what) == ("error", "candles")
    assert finding.found.startswith("400 pairs x 100 ms = 40.0 s; a signal is traded at most 30 s")
    assert finding.remedy == REMEDY


@pytest.mark.parametrize(("pairs", "level"), [(13, "ok"), (100, "warning"), (269, "warning")])
def test_shorter_lists_are_a_warning_or_nothing(tmp_path: Path, pairs: int, level: str) -> None:
    (finding,) = found(tmp_path, whitelist(pairs))
    assert finding.level == level and bool(finding.remedy) == (level != "ok")


def test_the_setting_is_what_it_is_compared_with(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, whitelist(400), max_entry_delay_s=60)
    assert finding.level == "warning" and "entries are late" in finding.found


def test_what_the_bot_measured_is_told_instead(tmp_path: Path) -> None:
    beat(tmp_path, 41.5)
    (finding,) = found(tmp_path, whitelist(13))
    assert (finding.level, finding.what) == ("error", "candles of A")
    assert "the bot had them 41.5 s after their close" in finding.found


def test_nothing_is_said_where_nothing_is_known(tmp_path: Path) -> None:
    assert found(tmp_path, {}) == []
    assert found(tmp_path, {"exchange": BINANCE}) == []
    assert found(tmp_path, {"exchange": {**whitelist(9)["exchange"], "name": "nowhere"}}) == []


@pytest.mark.parametrize(
    ("config", "pairs"),
    [
        ({"exchange": {"pair_whitelist": [".*/USDT:USDT"]}}, None),
        ({**whitelist(5), "pairlists": [{"method": "StaticPairList"}]}, 5),
        ({"pairlists": [{"method": "VolumePairList", "number_assets": 80}]}, 80),
        (
            {
                "pairlists": [
                    {"method": "VolumePairList", "number_assets": 80},
                    {"method": "AgeFilter", "number_assets": 30},
                ]
            },
            30,
        ),
        (
            {
                "pairlists": [
                    {
                        "method": "RemotePairList",
                        "pairlist_url": "file:///user_data/liq_pairs.json",
                        "number_assets": 200,
                    }
                ]
            },
            25,
        ),
        ({**whitelist(5), "pairlists": [{"number_assets": "many"}, "odd"]}, None),
    ],
)
def test_how_many_pairs_a_bot_would_have(config: dict[str, Any], pairs: int | None) -> None:
    assert planned_pairs(config, Settings()) == pairs


def test_status_says_that_no_entry_is_possible_while_candles_come_too_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Store(tmp_path).past(5)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "store.sqlite"
    request = RequestTime(100.0, 600, 60.0)
    told = CandleSum.of(400, request, Settings(), 41.0, 44.0).as_told()
    SidecarFiles(path).beat({"name": "A", "candles": told})
    command = ["status", "--store", f"sqlite:///{path}"]
    assert main(command) == 1
    said = capsys.readouterr().out
    assert (
        "Candles of A: 400 pairs x 100 ms = 40.0 s; the bot had them 41.0 s after their close "
        "(at worst 44.0 s); a signal is traded at most 30 s after its candle"
    ) in said
    assert f"no wave can be entered -> {REMEDY}" in said
    assert main([*command, "--json"]) == 1
    (candles,) = json.loads(capsys.readouterr().out)["candles"]
    assert candles[:2] == ["A", "error"]
