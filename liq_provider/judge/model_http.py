"""
One question to an OpenAI-compatible endpoint.

Servers differ in what they take: the strict schema, ``temperature``, ``reasoning_effort`` and the
name of the limit of an answer are given up one by one when a server refuses them, and that is
remembered.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from liq_provider.config.sections import LlmSettings
from liq_provider.config.tls import trusted
from liq_provider.core import secret_keys
from liq_provider.errors import ModelFailure
from liq_provider.judge.answer_json import says_nothing
from liq_provider.judge.model_answer import answer_schema
from liq_provider.judge.prompt import Messages

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

OPENAI_URL = "https://api.openai.com/v1"

_RETRIES = 2
_MOST_TOKENS = 10_000_000
_LONGEST_WAIT_S = 8.0
_SAID = ("text", "output_text")
_FORMATS = ("schema", "object", "text")
# Parameters that can be given up, one request each, before one is sent as the server likes it.
_ADAPTATIONS = 5
_EFFORT_WORDS = ("reasoning", "effort", "support thinking")
_OTHER_LIMIT = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}

_ONLY_THOUGHT = (
    "all tokens were spent before there was an answer; a model that reasons needs "
    "llm.reasoning_tokens, or llm.reasoning_effort none"
)

_Held = TypeVar("_Held")


@dataclass(frozen=True, slots=True)
class Reply:
    """
    :param tokens: of prompt and answer, None if the server did not say
    """

    text: str
    tokens: tuple[int, int] | None


@dataclass(slots=True)
class _Dialect:
    """What this server takes."""

    format: str = "schema"
    temperature: bool = True
    effort: bool = True
    limit: str = "max_tokens"
    limit_changed: bool = False

    def parameters(self, settings: LlmSettings) -> dict[str, Any]:
        parameters: dict[str, Any] = {self.limit: settings.most_answer_tokens}
        effort = settings.reasoning_effort if self.effort else None
        if effort is not None:
            parameters["reasoning_effort"] = effort
        # A model that reasons chooses its words by itself, and refuses to be told how.
        if self.temperature and effort in (None, "none"):
            parameters["temperature"] = 0
        if self.format == "schema":
            schema = {"name": "verdict", "strict": True, "schema": answer_schema()}
            parameters["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif self.format == "object":
            parameters["response_format"] = {"type": "json_object"}
        return parameters

    def give_up(self, complaint: str) -> bool:
        """:return: False if the complaint is about nothing that can be left out"""
        if "temperature" in complaint and self.temperature:
            self.temperature = False
        elif self.effort and any(word in complaint for word in _EFFORT_WORDS):
            self.effort = False
        elif "max_completion_tokens" in complaint and not self.limit_changed:
            self.limit = _OTHER_LIMIT[self.limit]
            self.limit_changed = True
        elif self.format != "text" and any(
            word in complaint for word in ("response_format", "json_schema", "json_object")
        ):
            self.format = _FORMATS[_FORMATS.index(self.format) + 1]
        else:
            return False
        return True


class ModelEndpoint:
    """
    :param settings: address, model and limits
    :raises ModelFailure: ``no key``: OpenAI's own endpoint needs one
    """

    def __init__(self, settings: LlmSettings) -> None:
        self._settings = settings
        # OpenAI's own models refuse the old name, most other servers know no other.
        own = settings.base_url is None
        self._dialect = _Dialect(limit="max_completion_tokens" if own else "max_tokens")
        self._client: AsyncOpenAI | None = None
        self._key = key_for(settings)

    def prepare(self) -> None:
        """Import and build the client; takes a second, so not in the event loop."""
        import httpx2
        from openai import AsyncOpenAI

        settings = self._settings
        proxied = secret_keys.may_be_proxied(settings.base_url or OPENAI_URL)
        self._client = AsyncOpenAI(
            api_key=self._key or "none",
            base_url=settings.base_url or OPENAI_URL,
            # Retried here, so that every request passes the budget.
            max_retries=0,
            timeout=httpx2.Timeout(settings.timeout_s, connect=min(5.0, settings.timeout_s)),
            http_client=httpx2.AsyncClient(
                follow_redirects=False,
                verify=trusted(proxied),
                trust_env=proxied,
            ),
        )

    async def close(self) -> None:
        """Close its connections."""
        if self._client is not None:
            await self._client.close()

    async def ask(
        self,
        messages: Messages,
        reserve: Callable[[], Awaitable[_Held]],
        settle: Callable[[_Held, tuple[int, int] | None], None],
    ) -> Reply:
        """
        :param reserve: called before every request; may raise ``ModelFailure``
        :param settle: called after every request, with the tokens it took if that is known
        :raises ModelFailure: no answer
        """
        refused = 0
        for attempt in range(_RETRIES + _ADAPTATIONS + 1):
            held = await reserve()
            tokens: tuple[int, int] | None = None
            try:
                reply = await self._request(messages)
                tokens = reply.tokens
                return reply
            except _Again as again:
                tokens = (0, 0)
                if again.adapted:
                    continue
                refused += 1
                if refused > _RETRIES or attempt == _RETRIES + _ADAPTATIONS:
                    raise again.failure from None
                await asyncio.sleep(again.wait_s)
            except _Paid as useless:
                tokens = useless.tokens
                raise
            except ModelFailure as failure:
                # An error costs nothing; one who answers too late may charge all the same.
                tokens = None if failure.kind == "timeout" else (0, 0)
                raise
            finally:
                settle(held, tokens)
        raise ModelFailure("request refused", "the server takes no form of the request")

    async def _request(self, messages: Messages) -> Reply:
        import openai

        assert self._client is not None
        chat: Any = messages
        asked = replace(self._dialect)
        try:
            completion = await self._client.chat.completions.create(
                model=self._settings.model,
                messages=chat,
                **self._dialect.parameters(self._settings),
            )
        except openai.APITimeoutError:
            raise ModelFailure("timeout", "no answer in time") from None
        except openai.APIConnectionError as error:
            cause = type(error.__cause__ or error).__name__
            raise _Again(ModelFailure("unreachable", cause), 0.5) from None
        except openai.APIStatusError as error:
            raise self._refusal(error, asked) from None
        except (openai.OpenAIError, ValueError, TypeError) as error:
            raise ModelFailure("malformed", f"not an API answer ({type(error).__name__})") from None
        try:
            return _reply(completion)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
            detail = f"not an API answer ({type(error).__name__})"
            raise _Paid("malformed", detail, None) from None

    def _refusal(self, error: "APIStatusError", asked: _Dialect) -> Exception:
        status = error.status_code
        # The server's own words may quote the request; they go no further than a look.
        complaint = error.response.text[:4_000]
        if status in (400, 422):
            # Requests at the same time: another one may have adapted already.
            adapted = (
                self._dialect != asked
                or self._dialect.give_up(str(getattr(error, "param", None) or ""))
                or self._dialect.give_up(complaint)
            )
            failure = ModelFailure("request refused", f"HTTP {status}")
            return _Again(failure, 0.0, adapted=True) if adapted else failure
        if status in (401, 403):
            return ModelFailure("key refused", f"HTTP {status}")
        if status == 429:
            wait_s = _retry_after_s(error)
            failure = ModelFailure("rate limited", "HTTP 429")
            return failure if wait_s > _LONGEST_WAIT_S else _Again(failure, wait_s)
        if status >= 500:
            return _Again(ModelFailure("server error", f"HTTP {status}"), 0.5)
        return ModelFailure("request refused", f"HTTP {status}")


class _Again(Exception):
    """The same question may be answered at another attempt."""

    def __init__(self, failure: ModelFailure, wait_s: float, *, adapted: bool = False) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.wait_s = wait_s
        self.adapted = adapted


def _retry_after_s(error: "APIStatusError") -> float:
    try:
        return max(0.0, float(error.response.headers.get("retry-after", 1.0)))
    except ValueError:
        return 1.0


def _reply(completion: Any) -> Reply:
    usage = getattr(completion, "usage", None)
    tokens: Any = None
    told = getattr(usage, "prompt_tokens", None), getattr(usage, "completion_tokens", None) or 0
    # What cannot be counts as not told, and is charged as all that was reserved.
    if all(isinstance(n, int) and 0 <= n <= _MOST_TOKENS for n in told):
        tokens = told
    choices = getattr(completion, "choices", None)
    if not choices:
        raise _Paid("empty", "the answer has no choices", tokens)
    choice = choices[0]
    message = choice.message
    if getattr(message, "refusal", None) or choice.finish_reason == "content_filter":
        raise _Paid("refused", "the model refused", tokens)
    text = _text_of(message.content)
    silent = says_nothing(text)
    if choice.finish_reason == "length":
        detail = _ONLY_THOUGHT if silent else "the answer was cut off (llm.max_answer_tokens)"
        raise _Paid("too long", detail, tokens)
    thoughts = getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None)
    if silent and thoughts:
        raise _Paid("empty", "the model only thought (llm.reasoning_effort)", tokens)
    return Reply(text, tokens)


def _text_of(content: Any) -> str:
    """A message is a text, or a list of parts of which some are thoughts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part for part in parts if isinstance(part, dict) and part.get("type") in _SAID]
    return "\n".join(part["text"] for part in texts if isinstance(part.get("text"), str))


class _Paid(ModelFailure):
    """A useless answer that was paid for all the same."""

    def __init__(self, kind: str, detail: str, tokens: tuple[int, int] | None) -> None:
        super().__init__(kind, detail)
        self.tokens = tokens


def key_for(settings: LlmSettings) -> str | None:
    """
    The key to send. It travels encrypted or not at all: to another machine over plain http,
    none is sent.

    :raises ModelFailure: OpenAI's own endpoint needs one
    """
    key = secret_keys.key(secret_keys.OPENAI)
    if settings.base_url is None:
        if key is None:
            raise ModelFailure("no key", f"{secret_keys.OPENAI} is not set")
        return key
    return key if secret_keys.may_travel(settings.base_url) else None
