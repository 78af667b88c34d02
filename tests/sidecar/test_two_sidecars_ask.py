"""Two sidecars, real processes, on one real PostgreSQL: what a model is asked, and how often."""

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import create_engine, text

from liq_provider.errors import StoreError
from liq_provider.simulator.stand_in_model import StandIn, asked, well_behaved
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
from tests.store import postgres

START = 1_795_350_000_000
# Both must have started before the minute's close; they take the exchange's time.
STARTS_AT_MS = 20_000
COINS = ("BTC", "ETH", "SOL", "XRP", "DOGE")
LEFT = "ADA"  # asked about by a sidecar that is killed
TIMEOUT_S = 6


@dataclass
class Model:
    """Answers slowly enough for both to want to know, and never about one coin at first."""

    questions: list[tuple[str, str, str]] = field(default_factory=list)
    asker: str = ""

    async def answer(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        data = asked(body)
        coin = data["symbol"].split("/")[0]
        who = request.headers["Authorization"].removeprefix("Bearer ")
        state = f"{data['liquidations']['strength']} {data['candles']['aligned']}"
        self.questions.append((coin, state, who))
        if coin == LEFT and not self.asker:
            self.asker = who
            await asyncio.sleep(60)
        await asyncio.sleep(0.7)
        return await well_behaved(request, body)


@dataclass
class Run:
    questions: list[tuple[str, str, str]] = field(default_factory=list)
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    status: dict[str, Any] = field(default_factory=dict)
    killed: str = ""
    waited_ms: int = 0
    logs: str = ""


async def play(base: Path, url: str) -> Run:
    moment, model, run = Time(START + STARTS_AT_MS, base / "jumped"), Model(), Run()
    remember(url, [*COINS, LEFT], START, known_min=6)
    async with quiet_exchange(moment) as sim, StandIn(handler=model.answer) as server:
        processes: dict[str, Process] = {}
        reader = Reader(url)
        try:
            for name in ("asker-a", "asker-b"):
                directory = base / name[-1]
                (directory / "user_data").mkdir(parents=True)
                llm = {"base_url": server.url, "timeout_s": TIMEOUT_S}
                news = {"provider": "none"}
                section = {"store": url, "llm": llm, "news": news}
                config = directory / "config.json"
                config.write_text(json.dumps(freqtrade_config(sim, directory, **section)))
                os.environ["OPENAI_API_KEY"] = name
                processes[name] = Process(config, directory / "log", moment)
                processes[name].start()
            await story(run, processes, sim, moment, model, reader)
        finally:
            os.environ.pop("OPENAI_API_KEY", None)
            for process in processes.values():
                process.close()
            reader.close()
            run.logs = "\n".join((base / name[-1] / "log").read_text() for name in processes)
    run.questions = model.questions
    return run


async def story(
    run: Run,
    processes: dict[str, Process],
    sim: Any,
    moment: Time,
    model: Model,
    reader: Reader,
) -> None:
    def verdicts(*coins: str) -> list[dict[str, Any]]:
        rows = reader.verdicts(0, START + 60 * MINUTE)
        return [row for row in rows if row["base_asset"] in coins and "@" in row["judge"]]

    def both_live() -> bool:
        try:
            status = reader.states(["sidecar"]).get("sidecar")
        except StoreError:
            return False
        live = status and {feed["state"] for feed in status["feeds"].values()} == {"live"}
        return bool(live and set(sim.state()["clients"].values()) == {2})

    def wave(*coins: str) -> None:
        for coin in coins:
            for venue in ("binance", "bybit", "okx"):
                liquidate(sim, venue, 12, 60_000.0, symbol=f"{coin}USDT")

    await until(both_live, "both hear all venues", 120)
    # With time left for looks at the running minute.
    await until(lambda: moment.now_ms() % MINUTE < 45_000, "a minute with time left", 30)
    wave(*COINS)
    await until(lambda: len(model.questions) == len(COINS), "looks at the running minute", 60)
    moment.near_close()
    await until(lambda: len(verdicts(*COINS)) >= len(COINS), "all are judged", 100)
    await asyncio.sleep(2)

    await until(lambda: 3_000 < moment.now_ms() % MINUTE < 40_000, "a minute with time left", 60)
    wave(LEFT)
    await until(lambda: model.asker, "one asks about the other coin", 30)
    run.killed, killed_ms = model.asker, moment.now_ms()
    await processes[run.killed].end(signal.SIGKILL)

    def again() -> bool:
        return any(coin == LEFT and who != run.killed for coin, _, who in model.questions)

    await until(again, "the other one takes over", 60)
    run.waited_ms = moment.now_ms() - killed_ms
    await until(lambda: verdicts(LEFT), "it is judged", 100)
    await asyncio.sleep(6)  # until the status is written again
    run.status = reader.states(["sidecar"])["sidecar"]
    run.calls = reader.model_calls(0, START + 60 * MINUTE)
    run.verdicts = verdicts(*COINS, LEFT)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with postgres.server() as address:
        engine = create_engine(f"{address}/postgres", isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("CREATE DATABASE shared"))
        engine.dispose()
        yield asyncio.run(play(tmp_path_factory.mktemp("two"), f"{address}/shared"))


pytestmark = pytest.mark.timeout(900)


def test_each_question_is_asked_once_whichever_sidecar_needs_it(run: Run) -> None:
    counts = Counter((coin, state) for coin, state, _ in run.questions if coin != LEFT)
    assert {coin for coin, _ in counts} == set(COINS), run.logs[-3_000:]
    assert set(counts.values()) == {1}, run.questions


def test_every_verdict_has_its_question_and_no_other(run: Run) -> None:
    judged = Counter((row["base_asset"], row["strength"], row["aligned"]) for row in run.verdicts)
    assert set(judged.values()) == {1}
    assert {coin for coin, _, _ in judged} == {*COINS, LEFT}
    calls = {row["call_id"]: row for row in run.calls}
    for row in run.verdicts:
        assert calls[json.loads(row["inputs"])["call_id"]]["outcome"] == "ok"


def test_a_question_whose_asker_was_killed_is_asked_by_the_other_once(run: Run) -> None:
    askers = [who for coin, _, who in run.questions if coin == LEFT]
    assert askers[0] == run.killed and run.killed not in askers[1:] and len(askers) == 2
    # Not before its time is over, and soon after it.
    assert TIMEOUT_S * 1000 - 1_500 < run.waited_ms < (TIMEOUT_S + 3) * 1000 + 15_000
    outcomes = Counter(row["outcome"] for row in run.calls if row["base_asset"] == LEFT)
    assert outcomes == {"abandoned": 1, "ok": 1}


def test_what_the_dead_one_may_have_spent_stays_counted(run: Run) -> None:
    spent = run.status["judge"]["model"]["budget"]["spent"]
    assert spent["calls_per_day"]["used"] == len(run.questions)
    assert spent["tokens_per_day"]["used"] == sum(row["charged_tokens"] for row in run.calls)
