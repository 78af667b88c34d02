"""A model over real HTTP: everything it can do, and what comes of it."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from liq_provider.config.sections import LlmSettings
from liq_provider.errors import ModelFailure
from liq_provider.judge.guarded_answer import GuardedAnswer
from liq_provider.judge.matrix import Action, Confidence, News
from liq_provider.judge.model import ModelJudge
from liq_provider.news.desk import NOT_ASKED
from liq_provider.simulator.stand_in_model import Handler, StandIn, asked, completion, well_behaved
from tests.judge.facts import CANDLES, NOW, facts, news

KEY = "sk-planted-in-the-environment"


class ModelRig:
    def __init__(self, server: StandIn, **llm: Any) -> None:
        self.calls: list[dict[str, Any]] = []
        values = {"base_url": server.url, "model": "m"} | llm
        self.judge = ModelJudge(LlmSettings.model_validate(values), "1m", lambda: NOW, self.keep)
        self.judge.prepare()

    async def keep(self, row: dict[str, Any]) -> None:
        self.calls.append(row)


async def ask(handler: Handler, **llm: Any) -> tuple[GuardedAnswer | str, dict[str, Any], StandIn]:
    """:return: the answer or the failure's kind, the record, and the server"""
    async with StandIn(handler=handler) as server:
        rig = ModelRig(server, **llm)
        try:
            answer: GuardedAnswer | str = await rig.judge.judge(facts(), CANDLES, news("BTC falls"))
        except ModelFailure as failure:
            answer = failure.kind
        await rig.judge.close()
    return answer, rig.calls[0], server


def says(text: str, **kwargs: Any) -> Handler:
    async def handler(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        return web.json_response(completion(text, **kwargs))

    return handler


def answer(**changes: Any) -> str:
    values = {
        "symbol": "BTC/USDT:USDT",
        "direction": "SHORT",
        "liq_note": "strong",
        "trend_note": "down",
        "news_note": "n",
        "news": "supports",
        "action": "enter",
        "confidence": "high",
        "action_reason": "r",
    }
    return json.dumps(values | changes)


def status(code: int, times: int = 99, headers: dict[str, str] | None = None) -> Handler:
    left = [times]

    async def handler(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if left[0] > 0:
            left[0] -= 1
            return web.json_response(
                {"error": {"message": f"no, {request.headers['Authorization']}"}},
                status=code,
                headers=headers,
            )
        return await says(answer())(request, body)

    return handler


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


async def test_a_good_answer_is_on_record() -> None:
    guarded, call, server = await ask(says(answer()), price_in_usd=1.0, price_out_usd=2.0)
    assert isinstance(guarded, GuardedAnswer)
    said = guarded.guarded
    assert (said.news, said.action, said.confidence) == (
        News.SUPPORTS,
        Action.ENTER,
        Confidence.HIGH,
    )
    assert said.changes == () and said.downgrade == 0
    assert (call["outcome"], call["prompt_tokens"], call["answer_tokens"]) == ("ok", 900, 120)
    assert call["cost_usd"] == pytest.approx(900e-6 + 240e-6)
    assert call["answer"] == answer()
    body = server.requests[0]
    assert body["temperature"] == 0
    assert body["response_format"]["json_schema"]["strict"] is True
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    row = guarded.verdict(facts(), "m@v1", NOW, NOW + 1).row()
    assert json.loads(row["inputs"])["call_id"] == call["call_id"]


async def test_what_the_user_says_that_the_model_knew_is_in_the_record() -> None:
    guarded, _, _ = await ask(says(answer()), knowledge_cutoff="2026-05-18")
    assert isinstance(guarded, GuardedAnswer)
    inputs = json.loads(guarded.verdict(facts(), "m@v1", NOW, NOW + 1).row()["inputs"])
    assert inputs["knowledge_cutoff"] == "2026-05-18"
    guarded, _, _ = await ask(says(answer()))
    assert isinstance(guarded, GuardedAnswer)
    row = guarded.verdict(facts(), "m@v1", NOW, NOW + 1).row()
    assert "knowledge_cutoff" not in json.loads(row["inputs"])


async def test_the_prompt_holds_facts_candles_and_news_as_data() -> None:
    _, call, server = await ask(says(answer()))
    data = asked(server.requests[0])
    assert data["symbol"] == "BTC/USDT:USDT" and data["liquidations"]["z"] == 9.0
    assert data["news"] == [{"title": "BTC falls", "source": "wire", "age_min": 10, "summary": ""}]
    assert data["candles"]["columns"] == "open high low close volume"
    assert len(data["candles"]["last"]) == 15
    assert data["candles"]["last"][-1] == "95.3333 95.4333 94.8 95 7.5"
    assert json.loads(call["prompt"]) == server.requests[0]["messages"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "empty"),
        ("I would enter here.", "malformed"),
        ('{"symbol": "BTC', "malformed"),
        ("[1, 2]", "malformed"),
        ("[" * 5_000, "malformed"),
        ('{"a": 1}' * 3_000, "too long"),
        (answer(action="buy"), "malformed"),
        (answer(confidence=3), "malformed"),
        (answer(symbol="ETH/USDT:USDT"), "wrong symbol"),
        (answer(direction="LONG"), "wrong symbol"),
        (answer(news="contradicts"), "contradictory"),
        (answer()[:-1] + ', "action": "skip"}', "contradictory"),
    ],
)
async def test_a_useless_answer_is_a_failure(text: str, kind: str) -> None:
    guarded, call, _ = await ask(says(text))
    assert guarded == kind == call["outcome"]
    assert call["charged_tokens"] == 1_020  # it was paid for all the same


