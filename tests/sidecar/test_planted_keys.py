"""
Planted keys, looked for in everything that a sidecar writes, says and sends.

The servers that are given a key say it back wherever they can: in errors and headers, in every
field of an answer, in headlines. One run asks them about ten waves; the tests search what it left.
"""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from shutil import copy
from typing import Any

import aiohttp
import psutil
import pyarrow.parquet as pq
import pytest
from aiohttp import web

from liq_provider.errors import StoreUnusable
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.prices import PriceLeg
from liq_provider.simulator.stand_in_model import MODEL, StandIn, asked, completion, verdict
from liq_provider.store.reader import Reader
from tests.sidecars import (
    MINUTE,
    Process,
    Time,
    freqtrade_config,
    liquidate,
    quiet_exchange,
    remember,
    until,
)

ROOT = Path(__file__).parents[2]
START = 1_795_350_000_000
CLOSE = START + MINUTE

# As long as real ones: a text that is cut off may end in the middle of a key.
TAIL = "Zq7" * 20
IN_ENVIRONMENT = {
    "OPENAI_API_KEY": f"sk-proj-planted-openai-{TAIL}",
    "BRAVE_API_KEY": f"BSA-planted-brave-search-{TAIL}",
    "LIQ_PROVIDER_TOKEN": f"planted-dashboard-token-{TAIL}",
    "FREQTRADE__EXCHANGE__SECRET": f"planted-exchange-secret-{TAIL}",
}
IN_CONFIG = {
    name: f"planted-{name.lower()}-{TAIL}"
    for name in ("key", "password", "apiKey", "ccxtSecret", "privateKey", "telegram", "jwt", "api")
}
PLANTED = [*IN_ENVIRONMENT.values(), *IN_CONFIG.values()]
OPENAI, BRAVE = IN_ENVIRONMENT["OPENAI_API_KEY"], IN_ENVIRONMENT["BRAVE_API_KEY"]
# So much of a key would be enough to tell whose it is.
LEAST = 16

# What the model does when it is asked about a coin, and what that is called.
OUTCOMES = {
    "BTC": "ok",
    "ETH": "wrong symbol",
    "SOL": "malformed",
    "XRP": "malformed",
    "DOGE": "key refused",
    "ADA": "request refused",
    "AVAX": "empty",
    "LTC": "refused",
    "SUI": "too long",
    "DOT": "too long",
}


