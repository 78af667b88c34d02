"""What a request for candles takes, asked of the real ccxt and held against the real Freqtrade."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from freqtrade.enums import CandleType
from freqtrade.exchange import Exchange
from freqtrade.resolvers import ExchangeResolver

from liq_provider.exchange.lean_ccxt import exchange_class
from liq_provider.exchange.request_time import candle_limit, freqtrade_terms, request_time

BINANCE = {"name": "binance", "enable_ws": False}


@pytest.fixture
def freqtrades(request: pytest.FixtureRequest) -> Iterator[Exchange]:
    """Freqtrade's own object, which was not connected."""
    config: dict[str, Any] = {
        "exchange": {**request.param, "key": "", "secret": ""},
        "trading_mode": "futures",
        "margin_mode": "isolated",
        "stake_currency": "USDT",
        "dry_run": True,
        "runmode": "dry_run",
    }
    exchange = ExchangeResolver.load_exchange(config, validate=False)
    yield exchange
    exchange.close()


@pytest.mark.parametrize(
    "freqtrades",
    [
        {"name": "binance"},
        {"name": "bybit"},
        {"name": "okx"},
        {"name": "gate"},
        {"name": "hyperliquid"},
        {"name": "htx"},
        {"name": "kucoinfutures"},
        {"name": "binance", "_ft_has_params": {"ohlcv_candle_limit": 99}},
    ],
    indirect=True,
)
@pytest.mark.parametrize("timeframe", ["1m", "1h"])
def test_so_many_candles_are_asked_for_as_freqtrade_does(
    freqtrades: Exchange, timeframe: str
) -> None:
    section = freqtrades._config["exchange"]
    asked = exchange_class(section["name"])({})
    ours = candle_limit(asked, freqtrade_terms(section), timeframe)
    assert ours == Exchange.ohlcv_candle_limit(freqtrades, timeframe, CandleType.FUTURES)


def test_the_requests_of_binance_take_a_tenth_of_a_second_each() -> None:
    known = request_time(BINANCE, "1m")
    assert known is not None
    assert (known.ms, known.rolling) == (100.0, False)
    assert known.last_s(400) == 40.0


def test_fewer_candles_cost_less() -> None:
    known = request_time({**BINANCE, "_ft_has_params": {"ohlcv_candle_limit": 99}}, "1m")
    assert known is not None and known.ms == 50.0


def test_a_rolling_window_lets_many_through_at_once() -> None:
    config = {"rateLimiterAlgorithm": "rollingWindow"}
    known = request_time({**BINANCE, "ccxt_config": config}, "1m")
    assert known is not None and known.rolling
    assert (known.at_once, known.window_s) == (600, 60.0)
    assert [known.last_s(pairs) for pairs in (25, 600, 601, 1_201)] == [0.0, 0.0, 60.0, 120.0]


def test_the_configurations_own_limit_is_the_one_that_counts() -> None:
    slower = {"ccxt_config": {"rateLimit": 10}, "ccxt_async_config": {"rateLimit": 200}}
    known = request_time({**BINANCE, **slower}, "1m")
    assert known is not None and known.ms == 400.0
    off = request_time({**BINANCE, "ccxt_config": {"enableRateLimit": False}}, "1m")
    assert off is not None and off.last_s(1_000) == 0.0


@pytest.mark.parametrize("name", ["bybit", "okx", "gate", "hyperliquid", "bitget", "krakenfutures"])
def test_the_cost_is_known_for_other_exchanges(name: str) -> None:
    known = request_time({"name": name, "enable_ws": False}, "1m")
    assert known is not None and 5 < known.ms < 2_000


def test_candles_that_come_by_websocket_are_not_asked_for() -> None:
    assert request_time({"name": "bybit"}, "1m") is None
    assert request_time({"name": "bybit", "enable_ws": False}, "1m") is not None


def test_nothing_is_known_of_an_exchange_that_is_none() -> None:
    assert request_time({"name": "nowhere"}, "1m") is None
    assert request_time({}, "1m") is None


def test_nothing_is_asked_of_a_network(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it asked")

    monkeypatch.setattr("requests.Session.request", refuse)
    monkeypatch.setattr("requests.Session.send", refuse)
    with caplog.at_level(logging.WARNING):
        assert request_time(BINANCE, "1m") is not None
    assert not caplog.records