@pytest.mark.parametrize("fence", ["```json\n{}\n```", "```\n{}\n```"])
async def test_json_in_a_fence_is_read(fence: str) -> None:
    guarded, _, _ = await ask(says(fence.replace("{}", answer())))
    assert isinstance(guarded, GuardedAnswer)


async def test_an_answer_in_parts_is_read_without_its_thoughts() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": answer(action="skip")}]},
        {"type": "text", "text": answer()},
    ]
    assert isinstance((await ask(says(parts)))[0], GuardedAnswer)  # type: ignore[arg-type]


async def test_what_stands_in_the_servers_field_for_thoughts_is_no_answer() -> None:
    assert (await ask(says("", reasoning_content=answer())))[0] == "empty"


async def test_a_field_too_many_is_on_record() -> None:
    guarded, call, _ = await ask(says(answer(leverage=50)))
    assert isinstance(guarded, GuardedAnswer)
    assert guarded.guarded.changes == ("1 field(s) that nobody asked for ignored",)
    assert json.loads(call["answer"])["leverage"] == 50


async def test_long_thoughts_do_not_push_the_answer_out_of_the_record() -> None:
    guarded, call, _ = await ask(says("<think>" + "hm " * 20_000 + "</think>" + answer()))
    assert isinstance(guarded, GuardedAnswer)
    assert call["answer"].endswith(answer()) and len(call["answer"]) < 21_000


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (says("", finish_reason="length"), "too long"),
        (says("", finish_reason="content_filter"), "refused"),
        (says("", refusal="I cannot"), "refused"),
    ],
)
async def test_refused_and_cut_off_answers_are_failures(handler: Handler, kind: str) -> None:
    assert (await ask(handler))[0] == kind


async def test_long_notes_are_cut_and_that_is_on_record() -> None:
    guarded, _, _ = await ask(says(answer(liq_note="<b>x</b> " * 200)))
    assert isinstance(guarded, GuardedAnswer)
    assert len(guarded.guarded.notes[0]) == 200 and "<" not in guarded.guarded.notes[0]
    assert "liq_note cleaned" in guarded.guarded.changes[0]


async def test_a_short_retry_after_is_waited_for() -> None:
    answer, call, _ = await ask(status(429, 1, {"Retry-After": "0.2"}))
    assert isinstance(answer, GuardedAnswer)
    assert call["requests"] == 2


async def test_a_long_retry_after_is_not() -> None:
    answer, call, _ = await ask(status(429, 9, {"Retry-After": "30"}))
    assert (answer, call["requests"]) == ("rate limited", 1)


async def test_server_errors_are_tried_again_twice() -> None:
    assert isinstance((await ask(status(500, 1)))[0], GuardedAnswer)
    answer, call, _ = await ask(status(500))
    assert (answer, call["requests"], call["charged_tokens"]) == ("server error", 3, 0)


@pytest.mark.parametrize("code", [401, 403])
async def test_a_refused_key_is_not_tried_again_and_not_quoted(code: int) -> None:
    answer, call, _ = await ask(status(code))
    assert (answer, call["requests"]) == ("key refused", 1)
    assert KEY not in json.dumps(call)


