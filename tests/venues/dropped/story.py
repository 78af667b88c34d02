"""
What becomes of a venue whose file was dropped in place; runs in a copy of the project that has it.

It streams through the real feed and store, is simulated, imported, its gaps are filled, and it is
shown by ``status`` and on the page.
"""

import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import text

from liq_provider.cli import main
from liq_provider.config.settings import load_settings
from liq_provider.dashboard.page_server import page_of
from liq_provider.errors import SettingsError
from liq_provider.exchange.venue_rest import load_venue_markets
from liq_provider.sidecar.service import Sidecar
from liq_provider.sidecar.sidecar_config import SidecarConfig
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from liq_provider.venues import VENUES
from tests.dashboard.test_page_server import events
from tests.sidecars import MINUTE, Time, liquidate, quiet_exchange, sidecar_config, until

START = 1_795_350_000_000
PAST = START - 10 * MINUTE


def config_of(sim: Any, base_dir: Path) -> SidecarConfig:
    venues = {name: {"enabled": False} for name in VENUES}
    venues["example"] = {
        "enabled": True,
        "url": sim.ws_url("example"),
        "rest_url": sim.rest_url("example"),
    }
    page = {"enabled": True, "port": 0}
    return sidecar_config(sim, base_dir, venues=venues, dashboard=page, fill_gaps=False)


