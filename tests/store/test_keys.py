"""Numbers for names: given once, and never one that is not in the store."""

from typing import Any

import pytest
from sqlalchemy import select

from liq_provider.errors import StoreRefused
from liq_provider.store import schema
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.store.conftest import MakeWriter
from tests.store.helpers import T0, incoming


def names(writer: Writer) -> list[tuple[Any, ...]]:
    table = schema.liquidations.c
    query = select(table.venue, table.market_id, table.pair, table.base_asset)
    with writer.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query.order_by(table.event_ms))]


def coin(name: str, event_ms: int = T0, **changes: Any) -> Any:
    pair = f"{name}/USDT:USDT"
    values = {"market_id": f"{name}USDT", "pair": pair, "base_asset": name}
    return incoming(event_ms, **(values | changes))


def told(name: str) -> tuple[str, ...]:
    return ("bybit", f"{name}USDT", f"{name}/USDT:USDT", name)


def test_a_batch_that_is_refused_leaves_no_number_behind(writer: Writer) -> None:
    writer.append([coin("BTC")])
    with pytest.raises(StoreRefused):
        writer.append([coin("ETH", T0 + 1), coin("SOL", T0 + 2, notional_usd=float("nan"))])
    writer.append([coin("ADA", T0 + 3), coin("ETH", T0 + 4)])
    assert names(writer) == [told("BTC"), told("ADA"), told("ETH")]


@pytest.mark.parametrize("value", [float("nan"), None])
def test_an_order_without_a_quote_value_is_refused(writer: Writer, value: Any) -> None:
    with pytest.raises(StoreRefused, match="notional_usd is"):
        writer.append([incoming(notional_usd=value)])
    assert names(writer) == []


def test_two_writers_of_one_store_give_the_same_numbers(open_writer: MakeWriter) -> None:
    one, other = open_writer(), open_writer()
    one.append([coin("BTC")])
    other.append([coin("ETH", T0 + 1), coin("BTC", T0 + 2)])
    one.append([coin("SOL", T0 + 3), coin("ETH", T0 + 4)])
    other.append([coin("SOL", T0 + 5), coin("ADA", T0 + 6)])
    assert [name for *_, name in names(one)] == ["BTC", "ETH", "BTC", "SOL", "ETH", "SOL", "ADA"]


def test_a_coin_of_another_writer_is_known_once_it_comes(open_writer: MakeWriter) -> None:
    one, other = open_writer(), open_writer()
    one.append([coin("BTC")])
    other.append([coin("ETH", T0 + 1)])
    # A series of a coin that it knows: it sees that of the other one, too, but not its coin.
    one.append([coin("BTC", T0 + 2, venue="okx")])
    one.append([coin("ETH", T0 + 3)])
    assert [name for *_, name in names(one)] == ["BTC", "ETH", "BTC", "ETH"]


def test_a_store_that_was_emptied_meanwhile_gets_new_numbers(writer: Writer) -> None:
    writer.append([coin("BTC"), coin("ETH", T0 + 1)])
    with writer.engine.begin() as connection:
        for table in (*schema.metadata.tables.values(),):
            if table.name != "state":
                connection.execute(table.delete())
    writer.append([coin("ETH", T0 + 2)])
    assert names(writer) == [told("ETH")]


def test_a_market_that_is_called_otherwise_keeps_what_was_stored(
    writer: Writer, reader: Reader
) -> None:
    writer.append([coin("XBT", market_id="BTCUSDT")])
    writer.append([coin("BTC", T0 + 1, market_id="BTCUSDT")])
    assert writer.append([coin("BTC", T0, market_id="BTCUSDT")]).duplicates == 1
    assert names(writer) == [
        ("bybit", "BTCUSDT", "XBT/USDT:USDT", "XBT"),
        ("bybit", "BTCUSDT", "BTC/USDT:USDT", "BTC"),
    ]
    assert reader.active(0, 2**62) == {"XBT": ["XBT/USDT:USDT"], "BTC": ["BTC/USDT:USDT"]}
