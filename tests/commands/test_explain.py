"""``explain`` decides by the rules in force, and says whose they are."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liq_provider.bot.rules_of_bots import REFUSALS, TOLD, in_force_of
from liq_provider.cli import main
from liq_provider.commands import explain as module
from liq_provider.config.settings import Settings
from liq_provider.core.candle_columns import COLUMNS
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.private_files import replace_text
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.store.database import open_engine
from liq_provider.store.writer import Writer
from tests.config.test_parameter_file import strategy
from tests.judge.test_story_from_store import FALLING, StoreWithWave

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"


@pytest.fixture
def burst(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> StoreWithWave:
    """A store with a strong wave of longs that price follows, which the matrix enters."""
    scene = StoreWithWave()
    scene.build(f"sqlite:///{workplace / 'user_data' / 'liq_provider.sqlite'}").close()
    candles = np.repeat(FALLING[:, None], len(COLUMNS), axis=1)
    monkeypatch.setattr(module, "candles_of", lambda *_: (candles, None))
    return scene


def configure(**config: Any) -> None:
    """Freqtrade's configuration, in the place where commands look for it."""
    text = json.dumps({"timeframe": "1m", **config})
    replace_text(Path("user_data/config.json"), text)


def beat(name: str, **values: Any) -> None:
    """A bot is there, and tells its rules."""
    known = in_force_of(Settings(), values, MINUTE_MS, [BTC], "")
    SidecarFiles(Path("user_data/liq_provider.sqlite").absolute()).beat(
        {"name": name, TOLD: known.as_told()}
    )


def explained(
    scene: StoreWithWave, capsys: pytest.CaptureFixture[str], *more: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """:return: the whole answer, and its gates by name"""
    assert main(["explain", "--pair", BTC, "--at", str(scene.close_ms), "--json", *more]) == 0
    answer = json.loads(capsys.readouterr().out)
    return answer, {gate["name"]: gate for gate in answer["gates"]}


def test_an_entry_of_the_configurations_rules_is_told_as_theirs(
    burst: StoreWithWave, capsys: pytest.CaptureFixture[str]
) -> None:
    answer, gates = explained(burst, capsys)
    assert (answer["entry"], answer["words"]) == (True, "enter (medium)")
    assert answer["rules"]["of"] == "the configuration (no bot is there)"
    assert gates["whitelist"]["passed"] is None, "nobody told a list"


def settled(scene: StoreWithWave) -> None:
    """A sidecar computed the newest minute, so a bot would look at it now."""
    engine = open_engine(f"sqlite:///{Path('user_data/liq_provider.sqlite').absolute()}")
    with closing(Writer(engine)) as writer:
        writer.put_state("computed_ms", scene.close_ms, scene.close_ms)


def test_a_pair_outside_the_whitelist_is_no_entry_now(
    burst: StoreWithWave, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(exchange={"pair_whitelist": [ETH]}, pairlists=[{"method": "StaticPairList"}])
    settled(burst)
    assert main(["explain", "--pair", BTC, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    gates = {gate["name"]: gate for gate in answer["gates"]}
    assert answer["entry"] is False and gates["whitelist"]["passed"] is False
    assert gates["whitelist"]["measured"] == "not in the bot's whitelist now"


def test_todays_whitelist_refuses_nothing_of_the_past(
    burst: StoreWithWave, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(exchange={"pair_whitelist": [ETH]}, pairlists=[{"method": "StaticPairList"}])
    settled(burst)
    answer, gates = explained(burst, capsys)
    assert (answer["entry"], answer["words"]) == (True, "enter (medium)")
    assert gates["whitelist"]["passed"] is None and answer["listed_now"] is False
    assert main(["explain", "--pair", BTC, "--at", str(burst.close_ms)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "The pair is not in the bot's whitelist now; whether it was then is not known." in out
    assert "enter (medium): no gate failed that is known here." in out


def test_the_parameter_file_beside_the_strategy_wins_over_the_configuration(
    burst: StoreWithWave, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(strategy_path="strategies", liq_provider={"min_confidence": "low"})
    params = {"buy": {"min_confidence": "high"}, "sell": {}}
    path = strategy(Path("strategies").absolute(), params=params)
    answer, gates = explained(burst, capsys)
    assert answer["words"] == "skip: confidence medium is below min_confidence high"
    assert gates["confidence"]["needed"] == "min_confidence high"
    assert answer["rules"]["of"] == f"the configuration and {path} (no bot is there)"
    path.write_text("[]")
    assert main(["explain", "--pair", BTC, "--at", str(burst.close_ms)]) == 2
    assert f"{path}: is no parameter file" in capsys.readouterr().err


def test_a_parameter_file_that_is_no_json_is_left_out_as_freqtrade_does(
    burst: StoreWithWave, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(strategy_path="strategies")
    path = strategy(Path("strategies").absolute())
    path.write_text("{")
    answer, _ = explained(burst, capsys)
    assert (answer["entry"], answer["rules"]["of"]) == (
        True,
        f"the configuration without {path}, which is no JSON (no bot is there)",
    )


def test_a_bot_that_is_there_is_asked_for_its_own(
    burst: StoreWithWave, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(strategy_path="strategies")
    strategy(Path("strategies").absolute(), params={"buy": {"min_confidence": "high"}})
    beat("A", z_threshold=9_000.0, z_strong=9_500.0)
    answer, gates = explained(burst, capsys)
    assert answer["listed_now"] is True
    assert answer["words"].startswith("skip: z ")
    assert answer["words"].endswith(" is below z_threshold 9000")
    assert answer["rules"]["of"] == "the bot A"
    assert gates["whitelist"]["passed"] is None, "it is of the past"


def test_what_the_bot_was_kept_from_by_its_own_gates_is_no_entry(
    burst: StoreWithWave, capsys: pytest.CaptureFixture[str]
) -> None:
    beat("A")
    assert explained(burst, capsys)[0]["entry"] is True
    lock = ["lock", "Freqtrade has locked the pair"]
    rules = in_force_of(Settings(), {}, MINUTE_MS, [BTC], "").as_told()
    SidecarFiles(Path("user_data/liq_provider.sqlite").absolute()).beat(
        {"name": "A", TOLD: rules, REFUSALS: [[BTC, burst.close_ms, *lock]]}
    )
    answer, gates = explained(burst, capsys)
    assert (answer["entry"], answer["words"]) == (False, f"not entered: {lock[1]}")
    assert gates["lock"]["passed"] is False


def test_the_rules_are_named_above_the_gates(
    burst: StoreWithWave, capsys: pytest.CaptureFixture[str]
) -> None:
    beat("A")
    assert main(["explain", "--pair", BTC, "--at", str(burst.close_ms)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Rules of the bot A; candles of 1m" in out
    assert "enter (medium): no gate failed that is known here." in out
