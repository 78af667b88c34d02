"""One question while it is being asked, and how one to a model goes on record."""

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from liq_provider.core.secret_keys import redact
from liq_provider.judge.budget import Reserved
from liq_provider.judge.prompt import Messages
from liq_provider.judge.verdict import Facts

_RAW_LIMIT = 20_000


@dataclass(slots=True)
class QuestionRecord:
    """
    One question while it is being asked.

    :param held: what was granted for the first request before it is sent
    :param entered: the circuit let it in
    :param shared: the store holds it as taken by this sidecar
    """

    facts: Facts
    news_key: str
    messages: Messages
    asked_ms: int
    call_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    held: Reserved | None = None
    entered: bool = False
    shared: bool = False
    requests: int = 0
    tokens: tuple[int, int] | None = None
    charged: int = 0
    cost_usd: float | None = None
    answer: str = ""
    outcome: str = "ok"
    detail: str = ""

    @property
    def size(self) -> int:
        """Characters of the prompt."""
        return sum(len(message["content"]) for message in self.messages)

    def row(self, judge: str, latency_ms: int) -> dict[str, Any]:
        """
        :param judge: a model's name and prompt version
        :return: of the table ``model_calls``
        """
        facts = self.facts
        prompt_tokens, answer_tokens = self.tokens or (None, None)
        return {
            "call_id": self.call_id,
            "base_asset": facts.base_asset,
            "symbol": facts.symbol,
            "direction": facts.direction,
            "wave_start_ms": facts.wave_start_ms,
            "close_ms": facts.close_ms,
            "judge": judge,
            "news_key": self.news_key,
            "asked_ms": self.asked_ms,
            "latency_ms": latency_ms,
            "requests": self.requests,
            "prompt": redact(json.dumps(self.messages)),
            "answer": _recorded(self.answer),
            "prompt_tokens": prompt_tokens,
            "answer_tokens": answer_tokens,
            "charged_tokens": self.charged,
            "cost_usd": self.cost_usd,
            "outcome": self.outcome,
            "detail": redact(self.detail),
        }


def _recorded(answer: str) -> str:
    """What is too long loses its middle: thoughts come first, the answer last."""
    text = redact(_storable(answer))
    half = _RAW_LIMIT // 2
    return text if len(text) <= _RAW_LIMIT else f"{text[:half]}\n[...]\n{text[-half:]}"


def _storable(text: str) -> str:
    """What no database takes (zero characters, halves of surrogate pairs) is left out or marked."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
