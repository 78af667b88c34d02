"""Freqtrade's own RemotePairList, given what the page tells it."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from freqtrade.exceptions import OperationalException

from liq_provider.config.pair_list_file import entry_for, write_pairs
from liq_provider.simulator.exchange_server import Simulator
from tests.dashboard.test_page_server import served
from tests.integration.harness import bot_config, running, simulator

BTC, ETH, SOL = (f"{coin}/USDT:USDT" for coin in ("BTC", "ETH", "SOL"))


def whitelist(sim: Simulator, base: Path, url: str) -> list[str]:
    """What the real bot trades when it is told to ask this address, or to read this file."""
    base.mkdir()
    port = urlsplit(url).port or 8686
    config = bot_config(sim, base, dashboard={"enabled": False, "port": port})
    config["pairlists"] = [
        {
            "method": "RemotePairList",
            "mode": "whitelist",
            "processing_mode": "filter",
            "pairlist_url": url,
            "number_assets": 30,
            "refresh_period": 60,
            "keep_pairlist_on_failure": True,
        }
    ]
    with running(config, base) as bot:
        bot.loop()
        # Either is the list of the whole market, which it is not judged by.
        assert bot.strategy.liq.live._told["reads_pairs"] is True
        return list(bot.freqtrade.active_pair_whitelist)


async def test_a_bot_that_asks_the_page_has_the_list_that_is_in_the_file(tmp_path: Path) -> None:
    with simulator() as sim:
        async with served(tmp_path) as (page, url, _):
            kept = {"pairs": [SOL, "GONE/USDT:USDT", BTC], "left_out_n": 1, "written_ms": 0}
            page.take_status({"pair_list": kept})
            pairs = await asyncio.to_thread(whitelist, sim, tmp_path / "bot", f"{url}/pairlist")
        assert pairs == [SOL, BTC]
        # What the docs warn of: without a first answer the bot does not start at all.
        with pytest.raises(OperationalException, match="pairlist"):
            await asyncio.to_thread(whitelist, sim, tmp_path / "again", f"{url}/pairlist")


def test_a_bot_of_the_whole_market_starts_before_any_sidecar_wrote_a_list(tmp_path: Path) -> None:
    """Freqtrade's own list would end it."""
    base = tmp_path / "bot"
    with simulator() as sim:
        pairs = whitelist(sim, base, f"file:///{base}/user_data/liq_pairs.json")
    assert sorted(pairs) == [BTC, ETH, SOL]


def test_freqtrades_filters_act_on_what_the_list_has(tmp_path: Path) -> None:
    """Not on the market: those of its pairs that are left are taken, and no others."""
    with simulator() as sim:
        config = bot_config(sim, tmp_path)
        path = tmp_path / "user_data" / "liq_pairs.json"
        write_pairs(path, [SOL, "XRP/USDT:USDT", BTC])
        config["pairlists"] = [
            entry_for(path),
            {"method": "AgeFilter", "min_days_listed": 1},
            {"method": "VolumePairList", "number_assets": 2, "sort_key": "quoteVolume"},
        ]
        with running(config, tmp_path) as bot:
            bot.loop()
            both = bot.freqtrade.active_pair_whitelist
            assert len(both) == 2 and set(both) < {SOL, "XRP/USDT:USDT", BTC}
            write_pairs(path, [ETH])
            bot.loop()
            assert bot.freqtrade.active_pair_whitelist == [ETH]
