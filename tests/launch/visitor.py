"""Somebody who opens the demo's dashboard and looks around while it runs."""

import asyncio
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Page

from tests.dashboard.browser import BrowserLog, browser

_ADDRESS = re.compile(r"^Dashboard\s+(http://127\.0\.0\.1:\d+)", re.MULTILINE)


@dataclass
class Visit:
    """
    :param rows: of each table
    :param phone_width: what the page takes on a screen of 390 pixels
    """

    witness: BrowserLog = field(default_factory=BrowserLog)
    texts: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    phone_width: int = 0


def visit_demo(log: Path, seconds: float) -> Visit:
    """
    :param log: what the demo prints
    :param seconds: at most
    """
    return asyncio.run(_visit(_address(log, seconds), seconds))


async def _visit(url: str, seconds: float) -> Visit:
    visit = Visit()
    async with asyncio.timeout(seconds):
        async with browser() as chromium:
            page = await chromium.new_page(viewport={"width": 1400, "height": 900})
            page.set_default_timeout(seconds * 1_000)
            visit.witness.watch(page)
            await page.goto(url)
            await _look(visit, page)
    return visit


def _address(log: Path, seconds: float) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        match = _ADDRESS.search(log.read_text())
        if match:
            return match[1]
        time.sleep(0.2)
    raise AssertionError(f"no dashboard was named:\n{log.read_text()}")


async def _look(visit: Visit, page: Page) -> None:
    position = page.locator("#positions .card").first
    await position.wait_for()
    # The strategy keeps what a trade was based on when it is filled.
    await page.locator("#positions .card", has_text="stand-in").first.wait_for()
    visit.texts["position"] = await position.inner_text()
    tables = {"waves": 0, "signals": 1}
    for name, number in tables.items():
        rows = page.locator("#signals table").nth(number).locator("tbody tr")
        await rows.nth(2).wait_for()
        visit.rows[name] = await rows.count()
    for name in ("market", "tape"):
        rows = page.locator(f"#{name} tbody tr")
        await rows.nth(2).wait_for()
        visit.rows[name] = await rows.count()
    for name in ("modes", "strip", "account"):
        visit.texts[name] = await page.locator(f"#{name}").inner_text()
    await page.get_by_role("button", name="ETH/USDT:USDT record").last.click()
    await page.locator("#recordbody pre").first.wait_for()
    visit.texts["record"] = await page.locator("#record").inner_text()
    await page.keyboard.press("Escape")
    await page.locator("#record").wait_for(state="hidden")
    await page.get_by_role("link", name="Pair", exact=True).click()
    await page.locator("#plot.drawn .main-svg").first.wait_for()
    await page.set_viewport_size({"width": 390, "height": 800})
    visit.phone_width = await page.evaluate("document.documentElement.scrollWidth")
