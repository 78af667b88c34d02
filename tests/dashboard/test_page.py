"""
The page in a real browser, served by the real sidecar against the simulated exchange.

One visit goes through everything that happens to it; the tests look at what was seen.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page

from liq_provider.dashboard.page_server import page_of
from liq_provider.sidecar.service import Sidecar
from liq_provider.sidecar.sidecar_config import SidecarConfig
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.stand_in_model import StandIn
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.simulated_spans import simulated_spans
from liq_provider.store.writer import Writer
from tests.dashboard.browser import BrowserLog, browser, needs_browser
from tests.sidecars import MINUTE, Time, liquidate, quiet_exchange, remember, sidecar_config, until

pytestmark = needs_browser

START = 1_795_350_000_000
EVIL = "<img src=x onerror=window.pwned=1><script>window.pwned=1</script>"
CANDLES = {"level": "warning", "words": "60 pairs x 100 ms = 6.0 s; <i>late</i>", "remedy": "less"}
PHONE = {"width": 390, "height": 800}
DESK = {"width": 1400, "height": 900}
TABLET = {"width": 820, "height": 1100}
WAVES, LIMIT_S = ("BTC", "ETH", "SOL"), 2.0
# What a busy machine adds, where all of them met one.
SLACK_S = 4.0

# Everything that can be used must be reachable: what Tab visits, against what there is.
USABLE = """() => [...document.querySelectorAll('a, button, input, select, [tabindex="0"]')]
  .filter(e => e.offsetParent !== null || e.classList.contains('skip'))
  .filter(e => !e.closest('.plot'))
  .map(e => e.id || e.textContent.trim() || e.getAttribute('aria-label'))"""
# Tables that are wider than their place, and would have to be moved sideways to be read.
CUT_OFF = """() => [...document.querySelectorAll('main .scroll')]
  .filter(e => e.scrollWidth > e.clientWidth)
  .map(e => `${innerWidth}: ${e.getAttribute('aria-label')}`)"""
FOCUSED = """() => { const e = document.activeElement;
  if (e === document.body) return ['(the browser)', 'its own'];
  return [e.id || e.textContent.trim() || e.getAttribute('aria-label'),
          getComputedStyle(e).outlineStyle] }"""


@dataclass
class SeenOnPage:
    """What a visitor saw."""

    witness: BrowserLog = field(default_factory=BrowserLog)
    texts: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    flags: dict[str, Any] = field(default_factory=dict)
    lists: dict[str, list[Any]] = field(default_factory=dict)


async def wire(request: web.Request) -> web.Response:
    """A news feed with a headline that would like to be more than text."""
    moment = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(START / 1000 - 600))
    title = EVIL.replace("<", "&lt;").replace(">", "&gt;")
    item = f"<item><title>Bitcoin halted {title}</title><pubDate>{moment}</pubDate></item>"
    text = f'<rss version="2.0"><channel><title>Wire</title>{item}</channel></rss>'
    return web.Response(text=text, content_type="application/rss+xml")


async def serve_news(stack: AsyncExitStack) -> str:
    app = web.Application()
    app.router.add_get("/feed", wire)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}/feed"


class PageRig:
    """An exchange, a model, a wire of news and a sidecar, whose minutes can be skipped."""

    def __init__(self, sim: Simulator, config: SidecarConfig, moment: Time) -> None:
        self.sim, self.config, self.moment = sim, config, moment
        self.reader = Reader(config.store_url)
        self.sidecar = Sidecar(config, moment.clock(), make_page=page_of)
        self.working: asyncio.Task[None] | None = None

    async def start(self) -> str:
        self.working = asyncio.create_task(self.sidecar.run())
        report = await until(
            lambda: (self.sidecar.status()["dashboard"] or {}).get("url"), "the page is served"
        )
        await until(
            lambda: all(f["state"] == "live" for f in self.sidecar.status()["feeds"].values()),
            "the feeds are live",
        )
        return str(report)

    async def stop(self) -> None:
        assert self.working is not None
        self.sidecar.stop()
        await asyncio.wait_for(self.working, 60)

    async def restart(self, url: str) -> None:
        """On the same port, as the configured one is."""
        port = int(url.rpartition(":")[2])
        dashboard = self.config.settings.dashboard.model_copy(update={"port": port})
        settings = self.config.settings.model_copy(update={"dashboard": dashboard})
        self.config = SidecarConfig(
            settings,
            self.config.store_url,
            self.config.files,
            self.config.exchange,
            self.config.timeframe,
            self.config.base_dir,
        )
        self.sidecar = Sidecar(self.config, self.moment.clock(), make_page=page_of)
        await self.start()

    async def settle(self, minute_ms: int) -> None:
        close_ms = minute_ms + MINUTE
        self.moment.jump_to(close_ms - 200)
        await until(
            lambda: (self.reader.states(["computed_ms"]).get("computed_ms") or 0) >= close_ms,
            "the minute is settled",
        )


async def play(base_dir: Path) -> SeenOnPage:
    seen, moment = SeenOnPage(), Time(START + 20_000)
    async with AsyncExitStack() as stack:
        sim = await stack.enter_async_context(quiet_exchange(moment))
        model = await stack.enter_async_context(StandIn())
        feed = await serve_news(stack)
        config = sidecar_config(
            sim,
            base_dir,
            llm={"base_url": model.url},
            news={"provider": "rss", "feeds": [feed, feed.replace("/feed", "/nowhere")]},
            dashboard={"port": 0},
            fill_gaps=False,
        )
        remember(config.store_url, WAVES, START, known_min=1)
        write_study(base_dir)
        stage = PageRig(sim, config, moment)
        url = await stage.start()
        chromium = await stack.enter_async_context(browser())
        try:
            await visit(seen, stage, chromium, url)
        finally:
            await stage.stop()
            stage.reader.close()
    return seen


def write_study(base_dir: Path) -> None:
    folder = base_dir / "user_data" / "study"
    folder.mkdir(parents=True)
    said = {"sentences": ["It is not known.", EVIL], "limits": ["Little data."], "made_ms": START}
    (folder / "study_2026-11-20_00-00-00.json").write_text(json.dumps(said))


async def visit(seen: SeenOnPage, stage: PageRig, browser: Browser, url: str) -> None:
    context = await browser.new_context(color_scheme="dark", viewport=DESK)  # type: ignore[arg-type]
    page = await context.new_page()
    page.set_default_timeout(60_000)
    seen.witness.watch(page)
    # What the page says before anything came.
    await page.route("**/api/stream*", lambda route: route.abort())
    await page.goto(url)
    await page.locator("#market .empty").wait_for()
    seen.texts["before"] = await page.locator("main").inner_text()
    await page.unroute("**/api/stream*")
    seen.witness.errors.clear()
    await page.reload()
    await page.get_by_text("binance (simulated) live").wait_for()
    await stage.settle(START)
    await see_a_wave(seen, stage, page)
    await see_the_record(seen, stage, page)
    await see_the_pair(seen, page)
    await see_narrow_and_light(seen, page)
    await use_the_keyboard(seen, page)
    await see_a_dead_feed(seen, stage, page)
    seen.lists["quiet"] = list(seen.witness.errors)
    await see_a_restart(seen, stage, page, url)
    seen.lists["simulated"] = sorted(simulated_spans(stage.reader))
    seen.texts["verdict"] = await page.locator("#verdict").inner_text()
    seen.flags["pwned"] = await page.evaluate("window.pwned")


async def see_a_wave(seen: SeenOnPage, stage: PageRig, page: Page) -> None:
    stage.moment.jump_to(START + MINUTE + 15_000)
    # The limit is the page's, so of several waves the one counts that met no busy machine.
    for coin in WAVES:
        await see_one(seen, stage, page, coin)
        if seen.numbers["wave_s"] < LIMIT_S:
            break
    row = page.locator("#market tbody tr", has_text="BTC")
    await page.locator("#tape tbody tr", has_text="long").first.wait_for()
    seen.texts["market"] = await row.inner_text()
    seen.texts["tape"] = await page.locator("#tape tbody tr").first.inner_text()
    seen.texts["modes"] = await page.locator("#modes").inner_text()
    peak = page.locator('#signals td[data-label="Peak score"]').first
    seen.texts["peak"] = await peak.inner_text()


async def see_one(seen: SeenOnPage, stage: PageRig, page: Page, coin: str) -> None:
    def received() -> int:
        return int(stage.sidecar.status()["feeds"]["bybit"]["liquidations"])

    before = received()
    liquidate(stage.sim, "bybit", 20, 50_000.0, symbol=f"{coin}USDT")
    # Exchanges gather orders for up to a second before they send them.
    await until(lambda: received() == before + 20, "the wave was sent")
    begun = time.monotonic()
    waves = page.locator("#signals tbody tr", has_text="running, not settled")
    await waves.filter(has_text=coin).wait_for()
    row = page.locator("#market tbody tr", has_text=coin)
    await row.get_by_text("strong ▼ SHORT").wait_for()
    seen.numbers["wave_s"] = time.monotonic() - begun


async def see_the_record(seen: SeenOnPage, stage: PageRig, page: Page) -> None:
    await stage.settle(START + MINUTE)
    button = page.get_by_role("button", name="BTC/USDT:USDT record")
    await button.first.wait_for()
    seen.texts["signal"] = await page.locator("#signals table").nth(1).inner_text()
    await button.first.click()
    await page.locator("#recordbody pre").first.wait_for()
    seen.texts["record"] = await page.locator("#record").inner_text()
    await page.keyboard.press("Escape")
    seen.flags["closed"] = not await page.locator("#record").is_visible()
    # Nothing on the way to the page is trusted to have cleaned it.
    row = stage.reader.verdicts(0, 2**62, ["BTC"])[0]
    (call,) = (c for c in stage.reader.model_calls(0, 2**62) if c["base_asset"] == "BTC")
    writer = Writer(open_engine(stage.config.store_url))
    headline = {"title": EVIL, "source": EVIL, "summary": EVIL, "age_min": 5}
    prompt = f"---\n{json.dumps({'news': [headline]})}\n---"
    writer.put_model_call(
        call
        | {"call_id": "spoilt", "answer": EVIL, "detail": EVIL, "outcome": "malformed"}
        | {"prompt": json.dumps([{"role": "user", "content": prompt}])}
    )
    inputs = json.dumps(json.loads(row["inputs"]) | {"call_id": "spoilt"})
    spoilt = row | {"strength": "medium", "action_reason": EVIL, "judge": EVIL, "symbol": EVIL}
    spoilt |= {"inputs": inputs, "guard": json.dumps([EVIL]), "news_note": EVIL, "liq_note": EVIL}
    moment_ms = row["available_at"] + 1
    writer.put_verdicts([spoilt | {"available_at": moment_ms}], now_ms=moment_ms)
    writer.close()
    spoilt_row = page.locator("#signals tbody tr", has_text="onerror").first
    await spoilt_row.wait_for()
    seen.texts["spoilt"] = await page.locator("#signals").inner_text()
    # By keyboard, as the first was opened by mouse.
    await spoilt_row.get_by_role("button").focus()
    await page.keyboard.press("Enter")
    await page.locator("#recordbody li").first.wait_for()
    seen.texts["spoilt record"] = await page.locator("#record").inner_text()
    await page.keyboard.press("Escape")
    stage.config.files.beat({"dry_run": True, "candles": CANDLES})
    await page.locator("#modes", has_text="DRY-RUN").wait_for()
    seen.texts["candles"] = await page.locator("#strip", has_text="candles:").inner_text()


async def see_the_pair(seen: SeenOnPage, page: Page) -> None:
    await page.select_option("#window", "1440")
    await page.locator("#market tbody").get_by_role("button", name="BTC").click()
    await page.locator("#plot.drawn .main-svg").first.wait_for()
    seen.flags["layers"] = await page.locator("#plot .subplot").count()
    await page.fill("#pairname", "NOPE/NOPE:NOPE")
    await page.locator("#choose button").click()
    await page.locator("#plot", has_text="no pair").wait_for()
    seen.texts["evidence"] = await page.locator("#evidence").inner_text()
    seen.texts["note"] = await page.locator(".note.top").inner_text()


async def see_narrow_and_light(seen: SeenOnPage, page: Page) -> None:
    for theme in ("light", "dark"):
        await page.locator("#theme").click()
        seen.lists.setdefault("themes", []).append(
            await page.evaluate("document.documentElement.dataset.theme")
        )
        await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        seen.numbers[f"width {theme}"] = await page.evaluate("document.documentElement.scrollWidth")
        await page.set_viewport_size(DESK)  # type: ignore[arg-type]
    for size in (TABLET, PHONE, DESK):
        await page.set_viewport_size(size)  # type: ignore[arg-type]
        if size is not DESK:
            seen.lists.setdefault("cut off", []).extend(await page.evaluate(CUT_OFF))
    await page.fill("#filter", "eth")
    seen.lists["filtered"] = await page.locator("#market tbody tr").all_inner_texts()
    await page.fill("#filter", "no such coin")
    seen.texts["no match"] = await page.locator("#market .empty").inner_text()
    await page.fill("#filter", "")
    seen.texts["known"] = await page.locator("#known").inner_text()
    await page.select_option("#minimum", "250000")
    seen.texts["none so large"] = await page.locator("#tape .empty").inner_text()
    await page.select_option("#minimum", "0")


async def use_the_keyboard(seen: SeenOnPage, page: Page) -> None:
    seen.lists["usable"] = await page.evaluate(USABLE)
    await page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    visited = []
    for _ in range(len(seen.lists["usable"]) + 60):
        await page.keyboard.press("Tab")
        name, outline = await page.evaluate(FOCUSED)
        visited.append((name, outline))
    seen.lists["visited"] = visited
    await page.locator("#market th button", has_text="Coin").focus()
    await page.keyboard.press("Enter")
    sorted_by = page.locator("#market th[aria-sort]")
    seen.texts["sorted"] = (
        f"{await sorted_by.inner_text()} {await sorted_by.get_attribute('aria-sort')}"
    )


async def see_a_dead_feed(seen: SeenOnPage, stage: PageRig, page: Page) -> None:
    begun = time.monotonic()
    stage.sim.fault("okx", "refuse", seconds=600, status=451)
    stage.sim.fault("okx", "disconnect")
    await page.locator("header.bad").wait_for()
    await page.get_by_text("1 of 3 feeds not live: okx").wait_for()
    seen.numbers["dead_s"] = time.monotonic() - begun
    seen.texts["strip"] = await page.locator("#strip").inner_text()
    stage.sim.clear_faults()


async def see_a_restart(seen: SeenOnPage, stage: PageRig, page: Page, url: str) -> None:
    await page.evaluate("window.stayed = true")
    await stage.stop()
    await page.get_by_text("Sidecar not reachable").wait_for()
    seen.texts["gone"] = await page.locator("#verdict").inner_text()
    await stage.restart(url)
    await page.get_by_text("binance (simulated) live").wait_for()
    await page.locator("#verdict:not(:has-text('not reachable'))").wait_for()
    seen.flags["stayed"] = await page.evaluate("window.stayed")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeenOnPage]:
    yield asyncio.run(play(tmp_path_factory.mktemp("page")))


def test_a_wave_is_seen_within_seconds_of_being_sent(seen: SeenOnPage) -> None:
    assert seen.numbers["wave_s"] < LIMIT_S + SLACK_S
    # No bot has told what it does, and none is made up.
    assert "SIMULATED" in seen.texts["modes"] and "no bot seen" in seen.texts["modes"]


def test_the_market_and_the_tape_say_what_was_liquidated_in_words(seen: SeenOnPage) -> None:
    assert "strong ▼ SHORT" in seen.texts["market"] and "100% of 20" in seen.texts["market"]
    assert "ready, running" in seen.texts["market"] and "sim bybit $1" in seen.texts["market"]
    assert "▼ long" in seen.texts["tape"] and "sim bybit" in seen.texts["tape"]


def test_a_verdict_shows_what_was_weighed_and_which_gate_failed_first(seen: SeenOnPage) -> None:
    said = seen.texts["signal"]
    assert "BTC/USDT:USDT" in said and "strong: z" in said
    assert "price does not follow" in said and "stand-in" in said
    assert seen.texts["peak"].startswith("z ")


def test_a_record_opens_with_news_prompt_and_answer_and_closes_by_key(seen: SeenOnPage) -> None:
    said = seen.texts["record"]
    assert "=== DATA" in said and '"action"' in said and "Bitcoin halted" in said
    assert "changed nothing" in said or "Guard" in said
    assert seen.flags["closed"]


def test_what_others_wrote_stays_text(seen: SeenOnPage) -> None:
    assert seen.flags["pwned"] is None
    assert "onerror=window.pwned=1" in seen.texts["spoilt"]
    assert "onerror=window.pwned=1" in seen.texts["evidence"]
    # Headline, source, summary, prompt, answer and the rest, each as it was written.
    assert seen.texts["spoilt record"].count("<img src=x onerror=window.pwned=1>") >= 10


def test_a_pair_is_drawn_and_a_wrong_one_is_said(seen: SeenOnPage) -> None:
    assert seen.flags["layers"] >= 3


def test_the_evidence_and_the_limits_are_shown(seen: SeenOnPage) -> None:
    assert "It is not known." in seen.texts["evidence"] and "Little data." in seen.texts["evidence"]
    assert "lower bound" in seen.texts["note"] and "not a quiet market" in seen.texts["note"]


def test_a_phone_does_not_scroll_sideways_in_either_theme(seen: SeenOnPage) -> None:
    assert seen.lists["themes"] == ["light", "dark"]
    assert seen.numbers["width light"] <= PHONE["width"] >= seen.numbers["width dark"]


def test_the_filter_leaves_what_it_says(seen: SeenOnPage) -> None:
    assert seen.lists["filtered"] and all("ETH" in row for row in seen.lists["filtered"])


def test_a_sidecar_that_is_fed_from_this_machine_marks_its_store_and_its_page(
    seen: SeenOnPage,
) -> None:
    assert seen.lists["simulated"] == ["binance", "bybit", "okx"]
    assert "SIMULATED market" in seen.texts["modes"]
    assert "binance (simulated) live" in seen.texts["strip"]


def test_whether_an_entry_is_possible_is_said_and_not_that_data_is_live(seen: SeenOnPage) -> None:
    said = seen.texts["verdict"]
    assert said.startswith(("Entries are possible", "No entries: "))


def test_what_is_not_known_is_not_said_to_be_nothing(seen: SeenOnPage) -> None:
    before = seen.texts["before"]
    assert before.count("Not loaded yet.") == 4 and "was liquidated in" not in before
    assert "No wave" not in before and "No verdict" not in before
    assert seen.texts["no match"] == "None of the 3 coins of this window matches the filter."
    assert "feeds were heard for binance (simulated) " in seen.texts["known"]
    assert seen.texts["none so large"].startswith("None of the latest")


def test_no_table_is_cut_off_on_a_phone_or_a_tablet(seen: SeenOnPage) -> None:
    assert seen.lists["cut off"] == []


def test_the_keyboard_reaches_everything_and_shows_where_it_is(seen: SeenOnPage) -> None:
    visited = {name for name, _ in seen.lists["visited"]}
    assert set(seen.lists["usable"]) - visited == set()
    assert all(outline != "none" for _, outline in seen.lists["visited"][:20])
    assert seen.texts["sorted"].startswith("Coin") and "descending" in seen.texts["sorted"]


def test_a_dead_feed_turns_the_strip_red_with_words(seen: SeenOnPage) -> None:
    assert seen.numbers["dead_s"] < 30
    assert (
        "okx (simulated) DOWN" in seen.texts["strip"]
        or "okx (simulated) REFUSED" in seen.texts["strip"]
        or ("okx (simulated) CONNECTING" in seen.texts["strip"])
    )


def test_candles_that_make_entries_late_are_told_in_the_strip(seen: SeenOnPage) -> None:
    assert "candles: 60 pairs x 100 ms = 6.0 s; <i>late</i>" in seen.texts["candles"]


def test_a_feed_of_news_that_fails_is_named_in_the_strip(seen: SeenOnPage) -> None:
    assert "/nowhere: HTTP 404" in seen.texts["strip"]


def test_the_page_survives_a_restart_of_the_sidecar(seen: SeenOnPage) -> None:
    assert "what is shown is old" in seen.texts["gone"]
    assert seen.flags["stayed"] is True


def test_the_console_is_silent_and_nothing_leaves_the_machine(seen: SeenOnPage) -> None:
    assert seen.lists["quiet"] == []
    assert seen.witness.hosts == {"127.0.0.1"}
