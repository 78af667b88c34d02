"""An export leaves either database, and comes back into either, unchanged."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from liq_provider.core.coverage import Interval
from liq_provider.core.markets import Market
from liq_provider.history.archive import TABLES
from liq_provider.history.export import Wanted, export
from liq_provider.history.restore import restore
from liq_provider.store import schema
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.restored_rows import put_doubts
from liq_provider.store.writer import Writer
from tests.store.helpers import MINUTE, T0, headline, incoming, model_call, order

KEPT = (*TABLES, "minutes")


def content(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    content = {}
    for name in KEPT:
        table = schema.table(name)
        with engine.connect() as connection:
            query = select(table).order_by(*table.primary_key)
            content[name] = [tuple(row) for row in connection.execute(query)]
    return content


def test_a_store_of_either_kind_can_be_moved(
    writer: Writer, store_url: str, tmp_path: Path
) -> None:
    late = incoming(T0 + 7, received_ms=T0 + 20 * MINUTE)
    writer.append([*(incoming(T0 + n * MINUTE + n, quantity=1 + n / 3) for n in range(50)), late])
    writer.cover("bybit", [Interval(T0, T0 + 50 * MINUTE)], "live", T0)
    writer.fill("bybit", "BTC", Interval(T0 - MINUTE, T0), [order(T0 - 5)], T0 + MINUTE)
    writer.put_markets("okx", [Market("okx", "X-USDT-SWAP", "X/USDT:USDT", "X", 0.1)], T0)
    writer.put_model_call(model_call(T0, cost_usd=None))
    writer.put_news([headline(T0)])
    before = content(writer.engine)
    source = open_engine(store_url, read_only=True)
    export(source, tmp_path / "out", Wanted(), T0)
    source.dispose()

    copy = Writer(open_engine(f"sqlite:///{tmp_path / 'copy.sqlite'}"))
    restore(copy, tmp_path / "out", T0)
    assert content(copy.engine) == before
    copy.close()

    with writer.engine.begin() as connection:
        for table in schema.metadata.sorted_tables:
            if table.name != "state":
                connection.execute(table.delete())
    restore(writer, tmp_path / "out", T0)
    assert content(writer.engine) == before


def test_a_doubt_that_has_grown_since_grows_in_the_other_store_too(store_url: str) -> None:
    writer = Writer(open_engine(store_url), heard_by="me")
    reader = Reader(store_url)
    span = Interval(T0, T0 + 3 * MINUTE)
    writer.cover("bybit", [span])
    row = {"venue": "bybit", "base_asset": "BTC", "heard_by": "me", "start_ms": T0}
    for minutes in (1, 2):
        end_ms = T0 + minutes * MINUTE
        put_doubts(writer.engine, [row | {"end_ms": end_ms, "available_at": T0 + MINUTE}])
    (grid,) = reader.grids(["BTC"], ["bybit"], T0, span.end_ms).values()
    assert grid.covered.tolist() == [[False, False, True]]
    for part in (writer, reader):
        part.close()
