"""Addresses at which something else is served than a venue's liquidations."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from liq_provider.cli import main
from liq_provider.config import lookalikes
from liq_provider.config.address import check_url
from liq_provider.config.lookalikes import right_url
from liq_provider.config.settings import load_settings
from liq_provider.errors import SettingsError
from liq_provider.sidecar.sidecar_config import SidecarConfig
from liq_provider.venues import VENUES
from liq_provider.venues.base import Endpoint
from liq_provider.venues.places import Addresses, Place

RIGHT = {
    "binance": "wss://fstream.binance.com/market/ws/!forceOrder@arr",
    "bybit": "wss://stream.bybit.com/v5/public/linear",
    "gate": "wss://fx-ws.gateio.ws/v4/ws/usdt",
    "okx": "wss://ws.okx.com:8443/ws/v5/public",
}

REFUSED = [
    # Binance: dead, another market, another exchange, not all coins
    ("binance", "url", "wss://fstream.binance.com/ws/!forceOrder@arr", "silent since"),
    ("binance", "url", "wss://fstream.binance.com/ws/%21forceOrder%40arr", "silent since"),
    ("binance", "url", "wss://FSTREAM.binance.com.:443/ws/!forceOrder@arr/", "silent since"),
    ("binance", "url", "wss://fstream.binance.com/stream?streams=!forceOrder@arr", "silent since"),
    ("binance", "url", "wss://fstream.binance.com/ws", "silent since"),
    ("binance", "url", "wss://fstream.binance.com/market/ws", "does not name"),
    ("binance", "url", "wss://fstream.binance.com/market/ws/btcusdt@forceOrder", "does not name"),
    ("binance", "url", "wss://fstream.binance.com/market/stream?streams=a@b", "does not name"),
    ("binance", "url", "wss://fstream.binance.com/public/ws/!forceOrder@arr", "is not binance's"),
    ("binance", "url", "wss://fstream.binance.com", "is not binance's"),
    ("binance", "url", "wss://dstream.binance.com/ws/!forceOrder@arr", "COIN-M"),
    ("binance", "url", "wss://stream.binance.com:9443/ws/!forceOrder@arr", "spot"),
    ("binance", "url", "wss://nbstream.binance.com/eoptions/ws", "options"),
    ("binance", "url", "wss://fstream.asterdex.com/ws/!forceOrder@arr", "Aster's"),
    ("binance", "url", "wss://stream.bybit.com/v5/public/linear", "bybit's"),
    ("binance", "url", "wss://fstream.binancefuture.com/ws/!forceOrder@arr", "test environment"),
    ("binance", "rest_url", "https://api.binance.com", "spot"),
    ("binance", "rest_url", "https://dapi.binance.com", "COIN-M"),
    ("binance", "rest_url", "https://eapi.binance.com", "options"),
    ("binance", "rest_url", "https://fapi.asterdex.com", "Aster's"),
    ("binance", "rest_url", "https://fapi.binance.com/fapi/v1", "has a path"),
    ("binance", "rest_url", "https://testnet.binancefuture.com", "test environment"),
    # Bybit
    ("bybit", "url", "wss://stream.bybit.com/v5/public/inverse", "inverse"),
    ("bybit", "url", "wss://stream.bytick.com/v5/public/spot", "spot"),
    ("bybit", "url", "wss://stream.bybit.com/v5/public/option", "options"),
    ("bybit", "url", "wss://stream.bybit.com/realtime_public", "old Bybit interface"),
    ("bybit", "url", "wss://stream.bybit.com/contract/usdt/public/v3", "old Bybit interface"),
    ("bybit", "url", "wss://stream.bybit.com/v5/private", "is not bybit's"),
    ("bybit", "url", "wss://stream-testnet.bybit.com/v5/public/linear", "test environment"),
    ("bybit", "url", "wss://stream-demo.bybit.com/v5/public/linear", "test environment"),
    ("bybit", "rest_url", "https://api-testnet.bybit.com", "test environment"),
    ("bybit", "rest_url", "https://api-demo.bybit.com", "test environment"),
    ("bybit", "rest_url", "https://stream.bybit.com", "is not bybit's"),
    # OKX
    ("okx", "url", "wss://wspap.okx.com:8443/ws/v5/public", "test environment"),
    ("okx", "url", "wss://wseeapap.okx.com:8443/ws/v5/public", "test environment"),
    ("okx", "url", "wss://ws.okx.com:8443/ws/v5/public?brokerId=9999", "test environment"),
    ("okx", "url", "wss://ws.okx.com:8443/ws/v5/business", "other things"),
    ("okx", "url", "wss://ws.okx.com:8443/ws/v5/private", "other things"),
    ("okx", "url", "wss://real.okex.com:8443/ws/v3", "old name"),
    ("okx", "url", "wss://ws.okx.com:8443/", "is not okx's"),
    ("okx", "rest_url", "https://www.okex.com", "old name"),
    ("okx", "rest_url", "https://www.okx.com/api/v5", "has a path"),
    # Gate
    ("gate", "url", "wss://fx-ws.gateio.ws/v4/ws/btc", "coin-margined"),
    ("gate", "url", "wss://fx-ws.gateio.ws/v4/ws/usd1", "USD1"),
    ("gate", "url", "wss://fx-ws.gateio.ws/v4/ws/delivery/usdt", "dated"),
    ("gate", "url", "wss://api.gateio.ws/ws/v4/", "spot"),
    ("gate", "url", "wss://fx-ws-testnet.gateio.ws/v4/ws/usdt", "test environment"),
    ("gate", "rest_url", "https://fx-api-testnet.gateio.ws", "test environment"),
    ("gate", "rest_url", "https://api.gateio.ws/api/v4", "has a path"),
]


@pytest.mark.parametrize(("venue", "key", "url", "why"), REFUSED)
def test_what_only_looks_like_the_feed_is_refused_by_name_with_the_right_one(
    venue: str, key: str, url: str, why: str
) -> None:
    with pytest.raises(SettingsError) as told:
        load_settings({"liq_provider": {"venues": {venue: {key: url}}}}, {})
    message = str(told.value)
    assert message.startswith(f"liq_provider.venues.{venue}.{key}: ")
    # An exchange that becomes a venue is called by the venue's name.
    assert why.lower() in message.lower()
    if "test environment" not in why:
        assert right_url(venue, key) in message


@pytest.mark.parametrize(
    ("venue", "key", "url"),
    [
        *((name, "url", url) for name, url in RIGHT.items()),
        *((name, key, right_url(name, key)) for name in VENUES for key in ("url", "rest_url")),
        ("binance", "url", "wss://fstream.binance.com/market/stream?streams=!forceOrder@arr"),
        ("binance", "url", "wss://fstream.binance.com/market/stream?streams=x@y/!forceOrder@arr"),
        ("binance", "url", "wss://fstream.binance.com/market/ws/%21forceOrder%40arr"),
        ("binance", "url", "ws://127.0.0.1:18900/ws/!forceOrder@arr"),
        ("binance", "url", "wss://relay.example.org:9443/ws/!forceOrder@arr"),
        ("binance", "url", "wss://fstream.binance.com.example.org/ws/!forceOrder@arr"),
        ("binance", "rest_url", "https://fapi1.binance.com/"),
        ("binance", "rest_url", "http://127.0.0.1:18900/fapi"),
        ("binance", "rest_url", "https://relay.example.org/api/v3"),
        ("bybit", "url", "wss://stream.bytick.com/v5/public/linear"),
        ("bybit", "rest_url", "https://api.bytick.com"),
        ("gate", "rest_url", "https://fx-api.gateio.ws"),
        ("okx", "url", "wss://wseea.okx.com:8443/ws/v5/public"),
        ("okx", "url", "wss://wsaws.okx.com:8443/ws/v5/public"),
        ("okx", "rest_url", "https://eea.okx.com"),
    ],
)
def test_right_addresses_loopback_and_hosts_that_nobody_knows_are_taken(
    venue: str, key: str, url: str
) -> None:
    load_settings({"liq_provider": {"venues": {venue: {key: url}}}}, {})


def test_two_venues_of_one_company_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    coin_m = replace(
        VENUES["binance"],
        name="coinm",
        endpoints=(Endpoint(url="wss://dstream.binance.com/ws/!forceOrder@arr"),),
        addresses=Addresses(
            owner=r"[a-z]+\.binance\.com",
            feeds=(Place(r"dstream\.binance\.com", "/ws/.*"),),
            rest_url="https://dapi.binance.com",
            apis=(Place(r"dapi\.binance\.com", ""),),
        ),
    )
    monkeypatch.setattr(lookalikes, "VENUES", {**VENUES, "coinm": coin_m})
    check_url(coin_m.endpoints[0].url, venue="coinm")
    check_url(RIGHT["binance"], venue="binance")
    with pytest.raises(SettingsError, match="is Binance's COIN-M"):
        check_url(coin_m.endpoints[0].url, venue="binance")
    with pytest.raises(SettingsError, match="is not coinm's liquidation feed"):
        check_url(RIGHT["binance"], venue="coinm")


def test_each_venues_own_addresses_are_right() -> None:
    for name, venue in VENUES.items():
        for endpoint in venue.endpoints:
            check_url(endpoint.url, venue=name)
        check_url(venue.addresses.rest_url, "rest_url", name)


DEAD = "wss://fstream.binance.com/ws/!forceOrder@arr"


@pytest.mark.parametrize("command", ["status", "doctor", "run", "stop"])
def test_every_command_refuses_the_dead_address(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"liq_provider": {"venues": {"binance": {"url": DEAD}}}}))
    assert main([command, "-c", str(path)]) == 2
    printed = capsys.readouterr()
    said = " ".join((printed.out + printed.err).split())
    assert "liq_provider.venues.binance.url: " in said
    assert "silent since April 2026" in said


def test_a_sidecar_refuses_it_too() -> None:
    section = {"venues": {"binance": {"url": DEAD}}}
    with pytest.raises(SettingsError, match="silent since April 2026"):
        SidecarConfig.of({"exchange": {"name": "binance"}, "liq_provider": section})
