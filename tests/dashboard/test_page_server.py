"""The page's web server over real HTTP: login, headers, hosts, streams, lists."""

import asyncio
import json
import re
import socket
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import TypeAdapter

from liq_provider.config.pair_list_file import MAJORS
from liq_provider.config.settings import Settings, load_settings
from liq_provider.core.liquidation import Liquidation
from liq_provider.dashboard.app import _Hours
from liq_provider.dashboard.market_rows import SEGMENT, WINDOWS_MIN
from liq_provider.dashboard.page_server import Dashboard
from liq_provider.dashboard.tape import KEPT
from liq_provider.exchange.bot_exchange import BotExchange
from liq_provider.sidecar.running_minute import Running, RunningMinute
from tests.sidecar.test_settle_minute import SETTINGS, Store, cascade
from tests.sidecars import until
from tests.store.helpers import MINUTE, T0

TOKEN = "planted-token-of-the-page"


@asynccontextmanager
async def served(
    directory: Path, settings: Settings = SETTINGS, **section: Any
) -> AsyncIterator[tuple[Dashboard, str, Store]]:
    """A page over a store in which BTC had a wave at T0 + 1 min."""
    store = Store(directory, settings)
    store.past(40)
    dashboard_settings = load_settings({"liq_provider": {"dashboard": {"port": 0, **section}}}, {})
    settings = settings.model_copy(update={"dashboard": dashboard_settings.dashboard})
    page = Dashboard(
        settings,
        store.reader.url,
        directory,
        None,
        BotExchange("binance"),
        "1m",
        lambda: T0 + MINUTE + 30_000,
        dict,
    )
    await page.start()
    assert page.url is not None
    try:
        yield page, page.url.replace("0.0.0.0", "127.0.0.1"), store
    finally:
        await page.close()
        store.writer.close()


async def events(url: str, wanted: set[str], seconds: float = 60.0) -> dict[str, Any]:
    """The first event of each kind that a stream sends."""
    events_by_name: dict[str, Any] = {}
    async with (
        aiohttp.ClientSession() as session,
        session.get(url) as answer,
        asyncio.timeout(seconds),
    ):
        assert answer.content_type == "text/event-stream"
        name = ""
        while not wanted <= set(events_by_name):
            line = (await answer.content.readline()).decode().rstrip("\n")
            kind, _, text = line.partition(": ")
            if kind == "event":
                name = text
            elif kind == "data":
                events_by_name.setdefault(name, json.loads(text))
    return events_by_name


async def test_every_answer_carries_a_strict_policy(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, url, _), aiohttp.ClientSession() as session:
        for path in ("/", "/static/main.js", "/api/evidence", "/nothing", "/pairlist"):
            async with session.get(url + path) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy and "script-src 'self';" in policy
                assert "unsafe-inline" not in policy and "unsafe-eval" not in policy
                assert "http" not in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert "Access-Control-Allow-Origin" not in answer.headers
        async with session.get(f"{url}/docs") as answer:
            assert answer.status == 404


async def test_the_page_asks_for_nothing_from_elsewhere() -> None:
    folder = Path(__file__).parents[2] / "liq_provider" / "dashboard" / "static"
    for path in folder.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text and "https://" not in text, path.name
        assert "innerHTML" not in text and "insertAdjacentHTML" not in text, path.name
        assert " style=" not in text and "onclick=" not in text, path.name


def test_the_page_offers_the_windows_that_are_summed_and_no_hours_that_are_refused() -> None:
    folder = Path(__file__).parents[2] / "liq_provider" / "dashboard" / "static"
    text = (folder / "index.html").read_text()

    def offered(name: str) -> list[str]:
        chosen = text.split(f'<select id="{name}">')[1].split("</select>")[0]
        return re.findall(r'<option(?: value="(\d+)"| selected)?>(\w+)', chosen)

    assert [int(value) for value, _ in offered("window")] == [SEGMENT, *WINDOWS_MIN]
    allowed = TypeAdapter(_Hours)
    assert [allowed.validate_python(words) for _, words in offered("hours")] == [1, 3, 6, 12, 24]


async def test_another_name_that_points_here_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, url, _), aiohttp.ClientSession() as session:
        port = url.rpartition(":")[2]
        for host, status in (
            (f"127.0.0.1:{port}", 200),
            (f"localhost:{port}", 200),
            (f"[::1]:{port}", 200),
            (f"evil.example:{port}", 421),
            ("evil.example", 421),
            ("", 421),
        ):
            async with session.get(f"{url}/api/version", headers={"Host": host}) as answer:
                assert answer.status == status, host


