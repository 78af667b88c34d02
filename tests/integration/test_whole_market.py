"""The real bot on the whole market: its pairs come from the file that a real sidecar keeps."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from liq_provider.config.pair_list_file import seed
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.sidecar.sidecar_lock import SidecarLock
from liq_provider.simulator.control import OrderRequest
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.urls import venue_urls
from liq_provider.simulator.world import World
from liq_provider.store.reader import Reader
from tests.integration.harness import (
    BTC,
    ETH,
    SOL,
    Bot,
    bot_config,
    live,
    next_minute,
    now_ms,
    running,
    simulator,
    until,
)
from tests.integration.test_sidecar import import_history, loops
from tests.sidecars import running_pid


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A flat market with a day of background liquidations."""
    with simulator(World(now_ms(), volatility=0.0, history_h=26)) as sim:
        yield sim


def list_in(base: Path) -> Path:
    return base / "user_data" / "liq_pairs.json"


def whole_market(sim: Simulator, base: Path, **section: Any) -> dict[str, Any]:
    """A bot whose own list names BTC alone, with one place on the list of the sidecar."""
    config = bot_config(sim, base, venues=venue_urls(sim.url), market={"pairs": 1}, **section)
    config["exchange"] |= {"pair_whitelist": [BTC]}
    config["pairlists"] = [
        {
            "method": "RemotePairList",
            "mode": "whitelist",
            "pairlist_url": f"file:///{list_in(base)}",
            "refresh_period": 0,
        }
    ]
    return config


def listed(base: Path) -> list[str]:
    return list(json.loads(list_in(base).read_text())["pairs"])


def wiped_out(sim: Simulator, pair: str) -> None:
    """Shorts of a coin that rises, a million dollars of them."""
    sim.liquidate(
        OrderRequest(
            venue=venue,
            symbol=pair.partition(":")[0].replace("/", ""),
            position_side="short",
            notional_usd=90_000 + n,
        )
        for n in range(12)
        for venue in ("bybit", "okx")
    )


def entered(bot: Bot, close_s: float) -> float:
    """:return: seconds from the settled minute to the order"""
    (trade,) = bot.open.values()
    return float(trade.open_date_utc.timestamp() - close_s - 2)


def test_a_coin_that_no_list_names_is_entered_and_what_happens_to_the_file_ends_no_bot(
    sim: Simulator, files: SidecarFiles, tmp_path: Path
) -> None:
    reader = Reader(f"sqlite:///{tmp_path / 'store.sqlite'}")
    config = whole_market(sim, tmp_path, autostart=True, max_staleness_s=65)
    seed(list_in(tmp_path), config)
    with running(config, tmp_path) as bot:
        until(lambda: live(reader, running_pid(files)), 40)
        _, autostart = bot.strategy.liq.live.watch._keeper._place
        autostart._restart_s = 1e9
        next_minute()
        import_history(sim, tmp_path, reader)
        close_s = ((time.time() + 12) // 60 + 1) * 60
        loops(bot, close_s - 6)
        (before,) = listed(tmp_path)
        coin = next(pair for pair in (ETH, SOL) if pair != before)
        assert bot.freqtrade.active_pair_whitelist == [before]
        wiped_out(sim, coin)
        until(lambda: listed(tmp_path) == [coin], 20)
        assert time.time() < close_s, "it is listed while its minute runs"
        loops(bot, close_s + 4)
        until(lambda: bot.loop() or bot.open, 20, 1.0)
        assert set(bot.open) == {coin}, bot.messages
        print(f"entered {entered(bot, close_s):.1f} s after the settled minute")

        os.kill(running_pid(files) or 0, signal.SIGKILL)
        for damage in ('{"pairs": ["ETH/U', "", "gone"):
            if damage == "gone":
                list_in(tmp_path).unlink()
            else:
                list_in(tmp_path).write_text(damage)
            loops(bot, time.time() + 3)
            assert coin in bot.freqtrade.active_pair_whitelist, damage
        assert not SidecarLock(files).running()
        sim.set_price(coin.partition(":")[0].replace("/", ""), to_pct=-6)
        until(lambda: bot.loop() or not bot.open, 20, 1.0)
        assert bot.freqtrade.active_pair_whitelist == [coin], "the last list stays"


@pytest.mark.parametrize(
    "there", [None, '{"pairs": ["BTC/US', '{"pairs": ["(C5"]}', '{"pairs": []}']
)
def test_a_bot_starts_before_any_sidecar_whatever_is_in_the_file(
    there: str | None, tmp_path: Path
) -> None:
    """Freqtrade itself would end with the first three, and have nothing to trade with the last."""
    with simulator() as sim:
        config = whole_market(sim, tmp_path)
        if there is not None:
            list_in(tmp_path).write_text(there)
        with running(config, tmp_path) as bot:
            bot.loop_at_once()
            assert bot.freqtrade.active_pair_whitelist == [BTC]
            # So that a sidecar of another bot keeps it, too.
            assert bot.strategy.liq.live._told["reads_pairs"] is True
        assert listed(tmp_path) == [BTC]
