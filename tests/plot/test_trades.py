"""Trades come from Freqtrade's own tables; whatever is wrong with them, the picture is drawn."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from freqtrade.persistence.base import ModelBase
from freqtrade.persistence.trade_model import Order, Trade
from sqlalchemy import create_engine, insert

from liq_provider.plot.trades import read_trades, trade_database
from tests.plot.helpers import PAIR, at


def moment(minute: float) -> datetime:
    return datetime.fromtimestamp(at(minute) / 1000, UTC).replace(tzinfo=None)


def put(path: Path, trades: list[dict[str, Any]], stops: list[dict[str, Any]]) -> None:
    """Rows of Freqtrade's own schema."""
    engine = create_engine(f"sqlite:///{path}")
    ModelBase.metadata.create_all(engine)
    common = {"exchange": "binance", "stake_amount": 500.0, "amount": 0.01, "open_rate": 94_000.0}
    order = {"ft_order_side": "stoploss", "ft_pair": PAIR, "ft_is_open": False, "ft_amount": 0.01}
    with engine.begin() as connection:
        for row in trades:
            connection.execute(insert(Trade).values(**common, **{"pair": PAIR} | row))
        for n, row in enumerate(stops):
            values = {"order_id": str(n), "ft_price": 1.0} | order | row
            connection.execute(insert(Order).values(**values))
    engine.dispose()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "tradesv3.sqlite"
    closed = {
        "id": 1,
        "is_open": False,
        "is_short": True,
        "open_date": moment(10),
        "close_date": moment(20),
        "close_rate": 93_000.0,
        "enter_tag": "liq_short_strong_high",
        "exit_reason": "trailing_stop_loss",
        "stop_loss": 94_500.0,
    }
    trades = [
        closed,
        {"id": 2, "is_open": True, "open_date": moment(30), "stop_loss": 92_000.0},
        closed | {"id": 3, "pair": "ETH/USDT:USDT"},
        closed | {"id": 4, "open_date": moment(-50), "close_date": moment(-40)},
    ]
    stops = [
        {"ft_trade_id": 1, "order_date": moment(10.5), "stop_price": 95_000.0},
        {"ft_trade_id": 1, "order_date": moment(15), "stop_price": 94_500.0},
        {"ft_trade_id": 1, "order_date": moment(16), "ft_order_side": "buy", "stop_price": 1.0},
    ]
    put(path, trades, stops)
    return path


def test_closed_and_open_trades_of_the_pair_and_the_span(database: Path) -> None:
    before = database.read_bytes()
    closed, opened = read_trades(database, PAIR, at(0), at(60))
    assert (closed.side, closed.open_ms, closed.close_ms) == ("short", at(10), at(20))
    assert (closed.open_rate, closed.close_rate) == (94_000.0, 93_000.0)
    assert closed.change == pytest.approx(1_000 / 94_000)
    assert (closed.enter_tag, closed.exit_reason) == ("liq_short_strong_high", "trailing_stop_loss")
    assert closed.stops == ((at(10.5), 95_000.0), (at(15), 94_500.0))
    assert (opened.side, opened.close_ms, opened.change, opened.exit_reason) == (
        *("long", None, None),
        "",
    )
    assert opened.stops == ((at(60), 92_000.0),), "only the last stop is remembered"
    assert database.read_bytes() == before


def test_other_files_are_no_trades(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    empty, garbage = tmp_path / "empty.sqlite", tmp_path / "garbage.sqlite"
    empty.touch()
    garbage.write_text("no database at all" * 100)
    with caplog.at_level(logging.WARNING):
        for path in (empty, garbage, tmp_path / "none.sqlite"):
            assert read_trades(path, PAIR, at(0), at(60)) == ()
    assert len(caplog.records) == 3 and "no such table" in caplog.text
    assert not (tmp_path / "none.sqlite").exists()


def test_where_the_trades_are(tmp_path: Path) -> None:
    (tmp_path / "a.sqlite").touch()
    (tmp_path / "tradesv3.dryrun.sqlite").touch()
    live, dry = tmp_path / "tradesv3.sqlite", tmp_path / "tradesv3.dryrun.sqlite"
    assert trade_database({"db_url": "sqlite:///a.sqlite"}, tmp_path) == tmp_path / "a.sqlite"
    assert trade_database({"db_url": f"sqlite:///{dry}"}, Path("/elsewhere")) == dry
    assert trade_database({}, tmp_path) == dry
    assert trade_database({"dry_run": False}, tmp_path) is None, "there is no such file"
    live.touch()
    assert trade_database({"dry_run": False}, tmp_path) == live
    assert trade_database({"db_url": "sqlite:///tradesv3.sqlite"}, tmp_path) == dry
    for url in ("sqlite://", "postgresql+psycopg://u@h/d", "nonsense", "sqlite:///missing.sqlite"):
        assert trade_database({"db_url": url}, tmp_path) is None, url
