"""The bot as its own REST API tells it: mode, money, positions and their two stops."""

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from freqtrade_client.ft_rest_client import FtRestClient

from liq_provider.bot.stops import StopRules, Stops, stops
from liq_provider.config.parameter_file import OF_STOPS
from liq_provider.config.settings import Settings
from liq_provider.measure.scales import score_words

_TIMEOUT_S = 3.0
_SLOW_S = 10.0
_TRADES = 200
_SLOW = ("show_config", "balance", "profit", "whitelist")
_LISTS = ("status", "list_open_trades_custom_data")

# It logs every failure of every call; the page shows the latest one.
logging.getLogger("ft_rest_client").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class BotAddress:
    """
    Freqtrade's REST API.

    :param password: of its own configuration; goes nowhere but there
    """

    url: str
    username: str
    password: str

    @classmethod
    def of(cls, api_server: Mapping[str, Any] | None) -> "BotAddress | None":
        """
        :param api_server: Freqtrade's section of that name
        :return: None if it is switched off
        """
        if not api_server or not api_server.get("enabled"):
            return None
        host = str(api_server.get("listen_ip_address") or "127.0.0.1")
        host = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - any means here
        host = f"[{host}]" if ":" in host else host
        port = int(api_server.get("listen_port") or 8080)
        user, password = api_server.get("username"), api_server.get("password")
        return cls(f"http://{host}:{port}", str(user or ""), str(password or ""))


class BotUnreachable(Exception):
    """The message says why, in words for the page."""


class Account:
    """
    Asks the bot; blocks, so run it in a thread.

    :param address: None: there is no API to ask
    """

    def __init__(self, address: BotAddress | None) -> None:
        self.whitelist: frozenset[str] = frozenset()
        self._client: FtRestClient | None = None
        if address is not None:
            self._client = FtRestClient(
                address.url, address.username, address.password, timeout=_TIMEOUT_S
            )
            # A proxy of the environment would be given the password, for loopback, too.
            self._client._session.trust_env = False
        self._slow: dict[str, Any] = {}
        self._slow_s = 0.0
        self._open: set[int] = set()
        self._report: dict[str, Any] = {"error": None}

    def report(self, settings: Settings) -> dict[str, Any]:
        """
        :param settings: those in force
        :return: what the page shows; after a failure what was known before, and the reason
        """
        try:
            known_ms = round(time.time() * 1000)
            self._report = {**self._ask(settings), "error": None, "known_ms": known_ms}
        except BotUnreachable as error:
            self._report["error"] = str(error)
            self._slow_s = 0.0
        return self._report

    def trades(self) -> list[Any]:
        """:return: the bot's latest trades, open and closed; none while it does not answer"""
        if self._client is None:
            return []
        try:
            closed = self._call("trades", limit=_TRADES, order_by_id=False)["trades"]
            return [*closed, *self._call("status")]
        except BotUnreachable:
            return []

    def _ask(self, settings: Settings) -> dict[str, Any]:
        if self._client is None:
            raise BotUnreachable("api_server is not enabled in Freqtrade's configuration")
        trades = self._call("status")
        open_now = {int(trade["trade_id"]) for trade in trades}
        # These cost the bot a look at its whole history, and change with a trade's start or end.
        if open_now != self._open or time.monotonic() >= self._slow_s:
            self._slow = {name: self._call(name) for name in _SLOW}
            self.whitelist = frozenset(self._slow["whitelist"].get("whitelist", ()))
            self._slow_s = time.monotonic() + _SLOW_S
            self._open = open_now
        config, balance = self._slow["show_config"], self._slow["balance"]
        kept = self._kept(trades)
        return {
            "name": config.get("bot_name"),
            "dry_run": config.get("dry_run"),
            "state": config.get("state"),
            "exchange": config.get("exchange"),
            "strategy": config.get("strategy"),
            "stake_currency": config.get("stake_currency"),
            "balance": balance.get("total"),
            "balance_bot": balance.get("total_bot"),
            "count": self._count(),
            "profit": _profit(self._slow["profit"]),
            "profit_open": _sum(_profit_abs(trade) for trade in trades),
            "stops": _rules(settings),
            "positions": [
                position(trade, kept.get(trade["trade_id"], {}), settings) for trade in trades
            ],
        }

    def _kept(self, trades: Any) -> dict[int, dict[str, Any]]:
        """What the strategy keeps with each open trade."""
        if not trades:
            return {}
        trades_kept = self._call("list_open_trades_custom_data")
        return {
            int(trade["trade_id"]): {
                kept["key"].removeprefix("liq_"): kept["value"] for kept in trade["custom_data"]
            }
            for trade in trades_kept
        }

    def _call(self, name: str, **parameters: Any) -> Any:
        try:
            answer = getattr(self._client, name)(**parameters)
        except (requests.RequestException, ValueError) as error:
            raise BotUnreachable(f"no answer of the bot ({type(error).__name__})") from None
        if answer is None:
            raise BotUnreachable("the bot does not answer")
        if isinstance(answer, Mapping):
            refusal = answer.get("detail") or answer.get("error")
            if refusal:
                raise BotUnreachable(f"the bot refuses: {str(refusal)[:100]}")
        if not isinstance(answer, list if name in _LISTS else dict):
            raise BotUnreachable("what answers is no Freqtrade")
        return answer

    def _count(self) -> Any:
        """How many positions are open, which only a running bot tells."""
        try:
            return self._call("count")
        except BotUnreachable:
            if self._slow["show_config"].get("state") != "running":
                return None
            raise


