"""The list of the whole market is there before Freqtrade asks for it, and no backtest reads it."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from freqtrade.enums import RunMode
from freqtrade.plugins.pairlist import RemotePairList as reader

from liq_provider.bot.pair_file import once_an_hour, prepare_pairs
from liq_provider.errors import SettingsError

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
PAST = [RunMode.BACKTEST, RunMode.HYPEROPT, RunMode.PLOT]


def config(base: Path, runmode: RunMode, *before: Any, **more: Any) -> dict[str, Any]:
    """Of a bot of the whole market, started beside its user_data."""
    own = {
        "method": "RemotePairList",
        "mode": "whitelist",
        "pairlist_url": f"file:///{base / 'user_data' / 'liq_pairs.json'}",
        "refresh_period": 0,
    }
    return {
        "runmode": runmode,
        "user_data_dir": base / "user_data",
        "exchange": {"name": "binance", "pair_whitelist": [BTC, ETH]},
        "pairlists": [*before, own, {"method": "AgeFilter"}],
        "liq_provider": {},
        **more,
    }


@pytest.fixture(autouse=True)
def _no_filter_stays() -> Any:
    yield
    reader.logger.filters.clear()


@pytest.mark.parametrize("runmode", [RunMode.DRY_RUN, RunMode.LIVE])
def test_a_live_bot_finds_a_list_that_it_can_begin_with(
    tmp_path: Path, runmode: RunMode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    own = config(tmp_path, runmode)
    before = json.dumps(own, default=str)
    prepare_pairs(own)
    path = tmp_path / "user_data" / "liq_pairs.json"
    assert json.loads(path.read_text())["pairs"] == [BTC, ETH]
    assert str(path) in caplog.text
    assert json.dumps(own, default=str) == before


def test_a_list_that_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "user_data" / "liq_pairs.json"
    path.parent.mkdir()
    path.write_text('{"pairs": ["SOL/USDT:USDT"], "written_ms": 1}')
    prepare_pairs(config(tmp_path, RunMode.DRY_RUN))
    assert json.loads(path.read_text())["pairs"] == ["SOL/USDT:USDT"]


def test_a_bot_that_would_read_another_file_than_is_kept_is_refused(tmp_path: Path) -> None:
    own = config(tmp_path, RunMode.DRY_RUN)
    own["pairlists"][0]["pairlist_url"] = "file:///elsewhere/liq_pairs.json"
    with pytest.raises(SettingsError, match=r"pairlists\[0\]\.pairlist_url.*market\.file"):
        prepare_pairs(own)


@pytest.mark.parametrize("runmode", PAST)
def test_what_looks_at_the_past_has_a_static_list_in_its_place(
    tmp_path: Path, runmode: RunMode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    own = config(tmp_path, runmode, {"method": "StaticPairList"})
    prepare_pairs(own)
    methods = ["StaticPairList", "StaticPairList", "AgeFilter"]
    assert [entry["method"] for entry in own["pairlists"]] == methods
    assert "pairlists[1]" in caplog.text and "exchange.pair_whitelist" in caplog.text
    assert not (tmp_path / "user_data").exists(), "nothing is written for it"


def test_several_strategies_at_once_have_configurations_of_their_own_and_are_refused(
    tmp_path: Path,
) -> None:
    own = config(tmp_path, RunMode.BACKTEST, strategy_list=["LiqTrend", "Other"])
    with pytest.raises(SettingsError, match=r"-c configs/static-pairs\.json"):
        prepare_pairs(own)
    lists = Path(__file__).parents[2] / "configs" / "static-pairs.json"
    from freqtrade.configuration.load_config import load_config_file

    own |= load_config_file(str(lists))
    prepare_pairs(own)
    assert own["pairlists"] == [{"method": "StaticPairList"}]


def test_a_backtest_of_no_pairs_names_the_key(tmp_path: Path) -> None:
    own = config(tmp_path, RunMode.BACKTEST)
    own["exchange"]["pair_whitelist"] = []
    with pytest.raises(SettingsError, match=r"exchange\.pair_whitelist"):
        prepare_pairs(own)


@pytest.mark.parametrize(
    "pairlists",
    [
        [{"method": "StaticPairList"}],
        [{"method": "RemotePairList", "pairlist_url": "http://127.0.0.1:8686/pairs"}],
        [{"method": "RemotePairList", "pairlist_url": "https://example.com/pairlist"}],
        [{"method": "RemotePairList", "pairlist_url": "file:///own/list.json"}],
    ],
    ids=["static", "own server", "own server's list", "own file"],
)
@pytest.mark.parametrize("runmode", [RunMode.DRY_RUN, RunMode.BACKTEST])
def test_lists_of_a_users_own_are_left_alone(
    tmp_path: Path, pairlists: list[dict[str, Any]], runmode: RunMode
) -> None:
    own = config(tmp_path, runmode) | {"pairlists": pairlists}
    before = json.dumps(own, default=str)
    prepare_pairs(own)
    assert json.dumps(own, default=str) == before
    assert not (tmp_path / "user_data").exists()
    assert not reader.logger.filters


@pytest.mark.parametrize("runmode", [RunMode.DRY_RUN, *PAST])
def test_the_pages_list_is_the_same_list(tmp_path: Path, runmode: RunMode) -> None:
    """It is not today's that is tested, either; live there is nothing to be made for it."""
    own = config(tmp_path, runmode)
    page = {"method": "RemotePairList", "pairlist_url": "http://127.0.0.1:8686/pairlist?limit=9"}
    own["pairlists"][0] = page
    prepare_pairs(own)
    static = {"method": "StaticPairList"}
    assert own["pairlists"][0] == (page if runmode is RunMode.DRY_RUN else static)
    assert bool(reader.logger.filters) is (runmode is RunMode.DRY_RUN)
    assert not (tmp_path / "user_data").exists()


def test_that_the_list_was_read_is_written_once_an_hour_and_all_else_always(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    now_s = [0.0]
    for _ in range(3):  # each new strategy object asks for it
        once_an_hour(reader.logger, lambda: now_s[0])
    for now_s[0] in (0.0, 1.0, 3_599.0, 3_600.0, 3_601.0):
        reader.logger.info("Fetched Pairlist.")
        reader.logger.info(f"Pairlist Fetched in {now_s[0]} seconds.")
        reader.logger.info("Error: file:///x does not exist.")
    assert caplog.messages.count("Fetched Pairlist.") == 2
    assert not any("Pairlist Fetched in" in said for said in caplog.messages)
    assert caplog.messages.count("Error: file:///x does not exist.") == 5


def test_freqtrade_says_it_in_these_words() -> None:
    """If not, nothing breaks, and the log is long."""
    source = Path(reader.__file__).read_text(encoding="utf-8")
    assert '"Fetched Pairlist."' in source and 'f"Pairlist Fetched in {time_elapsed} sec' in source
    assert reader.logger.name == "freqtrade.plugins.pairlist.RemotePairList"
