"""
The pictures of docs/images, taken anew of a demo that runs.

    make demo                                   # in one terminal, until positions are open
    .venv/bin/python scripts/pictures.py URL    # in another, with the dashboard's address

FreqUI's is not among them, as its page is not part of this.
"""

import asyncio
import shutil
import sys
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from liq_provider.core.durations import MINUTE_MS

_IMAGES = Path(__file__).parents[1] / "docs" / "images"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_DESK, _PHONE = (1400, 1800), (390, 1300)
_PATIENCE_MS = MINUTE_MS
_DRAWN_MS = 1_500.0  # until fonts, bars and chart stand still


async def take(url: str, out: Path) -> None:
    """Take all of them, into a folder."""
    program = next((path for name in _NAMES if (path := shutil.which(name))), None)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = await _opened(browser, url, _DESK, "dark")
        await page.screenshot(path=out / "dashboard.png")
        await _record(page, out)
        await _pair(page, out)
        page = await _opened(browser, url, _PHONE, "light")
        await page.screenshot(path=out / "phone.png")
        await browser.close()


async def _opened(browser: Browser, url: str, size: tuple[int, int], theme: str) -> Page:
    page = await browser.new_page(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="light" if theme == "light" else "dark",
    )
    page.set_default_timeout(_PATIENCE_MS)
    await page.goto(url)
    await page.select_option("#window", "60")
    await page.locator("#market tbody tr").nth(2).wait_for()
    await page.locator("#positions .card, #positions .empty").first.wait_for()
    await page.wait_for_timeout(_DRAWN_MS)
    return page


async def _pair(page: Page, out: Path) -> None:
    # The header stays at the top and would cover the section's.
    await page.evaluate("document.querySelector('header').style.position = 'static'")
    await page.locator("#market tbody").get_by_role("button", name="BTC").first.click()
    await page.locator("#plot.drawn .main-svg").first.wait_for()
    await page.mouse.move(0, 0)
    await page.wait_for_timeout(_DRAWN_MS)
    await page.locator("#pair").screenshot(path=out / "pair.png")


async def _record(page: Page, out: Path) -> None:
    await page.set_viewport_size({"width": _DESK[0], "height": 1000})
    row = page.locator("#signals tbody tr", has_text="(high)")
    await row.get_by_role("button", name="record").first.click()
    await page.locator("#recordbody pre").first.wait_for()
    await page.evaluate("scrollTo(0, 0)")
    await page.screenshot(path=out / "record.png")
    await page.keyboard.press("Escape")
    await page.set_viewport_size({"width": _DESK[0], "height": _DESK[1]})


if __name__ == "__main__":
    asyncio.run(take(sys.argv[1], _IMAGES))
