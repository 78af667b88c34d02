"""How the page is filled, and what that costs others."""

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from liq_provider.bot.rules_of_bots import in_force_of
from liq_provider.config.pair_list_file import READS
from liq_provider.config.parameter_file import ParameterFile
from liq_provider.config.settings import Settings
from liq_provider.core.coverage import Interval
from liq_provider.dashboard import board
from liq_provider.dashboard.tape import KEPT, Tape
from liq_provider.store.simulated_spans import note_simulated
from tests.bot.helpers import stored, verdict
from tests.dashboard.test_account import Api, answers
from tests.dashboard.test_page_server import served
from tests.sidecar.test_settle_minute import cascade
from tests.sidecars import until
from tests.store.helpers import MINUTE, T0, incoming


async def test_a_bot_is_left_in_peace_while_nobody_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "_ACCOUNT_S", 0.2)
    with Api(answers()) as bot:

        def asked() -> int:
            return len([path for path in bot.asked if path.endswith("/status")])

        async with served(tmp_path, bot_url=bot.url) as (_, url, _store):
            await until(lambda: asked() == 1, "the first answer")
            await asyncio.sleep(1.0)
            assert asked() == 1
            async with aiohttp.ClientSession() as session, session.get(f"{url}/api/stream"):
                await until(lambda: asked() >= 4, "more answers", 5)


async def test_thresholds_and_stops_are_those_in_force(tmp_path: Path) -> None:
    def bot(**parameters: float | str) -> dict[str, object]:
        return {"dry_run": True, "parameters": {"windows": "configured", **parameters}}

    of_strategy = {"dry_run": True, "name": "of another strategy"}
    mine, yours = {"z_threshold": 4.5, "trailing_pct": 0.02}, {"z_threshold": 6.0}
    written = ParameterFile(Path("LiqTrend.json"), {"z_threshold": 5.0, "fallback_pct": 0.03})
    own, told, file = (3.0, 0.01, 0.02), (4.5, 0.02, 0.02), (5.0, 0.01, 0.03)
    async with served(tmp_path) as (page, _, _store):
        shown = page.board
        for bots, without_file, with_file in (
            ([], own, file),
            ([{}], own, file),
            ([of_strategy], own, file),
            ([bot(**mine)], told, told),
            ([bot(**mine), of_strategy], told, told),
            ([bot(**mine), bot(**mine)], told, told),
            ([bot(**mine), bot(**yours)], own, file),
            # They decide alike, and their stops differ.
            ([bot(trailing_pct=0.02), bot(trailing_pct=0.03)], own, (3.0, 0.01, 0.03)),
        ):
            page.take_status({"feeds": {}, "bots": bots})
            for known, values in ((None, without_file), (written, with_file)):
                shown._file, shown._file_s = known, math.inf
                now = shown.settings_in_force
                seen = (now.z_threshold, now.trailing_pct, now.fallback_pct)
                assert seen == values, (bots, known)


FEED = {"state": "live", "detail": "", "since_ms": 0, "url": "wss://fstream.binance.com/ws"}


async def test_the_page_says_what_the_newest_settled_minute_says(tmp_path: Path) -> None:
    async with served(tmp_path) as (page, _, store):
        shown = page.board

        def status() -> dict[str, Any]:
            return dict(json.loads(shown.section("status")[1]) or {})

        waiting = {"condition": "warming_up", "reason": "warming up: 3 of 72", "from_ms": T0 + 9}
        report = {
            "close_ms": T0 + MINUTE,
            "whole": waiting,
            "venues": {"okx": {"condition": "ready"}, "bybit": waiting},
            "coins": {"BTC": waiting, "ETH": waiting},
        }
        store.settle(1, (0, 1))
        store.writer.put_state("readiness", report, T0)
        page.take_status({"feeds": {"okx": FEED}, "skew_ms": 0})
        await until(lambda: status().get("readiness", {}).get("coins"), "readiness is shown")
        assert status()["readiness"]["whole"] == waiting
        assert status()["readiness"]["coins"]["warming_up"] == 2
        # A feed that was just lost is not ready for what comes next, whatever was settled.
        page.take_status({"feeds": {"okx": FEED | {"state": "down", "detail": "x"}}, "skew_ms": 0})
        await until(
            lambda: status()["readiness"]["venues"]["okx"]["condition"] == "unknown",
            "the lost feed is shown",
        )
        page.take_status({"feeds": {"okx": FEED}, "skew_ms": 9_000})
        await until(
            lambda: "max_skew_ms" in status()["readiness"]["whole"].get("reason", ""),
            "the clock is named",
        )


@pytest.mark.parametrize(
    ("zscore", "asked", "words"),
    [
        ("classic", {}, "z "),
        (
            "percentile",
            {"z_threshold": 0.98, "z_strong": 0.99, "judge": {"z_min": 0.97}},
            "larger than 100.0% of its baseline",
        ),
    ],
)
async def test_waves_are_shown_with_the_score_that_the_sidecar_goes_by(
    tmp_path: Path, zscore: str, asked: dict[str, Any], words: str
) -> None:
    windows = {"segment_min": 1, "baseline_hours": 0.5, "min_baseline_segments": 10}
    settings = Settings(**windows, min_active_segments=5, zscore=zscore, **asked)
    async with served(tmp_path, settings) as (page, _, store):
        cascade(store, 0)
        store.settle(1, (0, 1))

        def waves() -> list[dict[str, Any]]:
            return list((json.loads(page.board.section("waves")[1]) or {}).get("rows", ()))

        await until(waves, "the wave is shown")
        assert [row["peak"].startswith(words) for row in waves()] == [True]
        assert waves()[0]["remark"] == ""


