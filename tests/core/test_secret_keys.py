"""Keys stay where they are."""

import logging

import pytest

from liq_provider.core import secret_keys
from liq_provider.core.secret_keys import RedactingFormatter, key, redact


def test_a_key_is_replaced_by_its_name() -> None:
    environ = {"OPENAI_API_KEY": " sk-planted-1 ", "BRAVE_API_KEY": "brv-planted"}
    assert key("OPENAI_API_KEY", environ) == "sk-planted-1"
    assert redact("a sk-planted-1 b brv-planted", environ) == "a [OPENAI_API_KEY] b [BRAVE_API_KEY]"


def test_an_empty_key_is_none() -> None:
    assert key("OPENAI_API_KEY", {"OPENAI_API_KEY": "  "}) is None
    assert redact("text", {"OPENAI_API_KEY": "  "}) == "text"


def test_log_lines_and_tracebacks_hold_no_key(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-2")
    try:
        raise ValueError("refused sk-planted-2")
    except ValueError:
        import sys

        record = logging.LogRecord("x", 40, "f", 1, "key %s", ("sk-planted-2",), sys.exc_info())
    text = RedactingFormatter("%(message)s").format(record)
    assert "sk-planted-2" not in text
    assert "refused [OPENAI_API_KEY]" in text


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://api.example.com/v1", True),
        ("http://127.0.0.1:11434/v1", True),
        ("http://[::1]/v1", True),
        ("http://localhost/v1", True),
        ("http://api.example.com/v1", False),
        ("http://10.0.0.7/v1", False),
        ("http://localhost.example.com/v1", False),
    ],
)
def test_a_key_travels_encrypted_or_stays_on_the_machine(url: str, may: bool) -> None:
    assert secret_keys.may_travel(url) is may
