"""
What an endpoint tells about its models (``GET /v1/models``): does it know the one that is set, when
is that shut down, does it take a schema.

Only ``doctor`` asks. What cannot be told is no reason to worry, and what goes wrong is said in a
line: nothing here raises.
"""

import asyncio
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import Any, Literal

from liq_provider.config.sections import LlmSettings
from liq_provider.config.tls import trusted
from liq_provider.core import secret_keys
from liq_provider.core.plaintext import plain
from liq_provider.errors import ModelFailure
from liq_provider.judge.model_http import OPENAI_URL, key_for

DEADLINE_S = 8.0

_MOST_BYTES = 8 * 1024 * 1024
_NAME_LIMIT = 80
# OpenAI's word for it, and those of others.
_ENDS = ("shutdown_date", "retirement_date", "expiration_date", "deprecation")
_SCHEMA = {"structured_outputs", "response_format", "json_schema"}
_MILLISECONDS = 1e11  # a number of seconds that is larger lies in the year 5138


@dataclass(frozen=True, slots=True)
class Remark:
    """
    :param said: about the model
    :param remedy: what to change; empty if all is well
    """

    level: Literal["ok", "warning"]
    said: str
    remedy: str = ""


def remarks_on(
    settings: LlmSettings, today: date | None = None, deadline_s: float = DEADLINE_S
) -> list[Remark]:
    """
    :param deadline_s: for everything that is asked
    :return: at least one
    """
    try:
        models = _models(asyncio.run(_ask(settings, deadline_s)))
    except ModelFailure as failure:
        # An address may hold what only its user should read.
        return [
            Remark("warning", secret_keys.redact(str(failure)), _REMEDIES.get(failure.kind, ""))
        ]
    model = _of_name(settings.model, models)
    if model is None:
        return [_unknown(settings.model, models)]
    told = [*_shutdown(settings.model, model, today or datetime.now(UTC).date()), *_schema(model)]
    return told or [Remark("ok", f"{settings.model} is one of the {len(models)} that are offered")]


_REMEDIES = {
    "no key": f"set {secret_keys.OPENAI}, llm.base_url, or judge.by to matrix",
    "key refused": f"check {secret_keys.OPENAI}",
    "unreachable": "check llm.base_url and the connection",
    "timeout": "check llm.base_url and the connection",
}


async def _ask(settings: LlmSettings, deadline_s: float) -> bytes:
    import httpx2

    key = key_for(settings)
    base_url = settings.base_url or OPENAI_URL
    proxied = secret_keys.may_be_proxied(base_url)
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    try:
        async with (
            asyncio.timeout(deadline_s),
            # No redirects: the key must go to nobody else.
            httpx2.AsyncClient(verify=trusted(proxied), trust_env=proxied, timeout=None) as client,
            client.stream("GET", f"{base_url}/models", headers=headers) as answer,
        ):
            if answer.status_code in (401, 403):
                raise ModelFailure("key refused", f"HTTP {answer.status_code}")
            if answer.status_code != 200:
                raise ModelFailure("no list of models", f"HTTP {answer.status_code}")
            body = bytearray()
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > _MOST_BYTES:
                    raise ModelFailure("no list of models", "more than 8 MB")
            return bytes(body)
    except TimeoutError:
        raise ModelFailure("timeout", f"no list of models within {deadline_s:g} s") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise ModelFailure("unreachable", type(error).__name__) from None


def _models(body: bytes) -> list[Mapping[str, Any]]:
    try:
        listed = json.loads(body)
    except (ValueError, RecursionError):
        raise ModelFailure("no list of models", "the answer is no JSON") from None
    if isinstance(listed, dict):
        listed = listed.get("data", listed.get("models"))
    if not isinstance(listed, list):
        raise ModelFailure("no list of models", "the answer is another one")
    return [model for model in listed if isinstance(model, dict) and _name(model)]


def _name(model: Mapping[str, Any]) -> str:
    name = model.get("id") or model.get("name")
    return name if isinstance(name, str) else ""


def _of_name(wanted: str, models: list[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    # Ollama's own default when a model is named without a tag.
    names = {wanted, f"{wanted}:latest"}
    return next((model for model in models if _name(model) in names), None)


def _unknown(wanted: str, models: list[Mapping[str, Any]]) -> Remark:
    names = [_name(model) for model in models]
    near = get_close_matches(wanted, names, n=3, cutoff=0.5) or sorted(names)[:3]
    listed = ", ".join(plain(name, _NAME_LIMIT) for name in near) or "none at all"
    said = f"{wanted} is not among the {len(names)} models that are offered"
    return Remark("warning", said, f"set llm.model to one of them, such as {listed}")


def _shutdown(name: str, model: Mapping[str, Any], today: date) -> Iterator[Remark]:
    inner = model.get("deprecation")
    places = (model, inner if isinstance(inner, dict) else {})
    dates = [_date(place.get(word)) for place in places for word in _ENDS]
    end = min((day for day in dates if day is not None), default=None)
    if end is None:
        return
    days = (end - today).days
    said = f"{name} shuts down on {end}, in {days} days"
    if days <= 0:
        said = f"{name} was to be shut down on {end}, {-days} days ago"
    yield Remark("warning", said, "set llm.model to one that stays, and see what it says first")


def _date(value: Any) -> date | None:
    """A date, a moment, or seconds or milliseconds; None if it is none of them."""
    try:
        if isinstance(value, str):
            return datetime.fromisoformat(value.strip()).date()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            seconds = value / 1000 if value > _MILLISECONDS else value
            return datetime.fromtimestamp(seconds, UTC).date() if seconds > 0 else None
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _schema(model: Mapping[str, Any]) -> Iterator[Remark]:
    """Some routers tell what each model takes."""
    takes = model.get("supported_parameters")
    if isinstance(takes, list) and takes and not _SCHEMA & {str(word) for word in takes}:
        yield Remark(
            "warning",
            "the endpoint says that this model takes no schema: answers may be malformed",
            "choose a model with structured outputs",
        )