class Servers:
    """A model and a news search that echo."""

    def __init__(self, moment: Time) -> None:
        self.model = StandIn(handler=self.answer)
        self.brave_url = ""
        self.brave_keys: list[str] = []
        self._moment = moment
        self._tried: dict[str, int] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_get("/news", self.search)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.brave_url = f"http://127.0.0.1:{runner.addresses[0][1]}/news"
        async with self.model:
            yield
        await runner.cleanup()

    async def answer(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        bearer = request.headers.get("Authorization", "")
        key = bearer.removeprefix("Bearer ")
        data = asked(body)
        coin = data["symbol"].partition("/")[0]
        self._tried[coin] = tried = self._tried.get(coin, 0) + 1
        error = {"message": bearer, "type": bearer, "param": key, "code": key}
        statuses = {"DOGE": 401, "ADA": 400} | ({"BTC": (500, 429)[tried - 1]} if tried < 3 else {})
        if coin in statuses:
            headers = {"X-Request-Id": key, "Retry-After": "0"}
            return web.json_response({"error": error}, status=statuses[coin], headers=headers)
        said: dict[str, Any] = verdict(data)
        notes = ("liq_note", "trend_note", "news_note", "action_reason")
        said |= {name: f"{'x' * (198 - 9 * n)} {bearer}" for n, name in enumerate(notes)}
        if coin == "BTC":
            said |= {"action_reason": f"said back: {key}", "news_note": "\u200b".join(key)}
        if coin == "ETH":
            said["symbol"] = f"{key}/USDT:USDT"
        if coin == "XRP":
            said |= {key: key, "confidence": key}
        # The longest answer that is kept ends before the key does.
        long = {"SUI": "x" * 7_990 + key, "DOT": ("x" * 20_001)[len(key) :] + key}
        text = ({"SOL": key} | long).get(coin, json.dumps(said))
        if coin == "AVAX":
            return web.Response(text=f"{bearer} {bearer}", content_type="text/html")
        answer = completion(text, **({"refusal": bearer} if coin == "LTC" else {}))
        return web.json_response(answer | {"id": key, "model": key, "system_fingerprint": bearer})

    async def search(self, request: web.Request) -> web.StreamResponse:
        key = request.headers.get("X-Subscription-Token", "")
        self.brave_keys.append(key)
        coin = next(name for name in OUTCOMES if re.search(rf"\b{name}\b", request.query["q"]))
        if coin == "DOGE":
            return web.json_response({"error": {"detail": key}}, status=422, reason=key)
        if coin == "ADA":
            return web.Response(text=key)
        when = datetime.fromtimestamp(self._moment.seconds() - 1_200, UTC).isoformat()
        results = [
            {
                "title": f"{coin} {'falls ' * n}with {key}",
                "description": f"{'word ' * n}{key}",
                "url": f"https://news.example/{n}/{key}",
                "meta_url": {"hostname": f"{key}.example"},
                "page_age": when,
            }
            for n in (1, 30)
        ]
        return web.json_response({"type": "news", "results": results})


@dataclass
class Run:
    servers: Servers
    verdicts: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[dict[str, Any]] = field(default_factory=list)
    news: list[dict[str, Any]] = field(default_factory=list)
    places: dict[str, bytes] = field(default_factory=dict)
    config: bytes = b""
    exit_status: int | None = None


def config_of(sim: Simulator, servers: Servers, base_dir: Path) -> dict[str, Any]:
    """What a user might have written, with every secret that fits in."""
    secrets = {
        "apiKey": IN_CONFIG["apiKey"],
        "secret": IN_CONFIG["ccxtSecret"],
        "privateKey": IN_CONFIG["privateKey"],
    }
    config = freqtrade_config(
        sim,
        base_dir,
        log_level="DEBUG",
        llm={"base_url": servers.model.url, "model": MODEL, "breaker_failures": 100},
        news={"provider": "brave", "brave_url": servers.brave_url},
        dashboard={"port": 0},
    )
    exchange = config["exchange"]
    exchange |= {"key": IN_CONFIG["key"], "password": IN_CONFIG["password"]}
    exchange["ccxt_config"] |= secrets
    exchange["pair_whitelist"] = [f"{coin}/USDT:USDT" for coin in OUTCOMES]
    return config | {
        "ccxt_async_config": secrets,
        "trading_mode": "futures",
        "margin_mode": "isolated",
        "stake_currency": "USDT",
        "strategy_path": str(base_dir / "strategies"),
        "telegram": {"enabled": False, "token": IN_CONFIG["telegram"], "chat_id": "1"},
        "api_server": {
            "enabled": True,  # so that the page asks a bot, which is not there
            "listen_port": 9,
            "username": "u",
            "password": IN_CONFIG["api"],
            "jwt_secret_key": IN_CONFIG["jwt"],
        },
    }


async def play(base_dir: Path) -> Run:
    moment = Time(START + 45_000)
    run = Run(Servers(moment))
    async with run.servers.running(), quiet_exchange(moment) as sim:
        sim.market.add_legs([PriceLeg("BTCUSDT", START - 50 * MINUTE, 6_000, -0.02)])
        (base_dir / "strategies").mkdir()
        copy(ROOT / "strategies" / "LiqTrend.py", base_dir / "strategies")
        config = base_dir / "config.json"
        config.write_text(json.dumps(config_of(sim, run.servers, base_dir)))
        store = base_dir / "user_data" / "liq_provider.sqlite"
        store.parent.mkdir()
        # Whichever minute the start ends in, it is known as a whole.
        remember(f"sqlite:///{store}", list(OUTCOMES), START, known_min=10)
        process = Process(config, base_dir / "log")
        try:
            await story(run, process, sim, config, Reader(f"sqlite:///{store}"))
        finally:
            process.close()
        run.config = config.read_bytes()
        look_at_files(run, base_dir, "after the end")
        return run


async def story(run: Run, process: Process, sim: Simulator, config: Path, reader: Reader) -> None:
    commands: set[str] = set()

    def live() -> bool:
        assert process.alive, (config.parent / "log").read_text()[-2_000:]
        watched = psutil.Process(process.pid)
        commands.add(repr(watched.cmdline()))
        for child in watched.children(recursive=True):
            # The model's client asks `uname` what machine this is; it may just have ended.
            with suppress(psutil.NoSuchProcess):
                commands.add(repr(child.cmdline()))
        try:
            status = reader.states(["sidecar"]).get("sidecar") or {"feeds": {}}
        except StoreUnusable:
            return False
        return {feed["state"] for feed in status["feeds"].values()} == {"live"}

    def judged() -> bool:
        live()
        run.verdicts = {row["base_asset"]: row for row in reader.verdicts(0, START + 60 * MINUTE)}
        return set(run.verdicts) == set(OUTCOMES)

    def told() -> bool:
        model = reader.states(["sidecar"])["sidecar"]["judge"]["model"]
        return bool(model["asked"] >= len(OUTCOMES))

    process.start()
    await until(live, "all feeds are live", 60)
    for coin in OUTCOMES:
        liquidate(sim, "bybit", 12, 40_000.0, symbol=f"{coin}USDT")
    await until(judged, "all waves are judged", 100)
    run.calls = reader.model_calls(0, START + 60 * MINUTE)
    run.news = reader.news("BTC", 0, START + 60 * MINUTE)
    await until(told, "the status tells of them")
    run.places["command lines"] = "\n".join(commands).encode()
    run.places["what the model was told"] = json.dumps(run.servers.model.requests).encode()
    look_at_files(run, config.parent, "while it runs")
    await look_at_page(run, reader.states(["sidecar"])["sidecar"]["dashboard"]["url"])
    await look_at_commands(run, config, run.verdicts["BTC"]["close_ms"])
    reader.close()
    run.exit_status = await process.end(signal.SIGTERM)


def look_at_files(run: Run, base_dir: Path, when: str) -> None:
    """The log, and all that lies beside the store, as it is on disk."""
    for path in [base_dir / "log", *(base_dir / "user_data").rglob("*")]:
        if path.is_file():
            run.places[f"{path.name} {when}"] = path.read_bytes()


async def look_at_page(run: Run, url: str) -> None:
    """Everything that the dashboard tells somebody who knows its token."""
    token = {"Authorization": f"Bearer {IN_ENVIRONMENT['LIQ_PROVIDER_TOKEN']}"}
    row = run.verdicts["BTC"]
    record = {
        "coin": "BTC",
        "direction": row["direction"],
        "start": str(row["wave_start_ms"]),
        "at": str(row["available_at"]),
    }
    async with aiohttp.ClientSession(headers=token) as session:
        for path in ("/", "/api/evidence", "/pairlist", "/api/pair?pair=BTC/USDT:USDT"):
            async with session.get(url + path) as answer:
                run.places[f"page {path}"] = await answer.read() + repr(answer.headers).encode()
        async with session.get(f"{url}/api/record", params=record) as answer:
            run.places["page record"] = await answer.read()
        async with session.get(f"{url}/api/stream") as answer:
            with suppress(TimeoutError):
                async with asyncio.timeout(6):
                    async for line in answer.content:
                        run.places["page stream"] = run.places.get("page stream", b"") + line


async def look_at_commands(run: Run, config: Path, close_ms: int) -> None:
    pair, span = ["--pair", "BTC/USDT:USDT"], ["--from", str(START), "--to", str(START + 10**7)]
    commands: list[list[str]] = [
        ["status"],
        ["status", "--json"],
        ["verdicts", *span],
        ["verdicts", *span, "--calls", "--format", "json"],
        ["explain", *pair],
        ["explain", *pair, "--at", str(close_ms), "--json"],
        ["doctor"],
        ["judge", *pair, "--at", str(close_ms), "--dry"],
        ["export", "out"],
    ]
    slots = asyncio.Semaphore(os.cpu_count() or 1)

    async def look(command: list[str]) -> None:
        async with slots:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "liq_provider.cli", *command, "-c", str(config)),
                cwd=config.parent,
                env={**os.environ, "COLUMNS": "9000"},  # a line that is wrapped may hide a key
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            said, _ = await asyncio.wait_for(process.communicate(), 300)
        run.places[f"liq-provider {' '.join(command)}"] = said

    await asyncio.gather(*map(look, commands))
    for path in (config.parent / "out").rglob("*.parquet"):
        run.places[f"export of {path.parts[-3]}"] = repr(
            pq.ParquetFile(path).read().to_pylist()
        ).encode()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in IN_ENVIRONMENT.items():
            patch.setenv(name, value)
        yield asyncio.run(play(tmp_path_factory.mktemp("planted")))