async def test_from_the_network_everything_needs_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIQ_PROVIDER_TOKEN", TOKEN)
    async with served(tmp_path, host="0.0.0.0") as (_, url, _):
        async with aiohttp.ClientSession() as session:
            closed = ("/api/stream", "/api/record", "/pairlist", "/plotly.js", "/api/pair?pair=x")
            for path in closed:
                async with session.get(url + path) as answer:
                    assert answer.status == 401, path
            async with session.get(f"{url}/") as answer:
                assert answer.url.path == "/login" and 'type="password"' in await answer.text()
            begun = time.monotonic()
            async with session.post(f"{url}/login", data={"token": "guess"}) as answer:
                assert answer.url.query_string == "wrong" and time.monotonic() - begun > 0.9
            async with session.post(
                f"{url}/login", data={"token": TOKEN}, allow_redirects=False
            ) as answer:
                cookie = answer.headers["Set-Cookie"]
            assert TOKEN not in cookie and "HttpOnly" in cookie and "SameSite=strict" in cookie
            name, _, value = cookie.partition(";")[0].partition("=")
            headers = {"Cookie": f"{name}={value}"}
            async with session.get(f"{url}/api/version", headers=headers) as answer:
                assert answer.status == 200
            # Freqtrade's RemotePairList sends it like this.
            headers = {"Authorization": f"Bearer {TOKEN}"}
            async with session.get(f"{url}/pairlist", headers=headers) as answer:
                assert answer.status == 200


async def test_a_stream_begins_with_everything_and_goes_on_with_changes(tmp_path: Path) -> None:
    async with served(tmp_path) as (page, url, store):
        cascade(store, 0)
        store.settle(1, (0, 1))
        page.take_status({"feeds": {}, "now_ms": T0, "skew_ms": 0})
        order = Liquidation(
            "bybit", "BTC", "BTC/USDT:USDT", "BTC", "long", 1.0, 2.0, 3.0, T0, T0
        )  # fmt: skip
        page.take_liquidations([order])
        wanted = {"status", "account", "waves", "signals", "market", "tape"}

        def is_read() -> bool:
            page.board.want(10)
            rows = (json.loads(page.board.section("market 10")[1]) or {}).get("rows")
            waves = (json.loads(page.board.section("waves")[1]) or {}).get("rows")
            return bool(waves) and any(
                row["long"] > 500_000 and row["ready"] == "ready" for row in rows or ()
            )

        await until(is_read, "the window and its wave are read")
        received = await events(f"{url}/api/stream?window=10", wanted)
        assert received["account"]["error"].startswith("api_server is not enabled")
        last = received["tape"]["rows"][-1]
        assert (last["side"], last["usd"], received["tape"]["kept"]) == ("long", 3.0, KEPT)
        (row,) = received["market"]["rows"]
        known = received["market"]["known"]
        assert known["bybit"] == 1 and not known.get("okx")
        assert (row["coin"], row["ready"], row["count"]) == ("BTC", "ready", 5)
        assert row["long"] > 500_000
        assert received["waves"]["floor"] == (
            "As the sidecar sees them, from the judge's floor on: z 2.5, purity 70% (judge.z_min, "
            "judge.purity_min); strong from 5 and 90%. What is traded of them is decided below."
        )
        (wave,) = received["waves"]["rows"]
        assert wave["settled"] and wave["direction"] == "SHORT"
        # What was sent is not sent again.
        again = await events(f"{url}/api/stream?window=99", {"market"})
        assert again["market"]["minutes"] == SETTINGS.segment_min


async def test_the_running_minute_is_shown_before_it_is_settled(tmp_path: Path) -> None:
    async with served(tmp_path) as (page, url, store):
        store.settle(1, (0, 1))
        cascade(store, 1)
        seen = RunningMinute(store.reader, SETTINGS).look(
            T0 + 2 * MINUTE, T0 + MINUTE, ("bybit",), {}
        )
        page.take_running(seen)
        await until(
            lambda: b'"settled":false' in page.board.section("waves")[1], "the wave is shown"
        )
        received = await events(f"{url}/api/stream", {"market", "waves"})
        (wave,) = received["waves"]["rows"]
        assert not wave["settled"] and wave["strength"] == "strong"
        rows = {row["coin"]: row for row in received["market"]["rows"]}
        assert rows["BTC"]["running"] and rows["BTC"]["wave"]["direction"] == "SHORT"
        # The next minute begins without it.
        page.take_running(Running(T0 + 3 * MINUTE, T0 + 2 * MINUTE))