async def test_it_streams_through_the_real_feed_and_store_and_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    moment = Time(START + 20_000)
    async with quiet_exchange(moment) as sim:
        # A snapshot of the past comes first, and is never live.
        liquidate(sim, "example", 1, 9_000.0, event_ms=PAST)
        moment.jump_to(START + 2 * MINUTE + 20_000)
        config = config_of(sim, tmp_path)
        Writer(open_engine(config.store_url)).close()
        reader = Reader(config.store_url)
        sidecar = Sidecar(config, moment.clock(), make_page=page_of)
        working = asyncio.create_task(sidecar.run())
        try:
            feed = await until(lambda: feed_of(sidecar), "the feed is live")
            assert feed["markets"] == len(sim.market.symbols)
            # What is settled in the coin has an address of its own, and three are all that a
            # connection takes elsewhere.
            places = Counter(one["url"].rpartition("/")[2] for one in feed["connections"])
            linear = sum(spec.coin not in ("ETH", "SOL") for spec in sim.market.symbols.values())
            assert places == {"public": -(-linear // 3), "public-coin": 1}
            first_ms = moment.now_ms() // MINUTE * MINUTE + MINUTE
            moment.jump_to(first_ms + 5_000)
            liquidate(sim, "example", 5, 1_000.0)
            liquidate(sim, "example", 2, 500.0, position_side="short", symbol="1000PEPEUSDT")
            liquidate(sim, "example", 1, 3_000.0, symbol="ETHUSDT")
            await until(lambda: kept(sidecar) >= 8, "they have arrived")
            moment.jump_to(first_ms + MINUTE - 200)
            await until(
                lambda: (reader.states(["computed_ms"]).get("computed_ms") or 0) > first_ms,
                "the minute is settled",
            )
            page = await events(
                f"{page_url(sidecar)}/api/stream?window=10", {"status", "market"}, 20
            )
            await until(lambda: reader.states(["sidecar"]).get("sidecar"), "its status is stored")
            said = await status_of(config, tmp_path, monkeypatch, capsys)
        finally:
            sidecar.stop()
            await asyncio.wait_for(working, 20)
        totals = dict(await tape_totals(sim))
    # The store: money in base units, by coin; the minute is known, the snapshot only stored.
    grids = reader.grids(
        ["BTC", "ETH", "PEPE"], ["example"], first_ms - 20 * MINUTE, first_ms + MINUTE
    )
    assert grids["BTC"].covered[0, -1]
    assert grids["BTC"].long_usd[0, -1] == pytest.approx(5_100.0, rel=0.01)
    assert grids["PEPE"].short_usd[0, -1] == pytest.approx(1_005.0, rel=0.01)
    assert grids["BTC"].long_usd[0, :-1].sum() == 0
    assert grids["ETH"].long_usd[0, -1] == pytest.approx(3_000.0, rel=0.01)
    counted = "select minute_ms, count(*) from liquidations group by 1 order by 1"
    assert rows_of(config, counted) == [(None, 1), (first_ms, 8)]
    assert totals["frames"] >= 3
    # The page: a feed in the strip, its money in the market.
    assert page["status"]["sidecar"]["feeds"]["example"]["state"] == "live"
    assert "Example publishes at most what it likes" in page["status"]["sampled"]
    coins = {row["coin"]: row for row in page["market"]["rows"]}
    assert set(coins["BTC"]["venues"]) == {"example"}
    # The command line.
    assert "example" in said and "totals are a lower bound" in said


def feed_of(sidecar: Sidecar) -> dict[str, Any] | None:
    feed: dict[str, Any] = sidecar.status()["feeds"]["example"]
    return feed if feed["state"] == "live" and feed["markets"] else None


def rows_of(config: SidecarConfig, query: str) -> list[tuple[Any, ...]]:
    """What the store has."""
    engine = open_engine(config.store_url)
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return rows


def kept(sidecar: Sidecar) -> int:
    status = sidecar.status()
    return int(status["stored"] + status["spooled"])


def page_url(sidecar: Sidecar) -> str:
    return str(sidecar._page.url)  # type: ignore[attr-defined]


async def status_of(
    config: SidecarConfig,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> str:
    path = directory / "config.json"
    path.write_text(json.dumps({"liq_provider": {"venues": config.settings.venues.model_dump()}}))
    monkeypatch.chdir(directory)
    await asyncio.to_thread(main, ["status", "-c", str(path), "--store", config.store_url])
    return " ".join(capsys.readouterr().out.split())


async def tape_totals(sim: Any) -> dict[str, int]:
    async with aiohttp.ClientSession() as session, session.get(f"{sim.url}/sim/tape") as answer:
        lines = [json.loads(line) for line in (await answer.read()).splitlines()]
    mine = [line for line in lines if line["venue"] == "example"]
    assert all("frame_base64" in line for line in mine)
    return {"frames": len(mine)}


async def test_its_tape_and_its_own_files_are_imported_and_its_gaps_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    moment = Time(time.time_ns() // 1_000_000 - 10 * MINUTE)
    async with quiet_exchange(moment) as sim:
        at_ms = moment.now_ms()
        liquidate(sim, "example", 3, 2_000.0)
        moment.jump_to(at_ms + 5 * MINUTE)
        liquidate(sim, "example", 2, 3_000.0)
        moment.jump_to(at_ms + 10 * MINUTE)
        async with aiohttp.ClientSession() as session, session.get(f"{sim.url}/sim/tape") as answer:
            (tmp_path / "tape.jsonl").write_bytes(await answer.read())
        market_id = sim.market.symbols["BTCUSDT"].id_on("example")
        rows = [f"{market_id},l,50000,100,{at_ms / 1000}", f"x,l,50000,100,{at_ms / 1000}"]
        (tmp_path / "own.csv").write_text("\n".join(["market,side,price,usd,time", *rows]) + "\n")
        config = config_of(sim, tmp_path)
        (tmp_path / "config.json").write_text(
            json.dumps({"liq_provider": {"venues": config.settings.venues.model_dump()}})
        )
        monkeypatch.chdir(tmp_path)

        def command(*words: str) -> int:
            return main([words[0], "-c", "config.json", "--store", config.store_url, *words[1:]])

        await import_markets(config, sim)
        assert await asyncio.to_thread(command, "import", "tape.jsonl") == 0
        assert await asyncio.to_thread(command, "import", "own.csv") == 1
        said = capsys.readouterr().out
        assert "market is no number" in said
        span = ["--from", str(at_ms - 5 * MINUTE), "--to", str(at_ms + 9 * MINUTE)]
        await asyncio.to_thread(command, "fill", "--pair", "BTC/USDT:USDT", *span)
        assert "example BTC:" in capsys.readouterr().out
    stored = "select venue, count(*) from liquidations group by 1"
    assert rows_of(config, stored) == [("example", 6)]


async def import_markets(config: SidecarConfig, sim: Any) -> None:
    """As the sidecar keeps the list of the venue's markets."""
    settings = config.settings.venues.of("example")
    markets = await asyncio.to_thread(load_venue_markets, "example", settings)
    writer = Writer(open_engine(config.store_url))
    writer.put_markets("example", markets)
    writer.close()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("wss://stream.exchange.example/v1/other", "is not example's liquidation feed"),
        ("wss://stream.bybit.com/v5/public/linear", "is bybit's, not example's"),
        ("wss://play.exchange.example/ws/v5/public", "test environment"),
    ],
)
def test_its_addresses_are_checked_by_what_its_file_says(url: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        load_settings({"liq_provider": {"venues": {"example": {"url": url}}}}, {})
