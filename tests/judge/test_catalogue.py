"""What an endpoint tells about its models, over real HTTP."""

import asyncio
import json
import time
from datetime import date
from typing import Any

import pytest
from aiohttp import web

from liq_provider.config.sections import LlmSettings
from liq_provider.judge.catalogue import Remark, remarks_on
from liq_provider.simulator.stand_in_model import StandIn

TODAY = date(2026, 11, 27)
KEY = "sk-planted-in-the-environment"


async def remarks(
    *models: dict[str, Any], model: str = "luna", deadline_s: float = 8
) -> list[Remark]:
    async with StandIn(models=models) as server:
        settings = LlmSettings(base_url=server.url, model=model)
        return await asyncio.to_thread(remarks_on, settings, TODAY, deadline_s)


async def test_a_model_that_is_listed_is_well() -> None:
    (remark,) = await remarks({"id": "luna"}, {"id": "other"})
    assert remark == Remark("ok", "luna is one of the 2 that are offered")


@pytest.mark.parametrize(
    "told",
    [
        {"shutdown_date": "2027-01-14"},
        {"shutdown_date": "2027-01-14T00:00:00Z"},
        {"shutdown_date": 1_799_884_800},
        {"shutdown_date": 1_799_884_800_000},
        {"deprecation": {"shutdown_date": "2027-01-14"}},
        {"deprecation": "2027-01-14", "shutdown_date": None},
        {"expiration_date": "2027-01-14"},
    ],
)
async def test_a_shutdown_is_told_with_its_date_and_the_days_left(told: dict[str, Any]) -> None:
    (remark,) = await remarks({"id": "luna", **told})
    assert remark.level == "warning" and remark.remedy
    assert remark.said == "luna shuts down on 2027-01-14, in 48 days"


async def test_a_shutdown_that_was_is_told_too() -> None:
    (remark,) = await remarks({"id": "luna", "shutdown_date": "2026-11-20"})
    assert "7 days ago" in remark.said and remark.level == "warning"


@pytest.mark.parametrize("value", ["soon", "", -1, 1e300, True, [], float("nan"), None])
async def test_a_date_that_is_none_is_passed_over(value: Any) -> None:
    (remark,) = await remarks({"id": "luna", "shutdown_date": value})
    assert remark.level == "ok"


async def test_a_model_that_is_not_offered_is_told_with_those_that_are_near() -> None:
    (remark,) = await remarks({"id": "gpt-6-luna"}, {"id": "<b>gpt-6</b>\n"}, model="gpt-6-lune")
    assert remark.level == "warning" and "gpt-6-lune is not among the 2" in remark.said
    assert "gpt-6-luna" in remark.remedy and "<" not in remark.remedy
    assert (await remarks({"id": "qwen3:latest"}, model="qwen3"))[0].level == "ok"


async def test_a_missing_schema_is_told_where_the_endpoint_says_what_it_takes() -> None:
    without = {"id": "luna", "supported_parameters": ["temperature", "max_tokens"]}
    (remark,) = await remarks(without)
    assert remark.level == "warning" and "schema" in remark.said
    with_it = {"id": "luna", "supported_parameters": ["structured_outputs"]}
    assert (await remarks(with_it))[0].level == "ok"


async def odd(answer: Any, deadline_s: float = 5, **settings: Any) -> list[Remark]:
    """What is said of a server that answers oddly."""
    app = web.Application()
    app.router.add_get("/v1/models", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        llm = LlmSettings(base_url=url, model="luna")
        return await asyncio.to_thread(remarks_on, llm, TODAY, deadline_s)
    finally:
        await runner.cleanup()


def responds(text: str, status: int = 200) -> Any:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=text, status=status, content_type="application/json")

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        responds("no json"),
        responds("[" * 10_000),
        responds("{}"),
        responds('{"data": 3}'),
        responds('"text"'),
        responds("", 404),
        responds("", 500),
        responds("", 401),
        responds(json.dumps({"data": []})),
        responds(json.dumps([1, "x", {"id": 3}])),
        responds("x" * 9_000_000),
    ],
)
async def test_an_odd_answer_is_one_warning(answer: Any) -> None:
    (remark,) = await odd(answer)
    assert remark.level == "warning"


async def test_a_redirect_takes_no_key_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    seen: list[str] = []

    async def away(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        raise web.HTTPFound(location="/v1/models")

    (remark,) = await odd(away)
    assert "HTTP 302" in remark.said and seen == [f"Bearer {KEY}"]


async def test_a_server_that_drips_is_left_at_the_deadline() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(200):
            await response.write(b" ")
            await asyncio.sleep(0.1)
        return response

    began_s = time.monotonic()
    (remark,) = await odd(drip, deadline_s=0.5)
    assert remark.said.startswith("timeout") and time.monotonic() - began_s < 10


async def test_nobody_there_and_no_key_are_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    async with StandIn() as server:
        gone = LlmSettings(base_url=server.url)
    (remark,) = await asyncio.to_thread(remarks_on, gone, TODAY)
    assert remark.said.startswith("unreachable") and remark.remedy
    (remark,) = await asyncio.to_thread(remarks_on, LlmSettings(), TODAY)
    assert "OPENAI_API_KEY is not set" in remark.said and remark.remedy
