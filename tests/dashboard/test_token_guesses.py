"""What one client may do."""

import logging

import pytest

from liq_provider.dashboard.token_guesses import Guesses, OncePerMinute, client_of


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, "unknown"),
        ("a unix socket", "a unix socket"),
    ],
)
def test_a_client_is_an_address_or_a_network_of_ipv6(host: str | None, client: str) -> None:
    assert client_of(host) == client


def test_wrong_tokens_count_against_whoever_sends_them_and_for_a_minute() -> None:
    now = [0]
    guesses = Guesses(lambda: now[0])
    assert [guesses.wrong("a") for _ in range(40)] == [True] * 30 + [False] * 10
    assert guesses.wrong("b")
    now[0] = 60_001
    assert guesses.wrong("a")


def test_clients_are_forgotten_before_they_fill_the_memory() -> None:
    guesses = Guesses(lambda: 0)
    for n in range(10_000):
        guesses.wrong(str(n))
    assert len(guesses._wrong) == 2_048


def test_each_kind_is_said_once_in_a_minute() -> None:
    now = [0.0]
    once = OncePerMinute(lambda: now[0])

    def said(text: str, *values: object) -> bool:
        return once.filter(logging.LogRecord("x", 20, "x", 1, text, values, None))

    assert said("failed: %s", 1) and not said("failed: %s", 2) and said("other")
    now[0] = 61.0
    assert said("failed: %s", 3)
