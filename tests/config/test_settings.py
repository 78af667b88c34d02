"""Settings: a wrong key is refused by its name, and secrets are not settings."""

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from liq_provider.config import sections
from liq_provider.config.settings import (
    _NOT_OF_SIDECAR,
    _OF_SIDECAR,
    Settings,
    load_settings,
    resolve_store,
)
from liq_provider.errors import SettingsError
from liq_provider.sidecar.sidecar_config import SidecarConfig
from liq_provider.venues import VENUES


def load(environ: dict[str, str] | None = None, **section: Any) -> Any:
    return load_settings({"liq_provider": section}, environ or {})


def test_the_defaults_are_valid() -> None:
    settings = load()
    assert load_settings({}, {}) == settings
    assert (settings.settle_ms, settings.max_entry_delay_ms) == (2_000, 30_000)
    assert settings.baseline_segments == 288
    assert settings.venues.enabled == ("binance", "bybit", "okx")


@pytest.mark.parametrize(
    "name",
    [
        *("of", "enabled", "copy", "json", "model_config", "model_fields", "with-dash", "class"),
        *("venue", "venue_okx", "judge", "news", "names"),
    ],
)
def test_a_venue_may_be_called_as_anything(name: str) -> None:
    made = sections._made_of(
        [replace(VENUES["okx"], name="other"), replace(VENUES["gate"], name=name)]
    )
    chosen = made.model_validate({name: {"enabled": True, "url": None}})
    assert chosen.enabled == tuple(sorted(["other", name]))
    assert chosen.of(name).enabled and chosen.of("other").enabled
    assert made().enabled == ("other",)
    assert chosen.model_dump().keys() == {"other", name}
    assert made.model_validate(chosen.model_dump()) == chosen
    assert pickle.loads(pickle.dumps(chosen.of(name))) == chosen.of(name)
    with pytest.raises(ValidationError, match=rf"{name}\.uri"):
        made.model_validate({name: {"uri": ""}})


