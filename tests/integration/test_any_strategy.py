"""A strategy that is not LiqTrend has its columns, in the real backtest and in the real bot."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from freqtrade.exceptions import FreqtradeException

from liq_provider.config.pair_list_file import entry_for
from liq_provider.errors import SettingsError
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.simulator.exchange_server import Simulator
from tests.integration.harness import (
    BTC,
    ETH,
    SOL,
    bot_config,
    fresh_minute,
    open_store,
    running,
    simulator,
    until,
    wave,
)
from tests.integration.history import CoinScript, FreqtradeRuns, time_of, write_history
from tests.plugins import documented

WAVE = 200
# What the docs show, and both strategies again, which also leave their frames behind.
KEPT = """
from pathlib import Path

from LiqTrend import LiqTrend
from Mine import Mine


class Kept:
    def populate_exit_trend(self, dataframe, metadata):
        frame = super().populate_exit_trend(dataframe, metadata)
        name = f"{type(self).__name__}-{metadata['pair'].partition('/')[0]}.pickle"
        frame.to_pickle(Path(self.config["user_data_dir"]) / name)
        return frame


class KeptLiqTrend(Kept, LiqTrend):
    pass


class KeptMine(Kept, Mine):
    pass
"""


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with simulator() as made:
        yield made


def write_strategies(base: Path) -> None:
    (base / "strategies").mkdir(exist_ok=True)
    (base / "strategies" / "Mine.py").write_text(documented("class Mine", "api"))
    (base / "strategies" / "Kept.py").write_text(KEPT)


def ours(frame: pd.DataFrame) -> pd.DataFrame:
    names = [name for name in frame.columns if name.startswith("liq_")]
    return frame.set_index("date")[names]


def test_a_backtest_of_any_strategy_has_the_columns_of_liqtrend(
    sim: Simulator, tmp_path: Path
) -> None:
    runs = FreqtradeRuns(sim, tmp_path)
    write_history(tmp_path, {"BTC": CoinScript(-0.0002, {WAVE: 1e6}), "ETH": CoinScript(0.0002)})
    config = runs.config({"timeframe": "1m"})
    write_strategies(tmp_path)
    told = runs.run(
        *("backtesting", "--cache", "none", "--pairs", BTC, ETH),
        *("--strategy-list", "KeptLiqTrend", "KeptMine"),
        config=config,
    )
    assert "KeptMine" in told
    for base in ("BTC", "ETH"):
        theirs, mine = (
            ours(pd.read_pickle(tmp_path / "user_data" / f"{name}-{base}.pickle"))
            for name in ("KeptLiqTrend", "KeptMine")
        )
        assert list(theirs.columns) == list(mine.columns) and len(mine) > 300
        pd.testing.assert_frame_equal(theirs, mine)
    btc = ours(pd.read_pickle(tmp_path / "user_data" / "KeptMine-BTC.pickle"))
    assert btc.loc[time_of(WAVE), "liq_candidate"] == 1
    assert btc.loc[time_of(WAVE - 1), "liq_strength"] == 0, "nothing is known of it before"


@pytest.mark.usefixtures("full_minute")
def test_a_bot_of_any_strategy_has_the_columns_of_liqtrend(sim: Simulator, tmp_path: Path) -> None:
    store = open_store(tmp_path)
    config = bot_config(sim, tmp_path)
    (tmp_path / "strategies" / "Mine.py").write_text(documented("class Mine", "api"))
    wave(store, fresh_minute(40), {"BTC": ("SHORT", 9), "ETH": ("LONG", 4)})
    seen: dict[str, dict[str, pd.DataFrame]] = {}
    for name in ("LiqTrend", "Mine"):
        bot_of_its_own = config | {
            "strategy": name,
            "db_url": f"sqlite:///{tmp_path / f'{name}.sqlite'}",
        }
        with running(bot_of_its_own, tmp_path) as bot:
            bot.loop()
            seen[name] = {
                pair: ours(bot.freqtrade.dataprovider.get_analyzed_dataframe(pair, "1m")[0])
                for pair in (BTC, ETH, SOL)
            }
            assert set(bot.open) == {BTC}
    for pair in (BTC, ETH, SOL):
        theirs, mine = seen["LiqTrend"][pair], seen["Mine"][pair]
        both = theirs.index.intersection(mine.index)
        assert len(both) > 20 and both[-1] == mine.index[-1] == theirs.index[-1]
        pd.testing.assert_frame_equal(theirs.loc[both], mine.loc[both])
    assert seen["Mine"][BTC]["liq_candidate"].iloc[-1] == 1
    assert seen["Mine"][SOL]["liq_candidate"].iloc[-1] == 0
    store.close()


def of_the_market(base: Path) -> dict[str, object]:
    """What its configuration has beside any other's; its strategy is that of the docs."""
    (base / "strategies" / "Mine.py").write_text(documented("class Mine", "api"))
    (base / "strategies" / "OfTheMarket.py").write_text(documented("class OfTheMarket", "api"))
    pairlists = [entry_for(base / "user_data" / "liq_pairs.json")]
    return {"strategy": "OfTheMarket", "pairlists": pairlists}


def test_any_strategy_can_have_the_list_of_the_whole_market(sim: Simulator, tmp_path: Path) -> None:
    store = open_store(tmp_path)
    config = bot_config(sim, tmp_path)
    config |= of_the_market(tmp_path)
    wave(store, fresh_minute(40), {"BTC": ("SHORT", 9), "ETH": ("LONG", 4)})
    with running(config, tmp_path) as bot:
        bot.loop()
        assert sorted(bot.freqtrade.active_pair_whitelist) == [BTC, ETH, SOL], "as it is made"
        assert set(bot.open) == {BTC}
        bot.loop()
        files = SidecarFiles(tmp_path / "store.sqlite")
        until(lambda: files.bots() and files.bots()[0].get("open_pairs") == [BTC], 20)
        assert files.bots()[0]["reads_pairs"] is True
    elsewhere = entry_for(tmp_path / "elsewhere" / "liq_pairs.json")
    with (
        pytest.raises(SettingsError, match=r"pairlists\[0\]") as refused,
        running(config | {"pairlists": [elsewhere]}, tmp_path),
    ):
        pass
    assert isinstance(refused.value, FreqtradeException), "Freqtrade says it in one line"
    store.close()


def test_a_backtest_of_it_has_a_static_list(sim: Simulator, tmp_path: Path) -> None:
    runs = FreqtradeRuns(sim, tmp_path)
    write_history(tmp_path, {"BTC": CoinScript(-0.0002, {WAVE: 1e6}), "ETH": CoinScript(0.0002)})
    config = runs.config({"timeframe": "1m"})
    config.write_text(json.dumps(json.loads(config.read_text()) | of_the_market(tmp_path)))
    told = runs.run("backtesting", "--cache", "none", "--pairs", BTC, ETH, config=config)
    assert "the list of pairs that the sidecar keeps is of today" in told
    assert "OfTheMarket" in told and not (tmp_path / "user_data" / "liq_pairs.json").exists()
