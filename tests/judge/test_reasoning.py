"""Models that reason: what is sent to them, and what happens when they think too long."""

from typing import Any

import pytest
from pydantic import ValidationError

from liq_provider.config.sections import LlmSettings
from liq_provider.errors import ModelFailure
from liq_provider.judge.budget import Budget
from liq_provider.judge.guarded_answer import GuardedAnswer
from liq_provider.news.desk import NOT_ASKED
from liq_provider.simulator.stand_in_model import StandIn
from tests.judge.facts import CANDLES, NOW, facts
from tests.judge.newmodels import THOUGHTS, knows_no_effort, must_think, reasoning, refused
from tests.judge.test_model import ModelRig, answer, ask, says


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-in-the-environment")


def test_the_default_model_is_one_that_stays_and_does_not_reason() -> None:
    settings = LlmSettings()
    assert (settings.model, settings.reasoning_effort) == ("gpt-6-luna", "none")


async def test_a_model_that_reasons_by_default_is_told_not_to() -> None:
    answer, call, server = await ask(reasoning)
    assert isinstance(answer, GuardedAnswer) and call["outcome"] == "ok"
    body = server.requests[-1]
    assert (body["reasoning_effort"], body["temperature"]) == ("none", 0)
    assert body["max_completion_tokens"] == 600 and "max_tokens" not in body


async def test_one_that_is_to_reason_gets_room_for_it_and_no_temperature() -> None:
    answer, _, server = await ask(reasoning, reasoning_effort="medium", reasoning_tokens=4_000)
    assert isinstance(answer, GuardedAnswer)
    body = server.requests[-1]
    assert (body["reasoning_effort"], body["max_completion_tokens"]) == ("medium", 4_600)
    assert not any("temperature" in sent for sent in server.requests)


@pytest.mark.parametrize(
    "llm",
    [
        {"reasoning_effort": None},
        {"reasoning_effort": "high", "reasoning_tokens": THOUGHTS - 600},
    ],
)
async def test_thoughts_that_leave_no_room_for_an_answer_name_the_key(llm: dict[str, Any]) -> None:
    answer, call, _ = await ask(reasoning, **llm)
    assert answer == "too long"
    assert "llm.reasoning_tokens" in call["detail"] and "llm.reasoning_effort" in call["detail"]
    assert call["charged_tokens"] > 600  # thoughts are paid for


async def test_an_answer_that_is_cut_off_names_the_other_key() -> None:
    _, call, _ = await ask(says(answer()[:50], finish_reason="length"))
    assert "llm.max_answer_tokens" in call["detail"]
    _, call, _ = await ask(says("<think>and then", finish_reason="length"))
    assert "llm.reasoning_tokens" in call["detail"]


async def test_a_server_that_knows_no_effort_is_asked_without_and_remembered() -> None:
    async with StandIn(handler=knows_no_effort) as server:
        rig = ModelRig(server)
        for _ in range(2):
            await rig.judge.judge(facts(), CANDLES, NOT_ASKED)
        await rig.judge.close()
    assert [body.get("reasoning_effort") for body in server.requests] == ["none", None, None]
    assert server.requests[-1]["temperature"] == 0
    assert "response_format" in server.requests[-1]


async def test_a_model_that_cannot_stop_thinking_fails_with_the_key_named() -> None:
    answer, call, server = await ask(must_think)
    assert answer == "too long" and "llm.reasoning_tokens" in call["detail"]
    assert call["requests"] == len(server.requests) == 4  # effort, temperature, limit, thoughts
    assert isinstance((await ask(must_think, reasoning_tokens=4_000))[0], GuardedAnswer)


async def test_everything_can_be_given_up_in_one_question() -> None:
    async def bare(request: Any, body: dict[str, Any]) -> Any:
        wrong = ("temperature", "reasoning_effort", "response_format", "max_tokens")
        for name in wrong:
            if name in body:
                other = "max_completion_tokens" if name == "max_tokens" else name
                return refused(other, f"no {other}")
        return await says(answer())(request, body)

    reply, call, _ = await ask(bare)
    assert isinstance(reply, GuardedAnswer) and call["requests"] == 6


async def test_thoughts_in_a_field_of_their_own_without_an_answer_are_named() -> None:
    _, call, _ = await ask(says("", reasoning_content=answer()))
    assert (call["outcome"], "llm.reasoning_effort" in call["detail"]) == ("empty", True)


def test_an_effort_without_room_for_it_is_refused_at_the_start() -> None:
    with pytest.raises(ValidationError, match="reasoning_effort low needs reasoning_tokens"):
        LlmSettings(reasoning_effort="low")
    assert LlmSettings(reasoning_effort="low", reasoning_tokens=10).most_answer_tokens == 610


def test_thoughts_count_in_the_budget() -> None:
    settings = LlmSettings.model_validate(
        {"reasoning_tokens": 5_000, "budget": {"tokens_per_day": 5_000}}
    )
    with pytest.raises(ModelFailure, match="tokens_per_day"):
        Budget(settings, NOW).reserve(10, NOW)
