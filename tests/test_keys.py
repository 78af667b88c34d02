"""Keys stay where they are."""

import logging

from liq_provider.keys import RedactingFormatter, key, redact


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