async def test_the_tape_begins_with_as_many_of_the_store_as_it_keeps(tmp_path: Path) -> None:
    async with served(tmp_path) as (page, _, store):
        store.writer.append([incoming(T0 + n, price=1.0 + n) for n in range(KEPT + 100)])
        await until(lambda: page.board._remembered, "the first look is over")
        page.board.tape, page.board._remembered = Tape(), False
        await until(lambda: page.board.tape.last >= KEPT, "the store is remembered")
        assert [row["id"] for row in page.board.tape.since(0)] == [*range(1, KEPT + 1)]
        assert page.board.tape.since(0)[-1]["ms"] == T0 + KEPT + 99


async def test_one_simulated_venue_beside_real_ones_is_marked(tmp_path: Path) -> None:
    async with served(tmp_path) as (page, _, _store):

        def simulated() -> dict[str, Any]:
            return dict((json.loads(page.board.section("status")[1]) or {}).get("simulated", {}))

        here = FEED | {"url": "ws://127.0.0.1:18900/ws/v5/public"}
        page.take_status({"feeds": {"okx": here, "binance": FEED, "bybit": FEED}})
        await until(lambda: simulated().get("venues") == ["okx"], "the venue is marked")
        assert simulated()["words"].startswith("SIMULATED in part: what is of okx")
        page.take_status({"feeds": {"okx": FEED, "binance": FEED, "bybit": FEED}})
        await until(lambda: simulated() == {"venues": [], "words": None}, "nothing is marked")


async def test_what_the_store_has_of_a_simulator_stays_marked(tmp_path: Path) -> None:
    async with served(tmp_path) as (page, _, store):
        note_simulated(store.writer.engine, "okx", Interval(T0 - MINUTE, T0), T0)
        page.board._slow_s = 0.0
        page.take_status({"feeds": {"okx": FEED, "binance": FEED}})
        await until(
            lambda: b'"venues":["okx"]' in page.board.section("status")[1], "the venue is marked"
        )


@pytest.mark.parametrize(("reads", "listed"), [(False, False), (True, None)])
async def test_who_is_not_in_a_list_of_the_moment_was_perhaps_in_it(
    tmp_path: Path, reads: bool, listed: bool | None
) -> None:
    """Of a whole market Freqtrade's API tells the pairs of now, and a wave may be an hour old."""
    bot = {"name": "A", READS: reads, "parameters": {"z_threshold": 3.0}}
    async with served(tmp_path) as (page, _, _store):
        page.board._account.whitelist = frozenset({"BTC/USDT:USDT"})
        page.take_status({"feeds": {}, "bots": [bot]})
        assert page.board.in_force.lists("ETH/USDT:USDT") is listed


@pytest.mark.parametrize(
    ("z", "z_strong", "said", "words"),
    [
        (4.5, 4.0, {"strength": "medium", "action": "skip", "confidence": "low"}, None),
        (5.5, 6.0, {}, "no news supports it"),
    ],
)
async def test_hyperopted_rules_decide_on_the_page_too(
    tmp_path: Path, z: float, z_strong: float, said: dict[str, Any], words: str | None
) -> None:
    close_ms = T0 + MINUTE
    trend = json.dumps({"trend_change": -0.02, "trend_noise": 0.01})
    times = {name: close_ms for name in ("wave_start_ms", "close_ms", "available_at")}
    times["expires_at"] = close_ms + 32_000
    spans = json.dumps([[close_ms, close_ms]])
    made = verdict(0, base="ETH", news="none", inputs=trend, confirmed=spans, **said) | times
    own = in_force_of(Settings(), {"z_strong": z_strong}, MINUTE, ["ETH/USDT:USDT"], "")
    bot = {"name": "A", "rules": own.as_told()}
    async with served(tmp_path) as (page, _, store):

        def line() -> dict[str, Any]:
            section = json.loads(page.board.section("signals")[1]) or {"rows": [], "rules_of": ""}
            lines = [row for row in section["rows"] if row["symbol"] == "ETH/USDT:USDT"]
            return {"rules_of": section["rules_of"], **lines[0]} if lines else {}

        store.writer.put_results([stored("ETH", close_ms, z, 0.98)], [], close_ms, close_ms)
        store.writer.put_verdicts([made], now_ms=close_ms)
        await until(lambda: line().get("rules_of") == "the configuration (no bot is there)", "rows")
        # By the sidecar's own thresholds it is as the judge says.
        assert line()["verb"] == made["action"]
        page.take_status({"feeds": {}, "bots": [bot]})
        await until(lambda: line().get("rules_of") == "the bot A", "the bot's rules")
        assert (line()["refused_by"], line()["verb"]) == (words, "skip" if words else "enter")
        # A bot told which of its own gates kept it out.
        locked = [["ETH/USDT:USDT", close_ms, "lock", "Freqtrade has locked the pair"]]
        page.take_status({"feeds": {}, "bots": [bot | {"refusals": locked}]})
        if words is None:
            await until(lambda: line()["verb"] == "not entered", "the bot's own word")
            assert line()["refused_by"] == "Freqtrade has locked the pair"