def leaks(text: bytes) -> list[str]:
    """The planted values of which a text holds at least the beginning."""
    return [value for value in PLANTED if value[:LEAST].encode() in text]


def test_the_servers_really_got_the_keys(run: Run) -> None:
    assert {headers["Authorization"] for headers in run.servers.model.headers} == {
        f"Bearer {OPENAI}"
    }
    assert set(run.servers.brave_keys) == {BRAVE}
    assert len(run.servers.brave_keys) >= len(OUTCOMES)


def test_every_wave_was_really_put_to_the_model(run: Run) -> None:
    assert {(row["base_asset"], row["outcome"]) for row in run.calls} == set(OUTCOMES.items())
    judged = run.verdicts["BTC"]
    assert (judged["judge"], judged["action"]) == (f"{MODEL}@v1", "enter")
    assert judged["action_reason"] == "said back: [OPENAI_API_KEY]"
    assert max(row["requests"] for row in run.calls) == 3, "after two errors that echo"
    assert {run.verdicts[coin]["action"] for coin in OUTCOMES if coin != "BTC"} == {"skip"}
    assert run.news and run.exit_status == 0


def test_every_place_was_really_looked_at(run: Run) -> None:
    assert b"stand-in-not-an-AI@v1" in run.places["log after the end"]
    # What came last may be in the log of changes, if somebody read the store as it ended.
    ends = [run.places.get(f"liq_provider.sqlite{end} after the end", b"") for end in ("", "-wal")]
    assert any(b"said back: " in text for text in ends)
    assert b"--config-from-stdin" in run.places["command lines"]
    for place, word in {
        "status": b"Judge stand-in",
        "verdicts": b"said back",
        "explain": b"gate",
        "doctor": b"network to bybit: 16",
        "judge": b"=== DATA",
        "export of model_calls": b"said back",
        "export of news": b"falls",
        "page record": b"=== DATA",
        "page stream": b"does not answer",
    }.items():
        texts = [text for name, text in run.places.items() if place in name]
        assert texts and all(word in text for text in texts if b"{" != text[:1]), place
    explained = [text for name, text in run.places.items() if "explain" in name and "json" in name]
    assert all(b'"outcome": "ok"' in text and b"said back: " in text for text in explained)


def test_a_search_finds_what_is_there(run: Run) -> None:
    assert set(leaks(run.config)) == set(IN_CONFIG.values())


def test_no_planted_value_is_in_any_place(run: Run) -> None:
    leaked = {place: leaks(text) for place, text in run.places.items()}
    assert {place: values for place, values in leaked.items() if values} == {}