def test_settings_survive_being_written_down() -> None:
    settings = load(venues={"gate": {"enabled": True}})
    assert settings.model_dump(mode="json")["venues"].keys() == VENUES.keys()
    assert load_settings({"liq_provider": settings.model_dump(mode="json")}, {}) == settings


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"z_treshold": 3}, "liq_provider.z_treshold: unknown key"),
        ({"venues": {"binance": {"uri": ""}}}, "liq_provider.venues.binance.uri: unknown key"),
        ({"venues": {"deribit": {}}}, "liq_provider.venues.deribit: unknown key"),
        ({"venues": {"kucoin": {}}}, "kucoin publishes no public liquidation feed"),
        ({"venues": 5}, "liq_provider.venues"),
        ({"judge": {"z_min": -1}}, "liq_provider.judge.z_min"),
        ({"judge": {"purity_min": 0.4}}, "liq_provider.judge.purity_min"),
        ({"settle_s": 0.4}, "liq_provider.settle_s"),
        ({"settle_s": "soon"}, "liq_provider.settle_s"),
        ({"settle_s": None}, "liq_provider.settle_s"),
        ({"max_late_s": 1}, "liq_provider.max_late_s"),
        ({"max_skew_ms": 0}, "liq_provider.max_skew_ms"),
        ({"max_staleness_s": 10}, "liq_provider.max_staleness_s"),
        ({"max_entry_delay_s": 1}, "liq_provider.max_entry_delay_s"),
        ({"min_event_usd": -1}, "liq_provider.min_event_usd"),
        ({"min_event_usd": float("nan")}, "liq_provider.min_event_usd"),
        ({"segment_min": 0}, "liq_provider.segment_min"),
        ({"segment_min": 2.5}, "liq_provider.segment_min"),
        ({"baseline_hours": 0}, "liq_provider.baseline_hours"),
        ({"baseline_hours": 1, "segment_min": 90}, "baseline_hours"),
        ({"min_baseline_segments": 300}, "min_baseline_segments (300)"),
        ({"min_active_segments": 300}, "min_active_segments (300)"),
        ({"min_count": -1}, "liq_provider.min_count"),
        ({"zscore": "modern"}, "liq_provider.zscore"),
        ({"z_threshold": 0}, "liq_provider.z_threshold"),
        ({"z_threshold": 6}, "z_strong must not be below z_threshold"),
        ({"purity_threshold": 0.95}, "purity_strong must not be below purity_threshold"),
        ({"purity_strong": 1.1}, "liq_provider.purity_strong"),
        ({"direction_mode": "both"}, "liq_provider.direction_mode"),
        ({"trend_candles": 1}, "liq_provider.trend_candles"),
        ({"leverage": 0.5}, "liq_provider.leverage"),
        ({"trailing_pct": 0}, "liq_provider.trailing_pct"),
        ({"fallback_pct": 1}, "liq_provider.fallback_pct"),
        ({"on_upgrade": "double"}, "liq_provider.on_upgrade"),
        ({"backtest_entry": "close"}, "liq_provider.backtest_entry"),
        ({"log_level": "LOUD"}, "liq_provider.log_level"),
        ({"idle_exit_min": 0}, "liq_provider.idle_exit_min"),
        (
            {"venues": {name: {"enabled": False} for name in ("binance", "bybit", "okx")}},
            "venues: enable at least one",
        ),
        ({"store": "mysql://host/db"}, "liq_provider.store: use sqlite"),
        ({"store": "postgresql://host/db"}, "postgresql+psycopg://host/name"),
        ({"store": "no url"}, "liq_provider.store: not a database URL"),
        ({"store": "sqlite://"}, "liq_provider.store: bot and sidecar share a file"),
        ({"store": "sqlite:///:memory:"}, "liq_provider.store: bot and sidecar share a file"),
    ],
)
def test_what_is_wrong_is_refused_with_its_key(section: dict[str, Any], key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(**section)
    assert key in str(caught.value)
    assert "liq_provider" in str(caught.value)


def test_every_wrong_key_gets_a_line() -> None:
    with pytest.raises(SettingsError) as caught:
        load(settle_s=0, leverage=0, colour="red")
    assert len(str(caught.value).splitlines()) == 3


def test_a_section_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="liq_provider: must be a section"):
        load_settings({"liq_provider": [1]}, {})


@pytest.mark.parametrize(
    "store",
    [
        "postgresql+psycopg://user:topsecret@host/db",
        "postgresql+psycopg://host/db?password=topsecret",
        "postgresql+psycopg://user:top:topsecret/db",
        "postgresql+psycopg://user:x@host:topsecret/db",
        "mysql://user:topsecret@host/db",
    ],
)
def test_a_password_in_the_address_is_refused_without_repeating_it(store: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(store=store)
    assert "topsecret" not in str(caught.value)
    assert "liq_provider.store" in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_environment_overrides() -> None:
    section = {"settle_s": 3, "venues": {"bybit": {"enabled": True, "url": "wss://x/"}}}
    environ = {
        "LIQ_PROVIDER__SETTLE_S": "1.5",
        "LIQ_PROVIDER__VENUES__BYBIT__ENABLED": "false",
        "LIQ_PROVIDER__JUDGE__Z_MIN": "4",
        "LIQ_PROVIDER_TOKEN": "not a setting",
        "PATH": "/bin",
    }
    settings = load(environ, **section)
    assert settings.settle_s == 1.5
    assert settings.venues.enabled == ("binance", "okx")
    assert settings.venues.of("bybit").url == "wss://x/"
    assert settings.judge.z_min == 4
    assert section["venues"]["bybit"]["enabled"] is True  # the given configuration is not ours


def test_a_wrong_key_in_the_environment_is_refused_as_well() -> None:
    with pytest.raises(SettingsError, match=r"liq_provider\.venues\.bybit\.nope: unknown key"):
        load({"LIQ_PROVIDER__VENUES__BYBIT__NOPE": "1"})


def test_relative_stores_lie_beside_user_data(tmp_path: Path) -> None:
    settings = load(store="sqlite:///user_data/x.sqlite")
    assert resolve_store(settings, tmp_path) == f"sqlite:///{tmp_path}/user_data/x.sqlite"
    absolute = load(store="sqlite:////data/x.sqlite")
    assert resolve_store(absolute, tmp_path) == "sqlite:////data/x.sqlite"
    served = load(store="postgresql+psycopg://host/db")
    assert resolve_store(served, tmp_path) == "postgresql+psycopg://host/db"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, r"exchange\.name: missing"),
        ({"exchange": {"name": "binance"}, "timeframe": "often"}, "timeframe: 'often'"),
        ({"exchange": {"name": "binance"}, "timeframe": "1s"}, "timeframe: '1s'"),
    ],
)
def test_the_sidecar_needs_an_exchange_and_a_timeframe(
    config: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=message):
        SidecarConfig.of({"base_dir": str(tmp_path)} | config)


