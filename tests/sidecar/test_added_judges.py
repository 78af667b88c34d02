"""A real sidecar with a judge and a source of news that other packages add, as in the docs."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from liq_provider.core.plugins import JUDGES, NEWS
from liq_provider.errors import StoreError
from liq_provider.store.reader import Reader
from tests.plugins import documented, lay_down
from tests.sidecars import (
    MINUTE,
    PATIENCE,
    Process,
    Time,
    freqtrade_config,
    liquidate,
    quiet_exchange,
    remember,
    until,
)

pytestmark = pytest.mark.timeout(600)

START = 1_795_350_000_000

# Judges BTC, and never comes back about ETH: not even others of its loop run any more.
JUDGE = f"""
{documented("class Cautious")}
import time

class Blocks(Cautious):
    async def opinion(self, case):
        if case.facts.base_asset == "ETH":
            time.sleep(600)
        return await super().opinion(case)

make = Blocks
"""


@dataclass
class Run:
    verdicts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    news: list[dict[str, Any]] = field(default_factory=list)
    settled: int = 0
    status: dict[str, Any] = field(default_factory=dict)
    code: int = -1
    ended_s: float = 0.0
    log: str = ""


async def play(base: Path) -> Run:
    moment, run = Time(START + 15_000, base / "jumped"), Run()
    url = f"sqlite:///{base / 'store.sqlite'}"
    (base / "user_data").mkdir()
    remember(url, ["BTC", "ETH"], START, known_min=6)
    os.environ["NOTES"] = str(base / "notes")
    async with quiet_exchange(moment) as sim:
        (base / "notes").write_text(
            f"{START // 1000 - 600}|Bitcoin falls|text|https://one.example/"
        )
        section = {
            "store": url,
            "judge": {"by": "cautious"},
            "news": {"provider": "notes"},
            "llm": {"timeout_s": 2},
        }
        config = base / "config.json"
        config.write_text(json.dumps(freqtrade_config(sim, base, **section)))
        process, reader = Process(config, base / "log", moment), Reader(url)
        process.start()
        try:
            await story(run, process, sim, moment, reader)
        finally:
            process.close()
            reader.close()
            run.log = (base / "log").read_text()
    return run


async def story(run: Run, process: Process, sim: Any, moment: Time, reader: Reader) -> None:
    def status() -> dict[str, Any]:
        try:
            return reader.states(["sidecar"]).get("sidecar") or {}
        except StoreError:
            return {}

    def verdicts(coin: str) -> list[dict[str, Any]]:
        rows = reader.verdicts(0, START + 60 * MINUTE)
        return [row for row in rows if row["base_asset"] == coin]

    def live() -> bool:
        feeds = status().get("feeds", {}).values()
        return bool(feeds) and all(feed["state"] == "live" for feed in feeds)

    await until(live, "all venues are heard", 60)
    for coin in ("BTC", "ETH"):
        await until(
            lambda: 3_000 < moment.now_ms() % MINUTE < 45_000, "a minute with time left", 60
        )
        before = reader.count("liquidations")
        for venue in ("binance", "bybit", "okx"):
            liquidate(sim, venue, 12, 60_000.0, symbol=f"{coin}USDT")
        await until(lambda n=before: reader.count("liquidations") > n + 24, "they are stored")
        moment.near_close()
        await until(lambda coin=coin: verdicts(coin), f"{coin} is judged", 60)
        run.verdicts[coin] = verdicts(coin)
    close_ms = moment.near_close()
    await until(
        lambda: reader.states(["computed_ms"])["computed_ms"] >= close_ms, "a minute is settled", 60
    )
    run.status = status()
    run.news = reader.news("BTC", 0, START + 60 * MINUTE)
    begun_s = time.monotonic()
    run.code = await process.end(signal.SIGTERM)
    run.ended_s = time.monotonic() - begun_s


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    base = tmp_path_factory.mktemp("added")
    notes = f"{documented('class Notes')}\nmake = Notes"
    paths = [
        str(lay_down(base, JUDGES, "cautious", JUDGE, "my_judge")),
        str(lay_down(base, NEWS, "notes", notes, "my_notes")),
    ]
    with pytest.MonkeyPatch.context() as patch:
        inherited = os.environ.get("PYTHONPATH")
        patch.setenv("PYTHONPATH", os.pathsep.join([*paths, *([inherited] if inherited else [])]))
        patch.setenv("NOTES", "")
        for path in paths:
            patch.syspath_prepend(path)
        yield asyncio.run(play(base))


def test_waves_are_judged_by_who_was_added(run: Run) -> None:
    (verdict,) = run.verdicts["BTC"]
    assert verdict["judge"] == "cautious@1.2", run.log[-3_000:]
    assert verdict["news"] == "none" and "1 headlines" in verdict["news_note"]
    assert [item["title"] for item in run.news] == ["Bitcoin falls"]
    assert run.status["judge"]["name"] == "cautious@1.2"
    assert run.status["judge"]["news"]["provider"] == "notes"


def test_a_judge_that_blocks_is_a_failure_and_minutes_go_on(run: Run) -> None:
    verdict = run.verdicts["ETH"][-1]
    assert (verdict["judge"], verdict["action"]) == ("unavailable", "skip"), run.log[-3_000:]
    assert json.loads(verdict["inputs"])["failure"] == "timeout"
    assert run.status["judge"]["model"]["unavailable"] == "timeout"


def test_a_judge_that_blocks_does_not_keep_the_sidecar_from_ending(run: Run) -> None:
    assert run.code == 0, run.log[-3_000:]
    assert run.ended_s < 5 * PATIENCE
