"""Freqtrade's own RemotePairList, given what the page tells it."""

import asyncio
from pathlib import Path

import pytest
from freqtrade.exceptions import OperationalException

from liq_provider.simulator.exchange_server import Simulator
from tests.dashboard.test_page_server import cascade, served
from tests.integration.harness import bot_config, running, simulator
from tests.sidecars import until

BTC, ETH, SOL = (f"{coin}/USDT:USDT" for coin in ("BTC", "ETH", "SOL"))


def whitelist(sim: Simulator, base: Path, url: str) -> list[str]:
    """What the real bot trades when it is told to ask this address."""
    base.mkdir()
    config = bot_config(sim, base)
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
        return list(bot.freqtrade.active_pair_whitelist)


async def test_the_pair_with_the_wave_comes_first_and_quiet_ones_are_there(tmp_path: Path) -> None:
    with simulator() as sim:
        async with served(tmp_path) as (page, url, store):
            market = page.board.market
            market._names = lambda: {"BTC": BTC, "ETH": ETH, "SOL": SOL}
            cascade(store, 0)
            store.settle(1, (0, 1))
            await until(lambda: market.ranked()[0] == BTC, "the wave is read")
            pairs = await asyncio.to_thread(whitelist, sim, tmp_path / "bot", f"{url}/pairlist")
        assert pairs == [BTC, ETH, SOL]
        # What the docs warn of: without a first answer the bot does not start at all.
        with pytest.raises(OperationalException, match="pairlist"):
            await asyncio.to_thread(whitelist, sim, tmp_path / "again", f"{url}/pairlist")