@pytest.mark.parametrize(
    ("key", "address", "why"),
    [
        ("url", "wss://fstream.binancefuture.com/market/ws/!forceOrder@arr", "test environment"),
        ("url", "ws://example.com/x", "unencrypted"),
        ("url", "https://example.com/x", "no websocket address"),
        ("rest_url", "https://api-testnet.bybit.com", "test environment"),
        ("rest_url", "http://example.com", "unencrypted"),
        ("rest_url", "ftp://example.com", "no web address"),
    ],
)
def test_a_venue_address_that_must_not_be_used_names_its_key(
    key: str, address: str, why: str
) -> None:
    with pytest.raises(SettingsError) as told:
        load_settings({"liq_provider": {"venues": {"binance": {key: address}}}}, {})
    assert f"liq_provider.venues.binance.{key}: " in str(told.value)
    assert why in str(told.value)


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"llm": {"base_url": "https://host.example/v1?api-key=planted"}}, "llm.base_url"),
        ({"llm": {"base_url": "https://user:planted@host.example/v1"}}, "llm.base_url"),
        ({"news": {"feeds": ["https://host.example/rss?token=planted"]}}, "news.feeds"),
        ({"news": {"feeds": ["https://host.example/rss?sig=planted"]}}, "news.feeds"),
        ({"news": {"feeds": ["https://host.example/rss#access_token=planted"]}}, "news.feeds"),
        ({"news": {"feeds": ["https://host.example/rss;key=planted"]}}, "news.feeds"),
        ({"dashboard": {"bot_url": "http://u:planted@127.0.0.1"}}, "dashboard.bot_url"),
        ({"venues": {"okx": {"url": "wss://u:planted@host.example/"}}}, "venues.okx.url"),
        (
            {"venues": {"okx": {"rest_url": "https://u:planted@host.example"}}},
            "venues.okx.rest_url",
        ),
    ],
)
def test_an_address_that_holds_a_secret_is_refused_without_repeating_it(
    section: dict[str, Any], key: str
) -> None:
    with pytest.raises(SettingsError, match=key) as refused:
        load_settings({"liq_provider": section}, {})
    assert "planted" not in str(refused.value)


def test_an_address_may_have_a_query() -> None:
    queries = ("format=xml&category=btc", "keyword=bitcoin", "keywords=btc", "author=jane")
    feeds = [f"https://host.example/rss?{query}" for query in queries]
    settings = load_settings({"liq_provider": {"news": {"feeds": feeds}}}, {})
    assert settings.news.feeds == tuple(feeds)


def test_of_each_setting_it_is_decided_whether_a_bot_is_told_that_the_sidecars_is_another() -> None:
    assert sorted(_OF_SIDECAR + _NOT_OF_SIDECAR) == sorted(Settings.model_fields)
