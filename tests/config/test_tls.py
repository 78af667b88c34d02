"""Certificates are read once, not for every client."""

import httpx2
import pytest

from liq_provider.config import tls
from liq_provider.config.sections import LlmSettings
from liq_provider.judge.model_http import ModelEndpoint


def test_a_second_judge_does_not_read_the_certificates_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "planted")
    read = []
    make = httpx2.create_ssl_context

    def note(**kwargs: bool) -> object:
        read.append(kwargs)
        return make(**kwargs)

    monkeypatch.setattr(httpx2, "create_ssl_context", note)
    tls.trusted.cache_clear()
    for _ in range(2):
        ModelEndpoint(LlmSettings()).prepare()
    assert read == [{"trust_env": True}]


def test_within_the_machine_the_environment_does_not_say_whom_to_trust(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    tls.trusted.cache_clear()
    try:
        with pytest.raises(OSError):
            tls.trusted(True)
        assert tls.trusted(False).verify_mode.name == "CERT_REQUIRED"
    finally:
        tls.trusted.cache_clear()
