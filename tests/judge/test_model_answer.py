"""How models answer: with thoughts, talk and fences around what was asked for."""

import json
from pathlib import Path
from typing import Any

import pytest

from liq_provider.errors import ModelFailure
from liq_provider.judge.guard import Opinion
from liq_provider.judge.matrix import Action, Confidence, News
from liq_provider.judge.model_answer import parse

CASES = Path(__file__).parents[3] / "shared" / "cases" / "answers.json"

ENTER: dict[str, Any] = {
    "symbol": "BTC/USDT:USDT",
    "direction": "SHORT",
    "liq_note": "strong",
    "trend_note": "down",
    "news_note": 'nothing {new} or "old"',
    "news": "supports",
    "action": "enter",
    "confidence": "high",
    "action_reason": "it runs",
}
SKIP = ENTER | {"action": "skip", "confidence": "low", "news": "none"}


def said(**changes: Any) -> str:
    return json.dumps(ENTER | changes)


A, B = said(), json.dumps(SKIP)


def failure(text: str) -> str:
    with pytest.raises(ModelFailure) as raised:
        parse(text)
    return raised.value.kind


def is_the_answer(opinion: Opinion) -> bool:
    return (
        opinion.symbol,
        opinion.direction,
        opinion.news,
        opinion.action,
        opinion.confidence,
    ) == (
        "BTC/USDT:USDT",
        "SHORT",
        News.SUPPORTS,
        Action.ENTER,
        Confidence.HIGH,
    )


@pytest.mark.parametrize(
    "text",
    [
        f"<think>\n\n</think>\n\n{A}",
        f"<think>\nz is high, the candles agree {{not json}}\n</think>\n\n{A}",
        f"<thinking>hm</thinking>{A}",
        f"<THINK>hm</THINK>{A}",
        f"<seed:think>hm</seed:think>{A}",
        f"<reasoning effort='low'>hm</reasoning>{A}",
        f"[THINK]hm[/THINK]{A}",
        f"◁think▷hm◁/think▷{A}",
        f"<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>{A}",
        f"the template wrote the opening tag</think>{A}",
        f'half an object {{"z": </think>{A}',
        f"{A}<think>was that right?",
        f"Here is the verdict:\n{A}",
        f"Sure!\n```json\n{A}\n```",
        f"```json\n{A}\n```\nLet me know!",
        f"```JSON\n{A}```",
        f"```\n{A}\n```",
        f"<answer>{A}</answer>",
        f"\ufeff{A}",
        f"<think></think>\ufeff{A}",
        f"z was {{high}}, so: {A}",
        f'Given {{"z": 9.0}}: {A}',
        f"[{A}]",
        f"{{{A}}}",
        f'{{"verdict": {A}}}',
        f'{{"name": "verdict", "arguments": {A}}}',
        f"{A}\n{A}",
        f"{A}\n{said(liq_note='other words')}",
    ],
)
def test_what_is_written_around_an_answer_is_passed_over(text: str) -> None:
    assert is_the_answer(parse(text))


@pytest.mark.parametrize("before", [A, B, "no {words", '{"symbol": "cut', f"{A}{B}"])
def test_what_is_thought_is_no_answer_and_contradicts_none(before: str) -> None:
    assert is_the_answer(parse(f"<think>{before}</think>{A}"))
    assert is_the_answer(parse(f"{before}</think>{A}"))
    assert is_the_answer(parse(f"<think>{before}</think> again: {before}</think>{A}"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<think>\nz is 9 and", "malformed"),
        (f"<think>{A}", "malformed"),
        (f"<think>{A}</think>", "malformed"),
        (f"<think>{A}</think>\n\n", "malformed"),
        (f"[THINK]{A}", "malformed"),
        (f"{A}</think>", "malformed"),
        (f"<think>x [/THINK] {A}", "malformed"),
        ("<think>" + "x" * 500_000 + f"</think>{A}", "too long"),
        ("\ufeff", "empty"),
    ],
)
def test_thoughts_alone_are_never_an_answer(text: str, kind: str) -> None:
    assert failure(text) == kind


@pytest.mark.parametrize(
    "text",
    [
        f"{A}\n{B}",
        f"{B}\n{A}",
        f"[{A}, {B}]",
        f"```json\n{A}\n```\nOn second thoughts:\n```json\n{B}\n```",
        f'{{"draft": {A}, "final": {B}}}'.replace("draft", "answer").replace("final", "result"),
        said(final=SKIP),
        said(others=[{"deep": SKIP}]),
        said(Action="skip"),
        A[:-1] + ', "action": "skip"}',
        said(news="contradicts"),
    ],
)
def test_answers_that_differ_are_a_contradiction(text: str) -> None:
    assert failure(text) == "contradictory"


@pytest.mark.parametrize(
    "text",
    [
        A[:-1] + ",}",
        A[:-1],
        A.replace('"', "'"),
        f"{A[:-1]},}} I mean {B}",
        f'{B} or {{"symbol": "BTC',
        f'{{"rejected": {A}}}',
        f'{{"verdict": {{"rejected": {A}}}}}',
        json.dumps(A),
        said(action="buy"),
        said(action=["enter"]),
        said(confidence="3"),
        said(confidence=0.9),
        said(liq_note=None),
        said(news="not_asked"),
        json.dumps({k: v for k, v in ENTER.items() if k != "news_note"}),
        "[" * 5_000,
        '{"a":' * 5_000,
        "{" * 5_000,
    ],
)
def test_nothing_is_repaired_or_guessed(text: str) -> None:
    assert failure(text) == "malformed"


def test_a_field_too_many_is_ignored_and_noted() -> None:
    opinion = parse(said(reasoning="step by step", leverage=50))
    assert is_the_answer(opinion)
    assert opinion.remarks == ("2 field(s) that nobody asked for ignored",)
    assert parse(A).remarks == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "ENTER"},
        {"action": "Enter", "confidence": "HIGH", "news": "Supports"},
        {"direction": "short"},
        {"confidence": " high "},
    ],
)
def test_capital_letters_change_nothing(changes: dict[str, str]) -> None:
    assert is_the_answer(parse(said(**changes)))
    assert is_the_answer(parse(json.dumps({k.title(): v for k, v in (ENTER | changes).items()})))


def test_a_symbol_is_taken_to_the_letter() -> None:
    assert parse(said(symbol="btc/usdt:usdt")).symbol == "btc/usdt:usdt"


def test_a_hostile_answer_takes_no_time() -> None:
    for text in ("{}" * 190_000, "{x}" * 100_000, "<think>" * 50_000, "{{" * 100_000):
        with pytest.raises(ModelFailure):
            parse(text)


@pytest.mark.skipif(not CASES.exists(), reason="no recorded answers here")
def test_recorded_shapes_of_answers() -> None:
    put = {
        "{ANSWER}": A,
        "{ANSWER_SKIP}": B,
        "{ANSWER_WITH_REASONING}": said(reasoning="because"),
        "{ANSWER_UPPERCASE_ACTION}": said(action="ENTER"),
    }
    for case in json.loads(CASES.read_text(encoding="utf-8")):
        text = case["text"]
        for name, answer in put.items():
            text = text.replace(name, answer)
        if case["expect"].startswith("read"):
            assert is_the_answer(parse(text)), case["name"]
        else:
            assert failure(text) in case["expect"], case["name"]
