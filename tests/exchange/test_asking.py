"""One question to an exchange, and what may become of it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from ccxt.base.errors import NetworkError

from liq_provider.exchange.asking import ask


def answer(question: str) -> str:
    return f"{question}: yes"


def refuse() -> None:
    raise NetworkError("okx GET https://x 451 refused")


def stumble() -> None:
    raise KeyError("result")


async def test_an_answer_or_the_reason_why_there_is_none(caplog: pytest.LogCaptureFixture) -> None:
    with ThreadPoolExecutor(1) as asking:
        assert await ask(asking, answer, "open") == ("open: yes", None)
        assert await ask(asking, refuse) == (None, "okx GET https://x 451 refused")
        assert not caplog.records
        assert await ask(asking, stumble) == (None, "KeyError('result')")
    assert "was not understood" in caplog.text
