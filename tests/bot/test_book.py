"""What Freqtrade's own records say, in its database as well as in a backtest's memory."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from freqtrade.persistence import LocalTrade, Order, Trade, disable_database_use, init_db
from freqtrade.persistence.usedb_context import enable_database_use
from sqlalchemy import event

from liq_provider.bot.book import Book, LastTrade
from liq_provider.core.durations import HOUR_MS, MINUTE_MS

BTC, ETH, SOL = "BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
BEGUN_MS = int(BEGUN.timestamp() * 1000)
LATER_MS = 20 * MINUTE_MS
MANY = 40


def trade(pair: str, hour: int, *, closed: bool, is_short: bool = False) -> Trade:
    """With its orders; the tag tells the hour's parity."""
    opened = BEGUN + timedelta(hours=hour)
    made = Trade(
        pair=pair,
        stake_amount=500.0,
        amount=1.0,
        is_open=not closed,
        fee_open=0.0,
        fee_close=0.0,
        open_rate=1.0,
        open_date=opened,
        close_date=opened + timedelta(milliseconds=LATER_MS) if closed else None,
        exchange="binance",
        enter_tag="liq_long_strong_high" if hour % 2 else "liq_long_strong_medium",
        exit_reason="liq_reversal" if closed else None,
        leverage=1.0,
        is_short=is_short,
    )
    for side in ("buy", "sell")[: 1 + closed]:
        order = Order(
            ft_order_side=side,
            ft_pair=pair,
            ft_is_open=False,
            ft_amount=1.0,
            ft_price=1.0,
            order_id=f"{pair}{hour}{side}",
            symbol=pair,
        )
        made.orders.append(order)
    return made


def trades() -> list[Trade]:
    """Many of BTC, of which the last but one was opened last; of ETH an open one and a closed."""
    hours = [*range(MANY), MANY + 2, MANY + 1]
    return [
        *(trade(BTC, hour, closed=True) for hour in hours),
        trade(ETH, 1, closed=True),
        trade(ETH, 2, closed=False, is_short=True),
    ]


@pytest.fixture(params=["database", "memory"])
def book(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Book]:
    """Of a live bot, or of a backtest."""
    in_memory = request.param == "memory"
    if in_memory:
        disable_database_use("1m")
        LocalTrade.reset_trades()
        for one in trades():
            if one.is_open:
                LocalTrade.bt_trades_open_pp[one.pair].append(one)
                LocalTrade.bt_trades_open.append(one)
            else:
                LocalTrade.bt_trades.append(one)
    else:
        init_db(f"sqlite:///{tmp_path / 'trades.sqlite'}")
        Trade.session.add_all(trades())
        Trade.commit()
    yield Book({"max_open_trades": 3})
    if in_memory:
        LocalTrade.reset_trades()
        enable_database_use()
    else:
        Trade.session.remove()


def test_the_newest_trade_of_a_pair_is_told_and_what_is_open(book: Book) -> None:
    assert book.last(BTC) == LastTrade(
        BEGUN_MS + (MANY + 2) * HOUR_MS,
        BEGUN_MS + (MANY + 2) * HOUR_MS + LATER_MS,
        is_short=False,
        exit_reason="liq_reversal",
        level=2,
    )
    held = book.position(ETH)
    assert held == LastTrade(BEGUN_MS + 2 * HOUR_MS, 0, is_short=True, exit_reason="", level=2)
    before = book.last(ETH)
    assert before is not None and before.opened_ms == BEGUN_MS + HOUR_MS and before.level == 3
    assert book.position(BTC) is None and book.position(SOL) is None and book.last(SOL) is None
    assert book.open_pairs() == {ETH}


def test_what_is_asked_before_each_order_does_not_grow_with_the_trades_of_a_year(
    tmp_path: Path,
) -> None:
    init_db(f"sqlite:///{tmp_path / 'trades.sqlite'}")
    Trade.session.add_all(trades())
    Trade.commit()
    Trade.session.expunge_all()
    book, made = Book({"max_open_trades": 3}), []

    def note(one: Trade, _: object) -> None:
        made.append(one)

    event.listen(Trade, "load", note)
    try:
        assert book.last(BTC) and book.position(ETH) and book.open_pairs()
    finally:
        event.remove(Trade, "load", note)
        Trade.session.remove()
    assert not made, "none of them is made an object, with its orders"
