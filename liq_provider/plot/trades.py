"""The bot's trades of a pair, from Freqtrade's own SQLite file, which is only read."""

import logging
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from liq_provider.plot.records import TradeRecord

logger = logging.getLogger(__name__)

_TIMEOUT_S = 2.0
_TRADES = """
    SELECT id, is_short, open_date, open_rate, close_date, close_rate, enter_tag, exit_reason,
           stop_loss
    FROM trades WHERE pair = ? ORDER BY open_date
"""
_STOPS = """
    SELECT ft_trade_id, order_date, COALESCE(stop_price, ft_price)
    FROM orders WHERE ft_pair = ? AND ft_order_side = 'stoploss' ORDER BY order_date, id
"""


def trade_database(config: Mapping[str, Any], base_dir: Path) -> Path | None:
    """
    :param config: Freqtrade's
    :param base_dir: what a relative path starts from
    :return: the file with the bot's trades, None if there is none or it is no SQLite file
    """
    from freqtrade.constants import DEFAULT_DB_DRYRUN_URL, DEFAULT_DB_PROD_URL

    address = config.get("db_url") or DEFAULT_DB_PROD_URL
    # As Freqtrade does: a dry-run never writes into the file of real trades.
    if config.get("dry_run", True) and address == DEFAULT_DB_PROD_URL:
        address = DEFAULT_DB_DRYRUN_URL
    try:
        url = make_url(address)
    except ArgumentError:
        return None
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    path = base_dir / url.database
    return path if path.is_file() else None


def read_trades(path: Path, pair: str, from_ms: int, to_ms: int) -> tuple[TradeRecord, ...]:
    """
    :param path: Freqtrade's trade database
    :return: closed and open trades of a pair that were alive in ``[from_ms, to_ms]``; none, and
        a line in the log, if the file cannot be read
    """
    try:
        address = f"{path.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=_TIMEOUT_S)) as connection:
            rows = connection.execute(_TRADES, (pair,)).fetchall()
            placed = connection.execute(_STOPS, (pair,)).fetchall()
    except sqlite3.Error as error:
        logger.warning("The trades in %s cannot be read: %s", path, error)
        return ()
    stops: dict[int, list[tuple[int, float]]] = {}
    for trade_id, date, price in placed:
        if date is not None and price:
            stops.setdefault(trade_id, []).append((_ms(date), float(price)))
    trades = [_trade(row, pair, stops.get(row[0], []), to_ms) for row in rows]
    return tuple(
        trade
        for trade in trades
        if trade.open_ms <= to_ms and (trade.close_ms is None or trade.close_ms >= from_ms)
    )


def _trade(row: Any, pair: str, stops: list[tuple[int, float]], to_ms: int) -> TradeRecord:
    _, is_short, opened, open_rate, closed, close_rate, tag, reason, stop_loss = row
    close_ms = None if closed is None else _ms(closed)
    if not stops and stop_loss:
        # Without stops on the exchange only the last one is remembered.
        stops = [(to_ms if close_ms is None else close_ms, float(stop_loss))]
    return TradeRecord(
        pair=pair,
        is_short=bool(is_short),
        open_ms=_ms(opened),
        open_rate=float(open_rate),
        close_ms=close_ms,
        close_rate=None if close_rate is None else float(close_rate),
        enter_tag=tag or "",
        exit_reason=reason or "",
        stops=tuple(stops),
    )


def _ms(text: str) -> int:
    """Freqtrade writes UTC without saying so."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
