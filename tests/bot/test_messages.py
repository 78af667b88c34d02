"""Whatever stands in a message, Telegram can read it, and nothing in it is more than text."""

import pytest

from liq_provider.bot.messages import LIMIT, Message, code, with_tail
from tests.bot.markdown import Refused, shown

HOSTILE = (
    "max_staleness_s",
    "*bold* _it_ `code` [free coins](https://evil.example)",
    "```\nrm\n```",
    "/forceexit all @everybody #tag https://evil.example",
    "<b>html</b> &lt;i&gt;",
    "one ` lone back tick",
    "a wide \uff40 and a Greek \u1fef one",
    "right\u202eleft \x00\x1b[31mred",
    "\\` \\_ \\",
    "",
    "x" * 5_000,
)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_strangers_text_stays_in_its_code_span(text: str) -> None:
    span = code(text, 100)
    assert span.startswith("`") and span.endswith("`")
    assert span.count("`") == 2
    assert 2 < len(span) <= 102
    assert "\n" not in span
    assert shown(f"before {span} after") == f"before {span[1:-1]} after"


@pytest.mark.parametrize("text", HOSTILE)
def test_our_words_with_a_strangers_tail_have_room(text: str) -> None:
    message = with_tail("LiqTrend: said by somebody: ", text)
    assert len(message) <= LIMIT
    assert Message(message).sendable == message


@pytest.mark.parametrize("text", [text for text in HOSTILE if text])
def test_what_was_not_foreseen_does_not_break_a_message(text: str) -> None:
    sendable = Message(f"LiqTrend: {text}").sendable
    assert len(sendable) <= LIMIT
    shown(sendable)


def test_a_message_that_is_fine_is_sent_as_it_is() -> None:
    text = "LiqTrend: no entries, `max_staleness_s`. Stops and exits go on."
    assert Message(text).sendable == text


def test_telegram_would_refuse_a_lone_underscore() -> None:
    with pytest.raises(Refused, match="byte offset 3"):
        shown("max_staleness")
