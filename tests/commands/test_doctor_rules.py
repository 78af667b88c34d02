"""``doctor`` looks at the rules that a bot would have, parameter file included."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from freqtrade.configuration.load_config import load_config_file

from liq_provider.commands.doctor import Finding, _bot, _pairs
from liq_provider.commands.support.context import Context
from liq_provider.config.settings import Settings
from liq_provider.core.markets import Market
from liq_provider.store.database import open_engine
from liq_provider.store.writer import Writer

ROOT = Path(__file__).parents[2]


def findings(tmp_path: Path, text: str) -> list[Finding]:
    """What is said with such a parameter file beside the strategy."""
    folder = tmp_path / "strategies"
    folder.mkdir()
    shutil.copy(ROOT / "strategies" / "LiqTrend.py", folder)
    (folder / "LiqTrend.json").write_text(text)
    return examined(tmp_path)


def examined(tmp_path: Path) -> list[Finding]:
    """What is said of the strategy there."""
    config = load_config_file(str(ROOT / "config.json.example"))
    config.pop("exchange")
    context = Context(config, Settings(), f"sqlite:///{tmp_path / 's.sqlite'}", tmp_path)
    return list(_bot(context))


def of_buy(**values: Any) -> str:
    return json.dumps({"strategy_name": "LiqTrend", "params": {"buy": values}})


def test_a_parameter_that_is_never_judged_is_an_error_before_the_bot_starts(tmp_path: Path) -> None:
    said = findings(tmp_path, of_buy(z_threshold=2.0))
    (unserved,) = [one for one in said if one.what == "liq_provider.judge"]
    assert unserved.level == "error" and "z_threshold 2.0 is below" in unserved.found


def test_a_parameter_file_is_named_with_what_it_changes(tmp_path: Path) -> None:
    said = findings(tmp_path, of_buy(z_strong=6.0))
    (file,) = [one for one in said if one.what == "parameter file"]
    assert (file.level, file.found) == (
        "ok",
        f"{tmp_path / 'strategies' / 'LiqTrend.json'} wins over the configuration: z_strong 6.0",
    )
    assert not [one for one in said if one.what == "liq_provider.judge"]


def test_a_parameter_file_that_is_no_json_is_a_warning_as_freqtrade_starts(tmp_path: Path) -> None:
    said = findings(tmp_path, "{")
    (file,) = [one for one in said if one.what == "parameter file"]
    path = tmp_path / "strategies" / "LiqTrend.json"
    assert (file.level, file.found) == (
        "warning",
        f"{path} is no JSON: Freqtrade goes on without it",
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[]", "is no parameter file"),
        ('{"strategy_name": "Other"}', "is of the strategy Other, not LiqTrend"),
        ('{"strategy_name": "LiqTrend", "params": {"sell": 1}}', "params.sell must be an object"),
        (of_buy(z_strong="high"), "z_strong: "),
    ],
)
def test_a_parameter_file_that_the_bot_does_not_start_with_is_an_error(
    tmp_path: Path, text: str, why: str
) -> None:
    errors = [one for one in findings(tmp_path, text) if one.level == "error"]
    assert len(errors) == 1 and f"LiqTrend.json: {why}" in errors[0].found


def test_a_strategy_that_raises_whatever_is_a_finding_and_no_end(tmp_path: Path) -> None:
    folder = tmp_path / "strategies"
    folder.mkdir()
    code = "class LiqTrend(None):\n    pass\n"
    (folder / "LiqTrend.py").write_text(code)
    said = examined(tmp_path)
    (broken,) = [one for one in said if one.what == "strategy"]
    assert broken.level == "error" and broken.found.startswith("LiqTrend cannot be loaded (TypeErr")


def test_pairs_without_a_feed_are_named_whatever_the_stake_currency(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.sqlite'}"
    writer = Writer(open_engine(url))
    writer.put_markets("okx", [Market("okx", "BTC-USDT-SWAP", "BTC/USDT:USDT", "BTC")])
    writer.close()

    def said(*pairs: str) -> list[str]:
        config = {"exchange": {"pair_whitelist": pairs}}
        return [one.found for one in _pairs(Context(config, Settings(), url, tmp_path))]

    assert said("BTC/USDC:USDC", "NOPE/USDC:USDC", ".*/USDC:USDC") == [
        "no liquidation feed for NOPE/USDC:USDC"
    ]
    assert said("BTC/USDC:USDC") == ["all 1 have a liquidation feed"]
    assert said(".*/USDT:USDT") == []