def position(
    trade: Mapping[str, Any], kept: Mapping[str, Any], settings: Settings
) -> dict[str, Any]:
    """
    :param trade: as ``/status`` tells it
    :param kept: what the strategy keeps with it, without prefix
    :return: a line of the position monitor; shares of price, not of margin, but for
        ``profit_ratio``, which is Freqtrade's, with fees and leverage
    """
    short, entry, now = trade["is_short"], trade["open_rate"], trade.get("current_rate")
    best = (trade.get("min_rate") if short else trade.get("max_rate")) or entry
    rules = stop_rules(kept.get("stops"), settings)
    both = stops(entry, best, short, rules)
    profit = _gain(entry, now, short)
    # Freqtrade notes the best price in its own loop; price may be beyond it already.
    top = max(_gain(entry, best, short) or 0.0, profit or 0.0, 0.0)
    return {
        "id": trade["trade_id"],
        "pair": trade["pair"],
        "direction": "SHORT" if short else "LONG",
        "leverage": trade.get("leverage"),
        "stake": trade["stake_amount"],
        "opened_ms": trade["open_timestamp"],
        "entry": entry,
        "now": now,
        "profit": profit,
        "profit_abs": _profit_abs(trade),
        "profit_ratio": trade.get("profit_ratio"),
        "best": best,
        "best_profit": top,
        "drawdown": None if profit is None else top - profit,
        "fallback": both.fallback,
        "trailing": both.trailing,
        "binds": both.binding_name,
        "distance": _distance(both, now),
        "on_exchange": trade.get("stop_loss_abs"),
        "enter_tag": trade.get("enter_tag"),
        "score": _score(kept),
        "kept": dict(kept),
    }


def _score(kept: Mapping[str, Any]) -> str | None:
    """What the wave was measured by that it was entered with, in words."""
    if kept.get("z") is None:
        return None
    return score_words(kept.get("zscore", "classic"), kept["z"])


def stop_rules(kept: Any, settings: Settings) -> StopRules:
    """
    :param kept: the distances that the strategy keeps with the trade, if it does
    :return: the distances in force; the settings' where the trade does not say
    """
    given = kept if isinstance(kept, Mapping) else {}
    return StopRules(**{name: given.get(name, value) for name, value in _rules(settings).items()})


def _rules(settings: Settings) -> dict[str, float]:
    return {name: getattr(settings, name) for name in OF_STOPS}


def _gain(entry: float, rate: float | None, short: bool) -> float | None:
    return None if rate is None else (rate / entry - 1) * (-1 if short else 1)


def _distance(both: Stops, now: float | None) -> float | None:
    """How far price is from the stop that binds, as a share; negative when it was crossed."""
    if not now:
        return None
    return (both.binding / now - 1) * (1 if both.is_short else -1)


def _sum(values: Iterable[float | None]) -> float | None:
    """A part that is not known makes the whole unknown."""
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)


def _profit_abs(trade: Mapping[str, Any]) -> float | None:
    """With what was already taken out of it."""
    profit: float | None = trade.get("total_profit_abs", trade.get("profit_abs"))
    return profit


def _profit(answer: Mapping[str, Any]) -> dict[str, Any]:
    names = (
        *("profit_closed_coin", "closed_trade_count"),
        *("winning_trades", "losing_trades"),
    )
    return {name: answer.get(name) for name in names}
