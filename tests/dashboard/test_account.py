"""What the page makes of the bot's own words."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

import pytest

from liq_provider.bot.stops import StopRules, stops
from liq_provider.config.settings import Settings
from liq_provider.dashboard.account import Account, BotAddress, position

SETTINGS = Settings()


def trade(**changes: Any) -> dict[str, Any]:
    values = {
        "trade_id": 1,
        "pair": "BTC/USDT:USDT",
        "is_short": True,
        "open_rate": 100.0,
        "current_rate": 98.0,
        "min_rate": 97.0,
        "max_rate": 101.0,
        "stake_amount": 50.0,
        "open_timestamp": 1,
        "leverage": 3.0,
        "enter_tag": "liq_short_strong_high",
        "stop_loss_abs": 97.97,
        "total_profit_abs": 3.0,
    }
    return values | changes


def test_a_short_is_measured_from_its_lowest_price() -> None:
    shown = position(trade(), {}, SETTINGS)
    assert shown["profit"] == pytest.approx(0.02)
    assert shown["best_profit"] == pytest.approx(0.03)
    assert shown["drawdown"] == pytest.approx(0.01)
    assert shown["trailing"] == pytest.approx(97.97)
    assert shown["fallback"] == pytest.approx(102.0)
    assert shown["binds"] == "trailing"
    assert shown["distance"] == pytest.approx(97.97 / 98 - 1)


def test_a_long_that_never_gained_has_only_its_fallback() -> None:
    shown = position(
        trade(is_short=False, current_rate=99.0, max_rate=100.0, min_rate=98.5), {}, SETTINGS
    )
    assert (shown["trailing"], shown["binds"]) == (None, "fallback")
    assert shown["fallback"] == pytest.approx(98.0)
    assert shown["best_profit"] == 0 and shown["drawdown"] == pytest.approx(0.01)
    assert shown["distance"] == pytest.approx(1 - 98 / 99)


def test_the_stops_are_those_that_the_strategy_computes() -> None:
    kept = {"stops": {"trailing_pct": 0.02, "trailing_arm_pct": 0.005, "fallback_pct": 0.05}}
    shown = position(trade(), kept, SETTINGS)
    same = stops(100.0, 97.0, True, StopRules(0.02, 0.005, 0.05))
    assert (shown["fallback"], shown["trailing"]) == (same.fallback, same.trailing)


@pytest.mark.parametrize(
    ("kept", "score"),
    [
        ({}, None),
        ({"z": 9.0}, "z 9.0"),
        ({"z": 0.985, "zscore": "percentile"}, "larger than 98.5% of its baseline"),
    ],
)
def test_what_a_wave_was_measured_by_is_told_by_its_name(
    kept: dict[str, Any], score: str | None
) -> None:
    assert position(trade(), kept, SETTINGS)["score"] == score


def test_a_trade_just_filled_has_no_best_price_yet() -> None:
    shown = position(trade(min_rate=None, max_rate=0.0, current_rate=None), {}, SETTINGS)
    assert shown["profit"] is None and shown["drawdown"] is None and shown["distance"] is None
    assert shown["best_profit"] == 0


@pytest.mark.parametrize(
    ("section", "url"),
    [
        (None, None),
        ({"enabled": False, "listen_port": 1}, None),
        ({"enabled": True}, "http://127.0.0.1:8080"),
        ({"enabled": True, "listen_ip_address": "0.0.0.0"}, "http://127.0.0.1:8080"),
        ({"enabled": True, "listen_ip_address": "::1", "listen_port": 5}, "http://[::1]:5"),
    ],
)
def test_the_bots_address_is_that_of_its_configuration(section: Any, url: str | None) -> None:
    address = BotAddress.of(section)
    assert (None if address is None else address.url) == url


def test_a_bot_that_does_not_answer_is_said_in_words_without_its_password() -> None:
    account = Account(BotAddress("http://127.0.0.1:9", "user", "planted-password"))
    report = account.report(SETTINGS)
    assert report == {"error": "the bot does not answer"}
    assert account.trades() == []


class Api:
    """Something that answers where the bot should."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                name = self.path.partition("?")[0].rpartition("/")[2]
                status, body = answers.get(name, (502, {"error": "Error querying"}))
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def answers(state: str = "running", **changes: Any) -> dict[str, Any]:
    replies = {
        "show_config": {"state": state, "dry_run": True, "bot_name": "b", "stake_currency": "USDT"},
        "balance": {"total": 10.0, "total_bot": 9.0},
        "whitelist": {"whitelist": ["BTC/USDT:USDT"]},
        "status": [],
        "count": {"current": 0, "max": 3},
        "profit": {"profit_closed_coin": 1.0, "closed_trade_count": 4},
        "trades": {"trades": []},
    } | changes
    return {name: (200, body) for name, body in replies.items() if body is not None}


def test_a_stopped_bot_is_no_failure_but_an_error_is_no_number() -> None:
    with Api(answers("stopped", count=None)) as api:
        report = Account(BotAddress(api.url, "u", "p")).report(SETTINGS)
        assert report["error"] is None and report["count"] is None and report["state"] == "stopped"
    with Api(answers(profit=None)) as api:
        assert "Error querying" in Account(BotAddress(api.url, "u", "p")).report(SETTINGS)["error"]


@pytest.mark.parametrize("nonsense", [[], "text", 5])
def test_what_is_no_freqtrade_is_said(nonsense: Any) -> None:
    with Api(answers(show_config=nonsense)) as api:
        report = Account(BotAddress(api.url, "u", "p")).report(SETTINGS)
    assert report["error"] == "what answers is no Freqtrade"


def test_after_a_failure_the_last_numbers_stand_with_their_time() -> None:
    with Api(answers()) as api:
        account = Account(BotAddress(api.url, "u", "p"))
        first = dict(account.report(SETTINGS))
    later = account.report(SETTINGS)
    assert later["balance"] == 10.0 and later["known_ms"] == first["known_ms"]
    assert later["error"] == "the bot does not answer"


def test_the_newest_trades_are_asked_for() -> None:
    with Api(answers()) as api:
        Account(BotAddress(api.url, "u", "p")).trades()
        (asked,) = [path for path in api.asked if "trades" in path]
    assert "limit=200" in asked and "order_by_id=False" in asked


def test_no_proxy_of_the_environment_is_given_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    with Api({}) as proxy, Api(answers()) as api:
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert Account(BotAddress(api.url, "u", "planted")).report(SETTINGS)["error"] is None
        assert not proxy.asked


def test_price_beyond_the_best_that_freqtrade_noted_is_no_negative_drawdown() -> None:
    shown = position(trade(current_rate=95.0), {}, SETTINGS)
    assert shown["drawdown"] == 0 and shown["best_profit"] == pytest.approx(0.05)


def test_what_costs_the_bot_most_is_asked_again_when_a_trade_opens_or_closes() -> None:
    given = answers(**{"custom-data": []})
    with Api(given) as api:
        account = Account(BotAddress(api.url, "u", "p"))

        def asked() -> list[str]:
            api.asked.clear()
            assert account.report(SETTINGS)["error"] is None
            return sorted(path.partition("?")[0].rpartition("/")[2] for path in api.asked)

        first = asked()
        assert account.whitelist == {"BTC/USDT:USDT"}
        assert asked() == ["count", "status"]
        given["status"] = (200, [trade()])
        assert {*first} < {*asked()}
        report = account.report(SETTINGS)
    assert report["profit_open"] == 3.0 and report["profit"]["closed_trade_count"] == 4
