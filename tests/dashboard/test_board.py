"""How the page is filled, and what that costs others."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from liq_provider.dashboard import board
from tests.dashboard.test_account import Api, answers
from tests.dashboard.test_server import served
from tests.sidecars import until


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

    async with served(tmp_path) as (page, _, _store):
        found = page.board
        for bots, z_threshold in (
            ([], 3.0),
            ([{}], 3.0),
            ([bot(z_threshold=4.5)], 4.5),
            ([bot(z_threshold=4.5), bot(z_threshold=4.5)], 4.5),
            ([bot(z_threshold=4.5), bot(z_threshold=6.0)], 3.0),
        ):
            page.take_status({"feeds": {}, "bots": bots})
            assert found.settings_in_force.z_threshold == z_threshold
