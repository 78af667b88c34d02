"""Whose a page is."""

import pytest

from liq_provider.news.domains import registered_domain


@pytest.mark.parametrize(
    ("place", "domain"),
    [
        ("https://www.coindesk.com/markets/1", "coindesk.com"),
        ("https://user@News.Example.co.uk:8443/x", "example.co.uk"),
        ("a.b.example.com.br", "example.com.br"),
        ("example.org.", "example.org"),
        ("https://co.uk/", "co.uk"),
        ("http://192.0.2.7:1200/feed", "192.0.2.7"),
        ("http://[2001:db8::1]/feed", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("localhost", "localhost"),
        ("WWW.Example.COM", "example.com"),
        ("https://www.bücher.example/1", "xn--bcher-kva.example"),
        ("https://[broken", ""),
        ("", ""),
    ],
)
def test_a_domain_is_what_somebody_registered(place: str, domain: str) -> None:
    assert registered_domain(place) == domain
    assert registered_domain(domain) == domain, "once more changes nothing"
