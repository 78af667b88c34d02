"""A model's answer, from text to an opinion, or to the reason why it is none."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from liq_provider.errors import ModelFailure
from liq_provider.judge.answer_json import spoken
from liq_provider.judge.guard import Opinion
from liq_provider.judge.matrix import Action, Confidence, News

# Fields whose words may come in capitals.
_WORDS = ("direction", "news", "action", "confidence")
# What an answer may be wrapped in: the schema's name, or what tools and habit call it.
_WRAPPERS = {"verdict", "answer", "response", "result", "output", "arguments", "parameters"}


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
    answers: list[_Read] = []
    for stated in spoken(text).objects:
        answers += _answers(stated)
    meant = [answer for answer in answers if answer.meant]
    if not meant:
        raise ModelFailure("malformed", "the answer holds no such object as was asked for")
    said, remarks = meant[-1].said, meant[-1].remarks
    if any(answer.decision != meant[-1].decision for answer in answers):
        raise ModelFailure("contradictory", "two answers that differ")
    if said.action == "enter" and said.news == "contradicts":
        raise ModelFailure("contradictory", "enter, although the news contradicts")
    return Opinion(
        said.symbol,
        said.direction,
        News(said.news),
        Action(said.action),
        Confidence.of(said.confidence),
        (said.liq_note, said.trend_note, said.news_note, said.action_reason),
        remarks,
    )


@dataclass(frozen=True, slots=True)
class _Read:
    """
    One object that answers.

    :param meant: it stands where an answer may stand, not within something of another name
    :param remarks: what was passed over, in words
    """

    said: _Answer
    meant: bool
    remarks: tuple[str, ...]

    @property
    def decision(self) -> tuple[str, ...]:
        """What two answers must have in common; their words may differ."""
        said = self.said
        return said.symbol, said.direction, said.news, said.action, said.confidence


def _answers(stated: dict[str, Any]) -> Iterator[_Read]:
    """
    The answer that an object is, and those that it holds: a wrapper's, or one that an extra
    field hides, which must then say the same.
    """
    waiting: list[tuple[Any, bool]] = [(stated, True)]
    while waiting:
        value, meant = waiting.pop()
        if isinstance(value, list):
            waiting += [(inner, meant) for inner in value]
        elif isinstance(value, dict):
            own = _own(value)
            if "action" in own:
                extra = len(value) - len(own)
                remarks = (f"{extra} field(s) that nobody asked for ignored",) if extra else ()
                yield _Read(_validated(own), meant, remarks)
                waiting += [(inner, False) for inner in value.values()]
            else:
                waiting += [(v, meant and k.casefold() in _WRAPPERS) for k, v in value.items()]


def _own(fields: dict[str, Any]) -> dict[str, Any]:
    """
    :return: the fields that were asked for, whatever the case of their names
    :raises ModelFailure: contradictory: one is there twice
    """
    own: dict[str, Any] = {}
    for name, value in fields.items():
        known = name.strip().casefold()
        if known in own:
            raise ModelFailure("contradictory", "the answer says one thing twice")
        if known in _Answer.model_fields:
            own[known] = value
    return own


def _validated(own: dict[str, Any]) -> _Answer:
    words = {name: own[name] for name in _WORDS if isinstance(own.get(name), str)}
    lower = {name: word.strip().casefold() for name, word in words.items()}
    if "direction" in lower:
        lower["direction"] = lower["direction"].upper()
    try:
        return _Answer.model_validate(own | lower)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = first["loc"][0] if first["loc"] else "answer"
        raise ModelFailure("malformed", f"{name}: {first['msg']}") from None
