"""A store of names becomes one of numbers: what is read of it stays the same to the last bit."""

import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, insert, select, text

from liq_provider.errors import StoreUnusable
from liq_provider.store import database, schema
from liq_provider.store.database import migrate, open_engine, revision_of, store_errors
from liq_provider.store.kept_features import KEPT_MS
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.bot.helpers import stored
from tests.store.helpers import MINUTE, T0, incoming

Rows = dict[str, list[tuple[Any, ...]]]

_OLD = {
    "liquidations": schema.liquidations,
    "minutes": schema.minutes,
    "coverage": schema.coverage,
    "state": schema.state,
}


def liquidation(event_ms: int, **changes: Any) -> dict[str, Any]:
    values = {
        **{"event_ms": event_ms, "venue": "bybit", "market_id": "BTCUSDT"},
        **{"position_side": "long", "price": 50_000.0, "quantity": 0.002, "ordinal": 0},
        **{"pair": "BTC/USDT:USDT", "base_asset": "BTC", "notional_usd": 50_000.0 * 0.002},
        **{"received_ms": event_ms + 500, "minute_ms": event_ms - event_ms % MINUTE},
    }
    return values | changes


LIQUIDATIONS = [
    liquidation(T0),
    liquidation(T0, position_side="short"),
    liquidation(T0, ordinal=1),
    # Several markets and venues of one coin, not in the order of their names.
    liquidation(T0 + 1, venue="okx", market_id="BTC-USDT-SWAP", notional_usd=0.1 + 0.2),
    liquidation(T0 + 2, venue="binance", market_id="BTCUSDC", pair="BTC/USDC:USDC"),
    # A market that was called otherwise later, and two that one pair stands for.
    liquidation(T0 + 3, pair="XBT/USDT:USDT", base_asset="XBT"),
    liquidation(T0 + 4, market_id="BTCUSDT2"),
    # Late, future, of the next minute, imported long after.
    liquidation(T0 + 5, received_ms=T0 + 90 * MINUTE, minute_ms=None),
    liquidation(T0 + 6, received_ms=T0 - 60 * MINUTE, minute_ms=None),
    liquidation(T0 + 7, received_ms=T0 + MINUTE + 9_000, minute_ms=T0 + MINUTE),
    # Products that a database stops at, and one that is off by the last bit.
    liquidation(T0 + 8, price=1e-200, quantity=1e-200, notional_usd=3.0),
    liquidation(T0 + 9, price=1e200, quantity=1e200, notional_usd=4.0),
    liquidation(T0 + 10, price=0.1, quantity=3.0, notional_usd=0.3),
    liquidation(T0 + 11, price=0.0, quantity=0.0, notional_usd=0.0),
]


def minute(coin: str, minute_ms: int, **changes: Any) -> dict[str, Any]:
    values = {
        **{"base_asset": coin, "minute_ms": minute_ms, "venue": "bybit"},
        **{"pair": f"{coin}/USDT:USDT", "long_usd": 0.1 + 0.2, "short_usd": 0.0},
        **{"filled": False, "long_count": 2, "short_count": 0},
        "available_at": minute_ms + MINUTE + 2_000,
    }
    return values | changes


MINUTES = [
    minute("BTC", T0),
    minute("BTC", T0, venue="okx", short_usd=7.0, short_count=1),
    minute("BTC", T0, filled=True, available_at=T0 + 500 * MINUTE),
    minute("ETH", T0 - 1_000 * MINUTE, long_usd=5.0),  # its orders were deleted
]


def make_old(engine: Engine, minutes_kept: int = 3) -> Rows:
    """
    :param minutes_kept: that have features within what is kept
    :return: what is in it
    """
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0008")
        for name, rows in (("liquidations", LIQUIDATIONS), ("minutes", MINUTES)):
            put(connection, name, rows)
        newest_ms = T0 + KEPT_MS
        closes = [T0 - n * MINUTE for n in range(1, 400)]
        closes += [newest_ms - n * MINUTE for n in range(minutes_kept)]
        features = [stored("BTC", close_ms, 9.0, 0.98) for close_ms in closes]
        put(connection, "features", features)
        span = {"venue": "bybit", "base_asset": "", "source": "live", "heard_by": ""}
        put(connection, "coverage", [span | {"start_ms": T0, "end_ms": T0 + 1, "available_at": 0}])
        put(connection, "state", [{"key": "watermark_ms", "value": "7", "updated_ms": 0}])
    return content(engine)


