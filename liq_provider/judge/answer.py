"""A model's answer, from text to an opinion, or to the reason why it is none."""

import json
import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from liq_provider.errors import ModelFailure
from liq_provider.judge.guard import Opinion
from liq_provider.judge.matrix import Action, Confidence, News

LONGEST = 8_000

_FENCE = re.compile(r"\A```[a-zA-Z]*\s*\n(.*)\n?```\Z", re.DOTALL)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    symbol: str = Field(description="exactly as asked")
    direction: Literal["LONG", "SHORT"] = Field(description="exactly as asked")
    liq_note: str = Field(description="step 1: how strong, how one-sided; one sentence")
    trend_note: str = Field(description="step 2: do the candles agree; one sentence")
    news_note: str = Field(description="step 3: what the news says; one sentence")
    news: Literal["supports", "none", "contradicts"]
    action: Literal["enter", "hold", "skip"]
    confidence: Literal["high", "medium", "low"]
    action_reason: str = Field(description="one sentence")


def answer_schema() -> dict[str, Any]:
    """:return: JSON schema of an answer, in the subset that strict servers take"""
    schema = _Answer.model_json_schema()
    schema.pop("title", None)
    for field in schema["properties"].values():
        field.pop("title", None)
    return schema


def parse(text: str) -> Opinion:
    """
    :raises ModelFailure: empty, too long, not the asked JSON, or contradicting itself
    """
    text = text.strip()
    if not text:
        raise ModelFailure("empty", "the answer is empty")
    if len(text) > LONGEST:
        raise ModelFailure("too long", f"{len(text):,} characters")
    fenced = _FENCE.match(text)
    try:
        found = json.loads(fenced[1] if fenced else text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise ModelFailure("malformed", "the answer is no JSON") from None
    try:
        said = _Answer.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        # Keys of a strange answer are a stranger's text; only our own are named.
        name = first["loc"][0] if first["loc"] and first["loc"][0] in _Answer.model_fields else ""
        what = f"{name}: {first['msg']}" if name else "not the fields that were asked for"
        raise ModelFailure("malformed", what) from None
    if said.action == "enter" and said.news == "contradicts":
        raise ModelFailure("contradictory", "enter, although the news contradicts")
    return Opinion(
        said.symbol,
        said.direction,
        News(said.news),
        Action(said.action),
        Confidence.of(said.confidence),
        (said.liq_note, said.trend_note, said.news_note, said.action_reason),
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ModelFailure("contradictory", "the answer says one thing twice")
    return found
