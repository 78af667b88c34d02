"""The real bot and a sidecar whose model misbehaves in every way that it knows."""

import asyncio
import json
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import minute_of
from liq_provider.simulator.control import OrderRequest
from liq_provider.simulator.prices import PriceLeg
from liq_provider.simulator.stand_in_model import (
    MODEL,
    StandIn,
    asked,
    completion,
    verdict,
    well_behaved,
)
from liq_provider.simulator.urls import venue_urls
from liq_provider.simulator.world import World
from liq_provider.store.reader import Reader
from tests.integration.harness import (
    BTC,
    Bot,
    bot_config,
    live,
    now_ms,
    running,
    served,
    simulator,
    until,
)
from tests.sidecars import Process, remember

Handler = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]

# The model is given so long; it is less than the bot waits for a verdict.
TIMEOUT_S = 5

# A known past and short windows, so that the first whole minute can bring a signal.
WINDOWS = {
    "settle_s": 0.5,
    "segment_min": 1,
    "baseline_hours": 0.5,
    "min_baseline_segments": 10,
    "min_active_segments": 5,
}


async def hang(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    await asyncio.sleep(600)
    return web.Response()


async def server_error(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    return web.json_response({"error": {"message": "overloaded"}}, status=500)


async def malformed(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    return web.json_response(completion(json.dumps(verdict(asked(body)))[:-9]))


async def trickle(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.2)


async def rate_limit(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    return web.json_response({}, status=429, headers={"Retry-After": "60"})


async def reset(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def wrong_symbol(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    said = verdict(asked(body)) | {"symbol": BTC}
    return web.json_response(completion(json.dumps(said)))


# What the model does when it is asked about a coin, and what that is called. Prices of BTC and
# the later ones fall, those of ETH and SOL rise.
FAILURES: dict[str, tuple[Handler, str]] = {
    "ETH": (hang, "timeout"),
    "SOL": (server_error, "server error"),
    "XRP": (malformed, "malformed"),
    "DOGE": (trickle, "timeout"),
    "ADA": (rate_limit, "rate limited"),
    "AVAX": (reset, "unreachable"),
    "LTC": (wrong_symbol, "wrong symbol"),
}
COINS = ("BTC", *FAILURES)
RISING = ("ETH", "SOL")


async def misbehave(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """It answers about BTC, so that there is a position, and about nothing else."""
    coin = asked(body)["symbol"].partition("/")[0]
    answer = well_behaved if coin == "BTC" else FAILURES[coin][0]
    return await answer(request, body)


def falling_market() -> World:
    start = now_ms()
    world = World(start, volatility=0.0, background=0.0, history_h=30)
    world.add_legs(
        PriceLeg(f"{coin}USDT", start - 50 * MINUTE_MS, 6_000, -0.02)
        for coin in FAILURES
        if coin not in RISING
    )
    return world


def wave_orders() -> list[OrderRequest]:
    """In every coin, those who were wrong about its price are wiped out."""
    return [
        OrderRequest(
            venue="bybit",
            symbol=f"{coin}USDT",
            position_side="short" if coin in RISING else "long",
            notional_usd=90_000 + n,
        )
        for coin in COINS
        for n in range(12)
    ]


def wait_for_room() -> int:
    """
    Wait until the running minute has a few seconds left, in which liquidations arrive.

    :return: its close
    """
    if (now_ms() + 3_000) % MINUTE_MS < 3_000:
        time.sleep(3.1)
    return minute_of(now_ms()) + MINUTE_MS


def test_a_model_that_misbehaves_stops_entries_but_neither_sidecar_nor_bot_nor_exits(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    with simulator(falling_market()) as sim, served(StandIn(handler=misbehave)) as model:
        config = bot_config(
            sim,
            tmp_path,
            **WINDOWS,
            venues=venue_urls(sim.url),
            news={"provider": "none"},
            llm={
                "base_url": model.url,
                "model": MODEL,
                "timeout_s": TIMEOUT_S,
                "breaker_failures": 1_000,  # each of them is to be tried
            },
        )
        config["exchange"]["pair_whitelist"] = [f"{coin}/USDT:USDT" for coin in COINS]
        config["max_open_trades"] = len(COINS)
        (tmp_path / "config.json").write_text(json.dumps(config))
        # Whichever minute the start ends in, it is known as a whole.
        remember(url, COINS, minute_of(now_ms()), known_min=5)
        reader = Reader(url)
        process = Process(tmp_path / "config.json", tmp_path / "log")
        process.start()
        try:
            with running(config, tmp_path) as bot:
                until(lambda: live(reader, process.pid), 60)
                close_ms = wait_for_room()
                sim.liquidate(wave_orders())
                until(lambda: bot.loop() or bot.open, (close_ms - now_ms()) / 1000 + 20, 0.5)
                assert set(bot.open) == {BTC}, bot.messages
                assert bot.open[BTC].is_short

                sim.set_price("BTCUSDT", to_pct=6)
                bot.loop()
                assert bot.open == {}, "the stop needs no model"
                assert bot.closed[0].exit_reason in ("stop_loss", "trailing_stop_loss")

                until(lambda: bot.loop() or verdicts(reader).keys() == set(COINS), 30, 0.5)
                entered(bot, {BTC})
                loops(bot, 3)
                entered(bot, {BTC})

            told = reader.states(["sidecar"])["sidecar"]
            assert process.alive and told["pid"] == process.pid
            assert now_ms() - told["now_ms"] < 15_000, "it goes on telling how it is"
            assert told["judge"]["model"]["asked"] >= len(COINS)
            assert asyncio.run(process.end(signal.SIGTERM)) == 0
        finally:
            process.close()
    check_records(reader)
    reader.close()
    assert "Traceback" not in (tmp_path / "log").read_text()


def loops(bot: Bot, seconds: float) -> None:
    """The bot's loops, two a second."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        bot.loop()
        time.sleep(0.5)


def entered(bot: Bot, pairs: set[str]) -> None:
    """What was ever entered."""
    assert {trade.pair for trade in (*bot.open.values(), *bot.closed)} == pairs


def verdicts(reader: Reader) -> dict[str, dict[str, Any]]:
    return {row["base_asset"]: row for row in reader.verdicts(0, now_ms() + MINUTE_MS)}


def check_records(reader: Reader) -> None:
    """Each failure is on record, and that without it there would have been an entry."""
    outcomes = {(row["base_asset"], row["outcome"]) for row in reader.model_calls(0, now_ms())}
    assert {(coin, outcome) for coin, (_, outcome) in FAILURES.items()} <= outcomes
    assert [coin for coin, outcome in outcomes if outcome == "ok"] == ["BTC"]
    for coin, row in verdicts(reader).items():
        assert (row["strength"], row["aligned"]) == ("strong", "yes"), coin
        expected = (f"{MODEL}@v1", "enter") if coin == "BTC" else ("unavailable", "skip")
        assert (row["judge"], row["action"]) == expected, coin