def put(connection: Any, table: str, rows: list[dict[str, Any]]) -> None:
    names = ", ".join(f'"{name}"' for name in rows[0])
    slots = ", ".join(f":{name}" for name in rows[0])
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({slots})"), rows)


def content(engine: Engine) -> Rows:
    rows = {}
    with engine.connect() as connection:
        for name, table in _OLD.items():
            query = select(table).order_by(*table.primary_key)
            rows[name] = [tuple(row) for row in connection.execute(query)]
    return rows


def test_what_is_read_of_an_older_store_stays_the_same(store_url: str) -> None:
    engine = open_engine(store_url)
    before = make_old(engine)
    assert len(before["liquidations"]) == len(LIQUIDATIONS)
    assert migrate(engine) is False
    after = content(engine)
    for name, rows in before.items():
        assert after[name] == rows, name
        kinds = [[type(value) for value in row] for row in rows]
        assert [[type(value) for value in row] for row in after[name]] == kinds, name
    engine.dispose()


def test_an_older_store_keeps_the_features_that_are_looked_back_to(store_url: str) -> None:
    engine = open_engine(store_url)
    make_old(engine, minutes_kept=2)
    migrate(engine)
    engine.dispose()
    reader = Reader(store_url)
    rows = reader.features(None, 0, 2**62)["BTC"]
    assert rows.close_ms.tolist() == [T0 + KEPT_MS - MINUTE, T0 + KEPT_MS]
    assert rows.z.tolist() == [9.0, 9.0]
    reader.close()


def test_orders_of_an_older_store_are_known_when_they_come_again(store_url: str) -> None:
    engine = open_engine(store_url)
    before = make_old(engine)
    writer = Writer(engine)
    again = [
        incoming(T0, received_ms=T0 + 700),
        incoming(T0 + 3),  # its market is called otherwise by now
        incoming(T0 + 1, venue="okx", market_id="BTC-USDT-SWAP"),
    ]
    done = writer.append(again)
    assert (done.inserted, done.duplicates) == (0, 3)
    assert content(engine)["liquidations"] == before["liquidations"]
    assert writer.append([incoming(T0 + 100, market_id="NEW")]).inserted == 1
    assert len(content(engine)["liquidations"]) == len(LIQUIDATIONS) + 1
    writer.close()


def test_a_migration_that_fails_leaves_the_older_store_as_it_was(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    engine = open_engine(url)
    before = make_old(engine)
    with engine.begin() as connection:
        connection.execute(text("PRAGMA max_page_count=1"))  # as many as there are already
    with pytest.raises(StoreUnusable, match="free space"):
        migrate(engine)
    assert revision_of(engine) == "0008"
    assert content(engine) == before
    engine.dispose()
    again = open_engine(url)
    migrate(again)
    assert content(again) == before
    again.dispose()


def test_a_disk_without_room_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.sqlite"
    engine = open_engine(f"sqlite:///{path}")
    before = make_old(engine)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000))
    with pytest.raises(StoreUnusable, match=r"takes 0\.\d MB .*of which 0\.0 MB are free"):
        migrate(engine)
    assert content(engine) == before
    engine.dispose()


def test_what_a_migration_leaves_empty_is_given_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "store.sqlite"
    engine = open_engine(f"sqlite:///{path}")
    make_old(engine)
    with engine.begin() as connection:
        many = [liquidation(T0 + MINUTE + n) for n in range(10_000)]
        put(connection, "liquidations", many)
    before = content(engine)
    engine.dispose()
    size = path.stat().st_size
    with caplog.at_level(logging.INFO):
        migrate(engine)
    assert path.stat().st_size < size / 2
    assert "The store has the older schema 0008" in caplog.text
    assert "The store takes" in caplog.text
    assert content(engine) == before
    engine.dispose()
    with closing(sqlite3.connect(path)) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_sidecar_of_before_that_has_the_store_open_cannot_write_into_it(store_url: str) -> None:
    """It is told so by the database, looks at the store's version, and finds a newer one."""
    engine = open_engine(store_url)
    make_old(engine)
    older = open_engine(store_url)
    with older.connect() as connection:
        connection.execute(text("SELECT 1 FROM liquidations")).all()
    migrate(engine)
    for table, row in ((schema.liquidations, liquidation(T0 + 50)), (schema.minutes, MINUTES[0])):
        with (
            pytest.raises(StoreUnusable, match=table.name),
            store_errors("Storing liquidations"),
            older.begin() as connection,
        ):
            connection.execute(insert(table), [row])
    older.dispose()
    engine.dispose()