async def test_the_list_of_pairs_is_the_one_that_the_sidecar_keeps(tmp_path: Path) -> None:
    async with served(tmp_path) as (page, url, _), aiohttp.ClientSession() as session:

        async def told(query: str = "") -> Any:
            async with session.get(f"{url}/pairlist{query}") as answer:
                return await answer.json()

        # A bot that asks in the first second must have something to start with.
        assert (await told())["pairs"] == list(MAJORS)
        kept = {"pairs": ["SOL/USDT:USDT", "BTC/USDT:USDT"], "left_out_n": 3, "written_ms": T0}
        page.take_status({"pair_list": kept})
        answer = await told()
        assert (answer["pairs"], answer["left_out"]) == (kept["pairs"], 3)
        # Freqtrade would not ask more often than a list says.
        assert "refresh_period" not in answer
        assert (await told("?limit=1"))["pairs"] == ["SOL/USDT:USDT"]


async def test_a_port_that_is_taken_costs_the_page_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        store = Store(tmp_path)
        section = {"dashboard": {"port": port}}
        page = Dashboard(
            load_settings({"liq_provider": section}, {}),
            store.reader.url,
            tmp_path,
            None,
            BotExchange("binance"),
            "1m",
            lambda: T0,
            dict,
        )
        await page.start()
        assert page.report()["url"] is None and str(port) in (page.report()["error"] or "")
        assert "dashboard.port" in caplog.text
        await page.close()
        store.writer.close()


async def test_a_store_that_fails_is_said_and_the_page_goes_on(tmp_path: Path) -> None:
    async with served(tmp_path) as (page, url, store):
        await events(f"{url}/api/stream", {"status"})
        with closing(sqlite3.connect(store.reader.url.removeprefix("sqlite:///"))) as other:
            other.execute("DROP TABLE state")
            other.commit()
        await until(
            lambda: page.board.section("problem store")[1] != b"null", "the failure is noticed"
        )
        received = await events(f"{url}/api/stream", {"problem store"})
        assert received["problem store"]
        # A status that is sent again is not new, and the page must be able to tell.
        first = (await events(f"{url}/api/stream", {"beat"}))["beat"]["age_s"]
        await asyncio.sleep(1.2)
        assert (await events(f"{url}/api/stream", {"beat"}))["beat"]["age_s"] > first + 1


async def test_another_sites_page_may_not_ask(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, url, _), aiohttp.ClientSession() as session:
        for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200)):
            headers = {"Sec-Fetch-Site": site}
            async with session.get(f"{url}/api/version", headers=headers) as answer:
                assert answer.status == status
        # A link that leads here is followed.
        async with session.get(f"{url}/", headers={"Sec-Fetch-Site": "cross-site"}) as answer:
            assert answer.status == 200


async def test_connections_that_ask_for_nothing_are_few(tmp_path: Path) -> None:
    async with served(tmp_path) as (page, url, _), aiohttp.ClientSession() as session:
        port = int(url.rpartition(":")[2])
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(90)]
        # Sooner than those end that were let in and asked for nothing.
        await until(lambda: sum(reader.at_eof() for reader, _ in idle) >= 20, "few are let in", 5)
        for _, writer in idle:
            writer.close()
        server: Any = page._server
        await until(lambda: not server.server_state.connections, "they are gone")
        async with session.get(f"{url}/api/version") as answer:
            assert answer.status == 200


async def test_two_that_want_one_port_and_a_server_that_cannot_start_cost_only_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(tmp_path) as (_, url, store):
        port = int(url.rpartition(":")[2])

        def another(wanted: int) -> Dashboard:
            settings = load_settings({"liq_provider": {"dashboard": {"port": wanted}}}, {})
            return Dashboard(
                settings, store.reader.url, tmp_path, None, BotExchange("binance"), "1m",
                lambda: T0, dict,
            )  # fmt: skip

        second = another(port)
        await second.start()
        assert second.report()["url"] is None and second.report()["error"]
        # Nobody empties what a page that is not served is given.
        for _ in range(500):
            second.take_running(Running(T0, T0))
        assert not second.board._running
        await second.close()

        def broken(*_: object) -> None:
            raise FileNotFoundError("plotly.min.js")

        monkeypatch.setattr("liq_provider.dashboard.page_server.make_app", broken)
        third = another(0)
        await third.start()
        assert "plotly.min.js" in (third.report()["error"] or "")
        await third.close()


async def test_a_wave_of_a_minute_that_is_over_is_not_shown_as_running(tmp_path: Path) -> None:
    async with served(tmp_path) as (page, _, store):
        cascade(store, 0)
        page.take_running(
            RunningMinute(store.reader, SETTINGS).look(T0 + MINUTE, T0, ("bybit",), {})
        )
        store.settle(1, (0, 1))
        await until(
            lambda: b'"settled":true' in page.board.section("waves")[1], "the minute is settled"
        )
        page.board.want(0)
        market = page.board.market
        await until(lambda: market._running == {} and market._waves == {}, "the market forgets it")
