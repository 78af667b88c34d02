"""The pair view as plotly's JSON: the picture of ``liq-provider plot``, up to this minute."""

import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import Any

from ccxt.base.errors import BadSymbol

from liq_provider.config.settings import Settings
from liq_provider.core.durations import HOUR_MS
from liq_provider.dashboard.account import Account
from liq_provider.errors import UsageError
from liq_provider.exchange.bot_exchange import BotExchange, timeframe_ms
from liq_provider.judge.rules_in_force import RulesInForce
from liq_provider.plot.records import Candles, TradeRecord
from liq_provider.store.reader import Reader

logger = logging.getLogger(__name__)

_FRESH_S = 10.0


class PairPainter:
    """
    Blocks; run it in a thread.

    :param account: whose trades are drawn
    :param now_ms: exchange time
    :param in_force: gives the rules that decisions are told by
    """

    def __init__(
        self,
        reader: Reader,
        settings: Settings,
        exchange: BotExchange,
        timeframe: str,
        account: Account,
        now_ms: Callable[[], int],
        in_force: Callable[[], RulesInForce],
    ) -> None:
        self._in_force = in_force
        self._reader = reader
        # What is running is recorded by the minute, whatever backtests are made of.
        self._settings = settings.model_copy(update={"backtest_source": "minutes"})
        self._exchange = exchange
        self._timeframe = timeframe
        self._step_ms = timeframe_ms(timeframe)
        self._account = account
        self._now_ms = now_ms
        self._drawing = Lock()
        self._made: dict[tuple[str, float, str], tuple[float, str]] = {}

    def draw(self, pair: str, hours: float, theme: str) -> str:
        """
        One at a time, and the same picture again for some seconds: the exchange counts requests.

        :param theme: dark or light
        :return: data and layout as JSON
        :raises UsageError: there is no such pair
        """
        key = (pair, hours, theme)
        with self._drawing:
            made_s, text = self._made.get(key, (0.0, ""))
            if not text or time.monotonic() - made_s > _FRESH_S:
                text = self._draw(pair, hours, theme)
                now_s = time.monotonic()
                self._made = {k: v for k, v in self._made.items() if now_s - v[0] <= _FRESH_S}
                self._made[key] = (now_s, text)
            return text

    def _draw(self, pair: str, hours: float, theme: str) -> str:
        # Plotly takes a second to import, which most pages never need.
        from liq_provider.plot.figure import figure
        from liq_provider.plot.view import pair_view

        settled_ms = int(self._reader.states(["computed_ms"]).get("computed_ms") or self._now_ms())
        from_ms = settled_ms - round(hours * HOUR_MS)
        candles = self._candles(pair, from_ms)
        view = pair_view(
            self._reader,
            self._settings,
            pair,
            candles,
            self._step_ms,
            from_ms,
            settled_ms,
            self._trades(pair),
            f"{self._exchange.name} does not tell them",
            simulated_candles=self._exchange.simulated,
            in_force=self._in_force(),
        )
        return str(figure(view, "light" if theme == "light" else "dark").to_json())

    def _candles(self, pair: str, from_ms: int) -> Candles:
        try:
            rows = self._exchange.ohlcv(pair, self._timeframe, from_ms)
        except BadSymbol:
            raise UsageError(f"{self._exchange.name} has no pair {pair[:40]!r}") from None
        except Exception as error:
            # ccxt stumbles in many ways; the picture goes without candles and says so.
            logger.warning("Candles of %s for the page: %s", pair, error)
            rows = []
        return Candles.of_rows(rows)

    def _trades(self, pair: str) -> list[TradeRecord]:
        return [_trade(trade) for trade in self._account.trades() if trade["pair"] == pair]


def _trade(trade: Any) -> TradeRecord:
    stop, moved_ms = trade.get("stop_loss_abs"), trade.get("stoploss_last_update_timestamp")
    return TradeRecord(
        pair=trade["pair"],
        is_short=bool(trade["is_short"]),
        open_ms=int(trade["open_timestamp"]),
        open_rate=float(trade["open_rate"]),
        close_ms=trade.get("close_timestamp"),
        close_rate=trade.get("close_rate"),
        enter_tag=trade.get("enter_tag") or "",
        exit_reason=trade.get("exit_reason") or "",
        stops=((int(moved_ms or trade["open_timestamp"]), float(stop)),) if stop else (),
    )