async def test_nobody_there() -> None:
    async with StandIn() as server:
        rig = ModelRig(server)
    with pytest.raises(ModelFailure, match="unreachable"):
        await rig.judge.judge(facts(), CANDLES, NOT_ASKED)


async def hang(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    await asyncio.sleep(30)
    raise AssertionError


async def drip(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for character in json.dumps(completion(answer())):
        await response.write(character.encode())
        await asyncio.sleep(0.1)
    return response


@pytest.mark.parametrize("handler", [hang, drip])
async def test_too_slow_is_a_timeout_and_charged_as_if_it_had_answered(handler: Handler) -> None:
    answer, call, _ = await ask(handler, timeout_s=1.0)
    assert answer == "timeout" and call["charged_tokens"] > 600


@pytest.mark.parametrize("word", ["response_format", "temperature", "max_completion_tokens"])
async def test_what_a_server_does_not_take_is_left_out_and_remembered(word: str) -> None:
    async def picky(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        wrong = {
            "response_format": "response_format" in body,
            "temperature": "temperature" in body,
            "max_completion_tokens": "max_tokens" in body,
        }[word]
        if wrong:
            return web.json_response({"error": {"message": f"use no {word}"}}, status=400)
        return await well_behaved(request, body)

    async with StandIn(handler=picky) as server:
        rig = ModelRig(server)
        await rig.judge.judge(facts(), CANDLES, NOT_ASKED)
        before = len(server.requests)
        await rig.judge.judge(facts(), CANDLES, NOT_ASKED)
        assert len(server.requests) == before + 1
        await rig.judge.close()


async def test_a_budget_that_runs_out_in_the_middle() -> None:
    async with StandIn() as server:
        rig = ModelRig(server, budget={"calls_per_minute": 3})
        results = await asyncio.gather(
            *(rig.judge.judge(facts(), CANDLES, NOT_ASKED) for _ in range(8)),
            return_exceptions=True,
        )
        await rig.judge.close()
    kinds = [r.kind if isinstance(r, ModelFailure) else "ok" for r in results]
    assert kinds.count("ok") == len(server.requests) == 3
    assert kinds.count("over budget") == 5
    assert rig.judge.report()["budget"]["reached"] == ["calls_per_minute"]
    assert rig.judge.breaker.state == "closed"


async def test_a_model_that_keeps_failing_is_left_alone() -> None:
    async with StandIn(handler=says("nonsense")) as server:
        rig = ModelRig(server, breaker_failures=2)
        kinds = []
        for _ in range(4):
            with pytest.raises(ModelFailure) as failure:
                await rig.judge.judge(facts(), CANDLES, NOT_ASKED)
            kinds.append(failure.value.kind)
        await rig.judge.close()
    assert kinds == ["malformed", "malformed", "circuit open", "circuit open"]
    assert len(server.requests) == 2
    assert rig.judge.report()["unavailable"] == "circuit open"


async def test_openai_itself_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    calls: list[dict[str, Any]] = []

    async def keep(row: dict[str, Any]) -> None:
        calls.append(row)

    judge = ModelJudge(LlmSettings(), "1m", lambda: NOW, keep)
    judge.prepare()
    with pytest.raises(ModelFailure, match="OPENAI_API_KEY is not set"):
        await judge.judge(facts(), CANDLES, NOT_ASKED)
    assert calls[0]["outcome"] == "no key" and judge.breaker.state == "closed"


async def test_no_key_travels_unencrypted_to_another_machine() -> None:
    from liq_provider.judge.model_http import key_for

    assert key_for(LlmSettings(base_url="http://192.0.2.7/v1")) is None
    assert key_for(LlmSettings(base_url="https://192.0.2.7/v1")) == KEY
    assert key_for(LlmSettings(base_url="http://localhost:1/v1")) == KEY


async def test_a_news_opinion_needs_news() -> None:
    async with StandIn(handler=says(answer())) as server:
        rig = ModelRig(server)
        guarded = await rig.judge.judge(facts(), CANDLES, NOT_ASKED)
        await rig.judge.close()
    assert guarded.guarded.news is News.NOT_ASKED
    assert guarded.guarded.confidence is Confidence.MEDIUM


async def test_no_proxy_of_the_environment_is_given_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    async with StandIn() as proxy:
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        answer, _, server = await ask(well_behaved)
        assert not isinstance(answer, str) and not proxy.headers
    assert [sent["Authorization"] for sent in server.headers] == [f"Bearer {KEY}"]
