"""Which addresses a venue may have."""

import pytest

from liq_provider.config.address import check_url
from liq_provider.errors import SettingsError
from liq_provider.venues import VENUES


@pytest.mark.parametrize(
    "url",
    [
        *(endpoint.url for venue in VENUES.values() for endpoint in venue.endpoints),
        "wss://stream.bytick.com/v5/public/linear",
        "wss://relay.example.org:9443/binance",
        "ws://127.0.0.1:18900/ws",
        "ws://localhost:1/",
        "ws://[::1]:8080/",
        "wss://democracy.example.org/",
    ],
)
def test_real_and_loopback_addresses_are_taken(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("wss://fstream.binancefuture.com/ws", "test environment"),
        ("wss://stream.binancefuture.com/ws", "test environment"),
        ("wss://FSTREAM.BinanceFuture.com./ws", "test environment"),
        ("wss://testnet.binance.vision/ws", "test environment"),
        ("wss://stream-testnet.bybit.com/v5/public/linear", "test environment"),
        ("wss://stream-demo.bybit.com/v5/public/linear", "test environment"),
        ("wss://demo-fstream.binance.com/ws", "test environment"),
        ("wss://wspap.okx.com:8443/ws/v5/public", "test environment"),
        ("wss://wspap.okx.com:8443/ws/v5/public?brokerId=9999", "test environment"),
        ("ws://fstream.binance.com/ws", "unencrypted"),
        ("ws://10.0.0.1:80/", "unencrypted"),
        ("ws://127.0.0.1.example.org/", "unencrypted"),
        ("https://fstream.binance.com/ws", "no websocket address"),
        ("fstream.binance.com", "no websocket address"),
        ("wss://", "no websocket address"),
        ("", "no websocket address"),
        ("wss://host:port/", "no address"),
        ("wss://u:planted@host:99999/ws", "^(?!.*planted)"),
        ("ws://u:planted@[bad/ws", "^(?!.*planted)"),
        ("wss://host.example/ws?token=planted", "^(?!.*planted).*secret"),
        ("wss://user:planted@host.example/", "^holds credentials"),
        ("wss://[::1", "no address"),
    ],
)
def test_other_addresses_are_refused_with_a_reason(url: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        check_url(url)


MINUTE_MS = 60_000
