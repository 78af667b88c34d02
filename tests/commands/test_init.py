"""``init``: a bot of one's own looks at the whole market, and nothing of it is written over."""

import json
from pathlib import Path

import pytest
from freqtrade.configuration.load_config import load_from_files

from liq_provider.cli import main
from liq_provider.config.pair_list_file import listed_in, pair_list_of
from liq_provider.config.settings import load_settings

OWN = {
    "exchange": {
        "name": "binance",
        "pair_whitelist": ["ETH/USDT:USDT"],
        "ccxt_config": {"enableRateLimit": True},
    },
    "pairlists": [{"method": "StaticPairList"}],
    "liq_provider": {"settle_s": 3},
}


@pytest.mark.parametrize("name", ["user_data", "elsewhere"])
def test_with_the_second_file_a_bot_reads_the_list_that_its_sidecar_writes(
    name: str, workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    user_data = workplace / name
    user_data.mkdir(exist_ok=True)
    own = user_data / "config.json"
    own.write_text(json.dumps(OWN))
    assert main(["init", "--userdir", name, "-c", str(own)]) == 0
    second = user_data / "config-liqtrend.json"
    assert f"-c {own} -c {second}" in capsys.readouterr().out
    config = load_from_files([str(own), str(second)])
    settings = load_settings(config, {})
    # Wherever it is started.
    monkeypatch.chdir("/")
    path = pair_list_of(config, settings, workplace)
    assert path == user_data / "liq_pairs.json"
    assert listed_in(path) == ["ETH/USDT:USDT"]
    # What is one's own stays.
    assert config["exchange"]["ccxt_config"]["enableRateLimit"] is True
    assert (settings.settle_s, settings.autostart) == (3, True)


def test_what_is_there_is_left_as_it_is(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user_data = workplace / "user_data"
    (user_data / "config-liqtrend.json").write_text("mine")
    (user_data / "liq_pairs.json").write_text('{"pairs": ["SOL/USDT:USDT"]}')
    assert main(["init"]) == 0
    assert "is there already" in capsys.readouterr().out
    assert (user_data / "config-liqtrend.json").read_text() == "mine"
    assert listed_in(user_data / "liq_pairs.json") == ["SOL/USDT:USDT"]


def test_without_a_user_data_it_says_how_to_make_one(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", "--userdir", "nowhere"]) == 2
    assert "--userdir" in capsys.readouterr().err
