"""Text from strangers becomes one plain line."""

import pytest

from liq_provider.core.plaintext import plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bitcoin <b>falls</b>", "Bitcoin falls"),
        ("<script>alert(1)</script>x", "alert(1) x"),
        ("&lt;script&gt;x&lt;/script&gt;", "x"),
        ("&amp;lt;img src=x&amp;gt;y", "y"),
        ("a\x00b\x1b[31mc\nd\te", "a b [31mc d e"),
        ("a\u202eb\u200bc\ufeff", "abc"),
        ("\uff22\uff54\uff43", "Btc"),
        ("unclosed <tag", "unclosed tag"),
        ("`code`", "code"),
        ("e\u0301\u0301\u0301\u0301\u0301", "é\u0301\u0301"),
        ("", ""),
    ],
)
def test_markup_and_invisible_characters_go(text: str, expected: str) -> None:
    assert plain(text, 100) == expected


def test_long_text_is_cut() -> None:
    assert plain("word " * 100, 20) == "word word word word…"
    assert len(plain("x" * 1_000_000, 200)) == 200


@pytest.mark.parametrize(
    "text",
    [
        "KEY",
        "says KEY",
        "x" * 90 + "KEY",
        "x" * 19_990 + "KEY",
        "<b>" * 6_663 + "KEY",
        "sk-pla\u200bnted-in-a-title",
        "sk-pla&#110;ted-in-a-title",
        "sk-pla\uff4eted-in-a-title",
    ],
)
def test_no_part_of_a_key_is_left(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-in-a-title")
    assert "sk-pla" not in plain(text.replace("KEY", "sk-planted-in-a-title"), 100)
