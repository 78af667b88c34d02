"""Reading the store: the same answers from SQLite and PostgreSQL."""

import itertools
import pickle
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import delete
from sqlalchemy.exc import OperationalError

from liq_provider.core.coverage import Interval
from liq_provider.core.markets import Market
from liq_provider.errors import StoreUnusable
from liq_provider.store import schema
from liq_provider.store.database import open_engine
from liq_provider.store.pruning import newest_ms
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.store.helpers import MINUTE, T0, incoming


def at(minute: int) -> int:
    return T0 + minute * MINUTE


def test_minutes_come_as_a_dense_grid(writer: Writer, reader: Reader) -> None:
    writer.append(
        [
            incoming(at(0)),
            incoming(at(2), position_side="short", notional_usd=7.0, venue="okx"),
            incoming(at(2), market_id="BTCPERP", pair="BTC/USDC:USDC", notional_usd=5.0),
            incoming(at(2) + 1, notional_usd=3.0),
            incoming(at(3), notional_usd=1e6),  # after the end
            incoming(at(-1), notional_usd=1e6),  # before the beginning
            incoming(at(1), venue="binance", notional_usd=1e6),  # a venue that is not asked for
        ]
    )
    writer.cover("bybit", [Interval(at(0) + 1, at(3))])
    writer.cover("okx", [Interval(at(0), at(1) + 30_000), Interval(at(2), at(2) + 59_999)])
    grid = reader.grids(["BTC", "ETH"], ["okx", "bybit"], at(0), at(3))
    minutes = grid["BTC"]
    assert minutes.venues == ("bybit", "okx")
    assert minutes.long_usd.tolist() == [[100.0, 0.0, 8.0], [0.0, 0.0, 0.0]]
    assert minutes.short_usd.tolist() == [[0.0, 0.0, 0.0], [0.0, 0.0, 7.0]]
    assert minutes.count.tolist() == [[1, 0, 2], [0, 0, 1]]
    assert minutes.covered.tolist() == [[False, True, True], [True, False, False]]
    assert grid["ETH"].long_usd.sum() == 0


@pytest.mark.parametrize("quotes", list(itertools.permutations(("USD", "USDC", "USDT"))))
def test_a_sum_of_several_pairs_is_the_same_whichever_was_stored_first(
    writer: Writer, reader: Reader, quotes: tuple[str, ...]
) -> None:
    usd = {"USD": 0.1, "USDC": 0.2, "USDT": 0.3}
    assert usd["USDC"] + usd["USDT"] + usd["USD"] != 0.1 + 0.2 + 0.3
    for quote in quotes:
        market = {"market_id": f"BTC{quote}", "pair": f"BTC/{quote}:{quote}"}
        writer.append([incoming(at(1), notional_usd=usd[quote], **market)])
    for coins in (["BTC"], ["BTC", "ETH"]):
        grid = reader.grids(coins, ["bybit"], at(0), at(3))["BTC"]
        assert grid.long_usd.tolist() == [[0.0, 0.1 + 0.2 + 0.3, 0.0]]
        assert grid.count.tolist() == [[0, 3, 0]]


def test_a_coin_has_no_coverage_before_its_listing(writer: Writer, reader: Reader) -> None:
    writer.cover("bybit", [Interval(at(0), at(5))])
    writer.put_markets(
        "bybit", [Market("bybit", "NEWUSDT", "NEW/USDT:USDT", "NEW", listed_ms=at(1) + 1)]
    )
    grids = reader.grids(["NEW", "OLD"], ["bybit"], at(0), at(4))
    assert grids["NEW"].covered.tolist() == [[False, False, True, True]]
    assert grids["OLD"].covered.tolist() == [[True] * 4]


def test_a_coin_has_no_coverage_before_its_market_was_known(writer: Writer, reader: Reader) -> None:
    def market(base: str, quote: str = "USDT", listed_ms: int | None = None) -> Market:
        pair = f"{base}/{quote}:{quote}"
        return Market("okx", f"{base}-{quote}-SWAP", pair, base, listed_ms=listed_ms)

    def covered() -> dict[str, list[int]]:
        grids = reader.grids(["BTC", "NEW"], ["okx"], at(0), at(4))
        return {base: grid.covered[0].astype(int).tolist() for base, grid in grids.items()}

    writer.cover("okx", [Interval(at(0), at(5))])
    first = [market("BTC", listed_ms=at(-9)), market("ETH")]
    writer.put_markets("okx", first, at(3))  # whoever was there from the beginning
    assert covered()["BTC"] == [1, 1, 1, 1]
    second = [*first, market("NEW", listed_ms=at(0)), market("BTC", "USDC", at(0))]
    writer.put_markets("okx", second, at(1) + 1)
    assert covered() == {"BTC": [1, 1, 1, 1], "NEW": [0, 0, 1, 1]}
    writer.put_markets("okx", second, at(4))  # the next hour
    assert covered() == {"BTC": [1, 1, 1, 1], "NEW": [0, 0, 1, 1]}
    assert sorted(reader.markets("okx"), key=str) == sorted(second, key=str)


def test_coverage_of_several_sources_is_one(writer: Writer, reader: Reader) -> None:
    writer.cover("bybit", [Interval(at(0), at(1)), Interval(at(3), at(4))])
    writer.cover("bybit", [Interval(at(1), at(2))], "import")
    writer.cover("bybit", [Interval(at(2), at(3))], "fill")
    spans = [Interval(at(0), at(2)), Interval(at(3), at(4))]
    assert reader.coverage(["bybit"], at(0), at(9)) == {"bybit": spans}
    assert reader.coverage(["bybit"], at(4), at(9)) == {"bybit": []}
    assert reader.coverage(["bybit"], at(3), at(9), ("live",)) == {"bybit": spans[1:]}


def test_what_is_known_of_one_coin_is_not_known_of_the_venue(
    writer: Writer, reader: Reader
) -> None:
    writer.cover("okx", [Interval(at(0), at(1) + 30_000)])
    writer.cover("okx", [Interval(at(1) + 30_000, at(3))], "import", base_asset="BTC")
    writer.cover("okx", [Interval(at(0), at(4))], "import", base_asset="SOL")
    grids = reader.grids(["BTC", "ETH"], ["bybit", "okx"], at(0), at(4))
    assert grids["BTC"].covered.tolist() == [[False] * 4, [True, True, True, False]]
    assert grids["ETH"].covered.tolist() == [[False] * 4, [True, False, False, False]]
    assert reader.coverage(["okx"], at(0), at(9)) == {"okx": [Interval(at(0), at(1) + 30_000)]}


def test_coins_that_were_active(writer: Writer, reader: Reader) -> None:
    eth = {"market_id": "ETHUSDT", "pair": "ETH/USDT:USDT", "base_asset": "ETH"}
    writer.append([incoming(at(0)), incoming(at(1), **eth), incoming(at(4))])
    assert reader.active(at(0), at(1)) == {"BTC": ["BTC/USDT:USDT"]}
    assert set(reader.active(at(0), at(2))) == {"BTC", "ETH"}
    # Segments of two minutes, counted back from the end: [3, 5), [1, 3), [-1, 1).
    assert reader.segment_counts(at(-1), at(5), 2 * MINUTE) == {"BTC": 2, "ETH": 1}
    assert reader.has_minutes("BTC") and not reader.has_minutes("SOL")
    assert reader.minute_span("BTC") == (at(0), at(5))
    assert reader.minute_span("SOL") is None


def test_segments_are_counted_back_from_the_end_not_by_the_clock(
    writer: Writer, reader: Reader
) -> None:
    writer.append([incoming(at(1)), incoming(at(2))])
    for end, expected in ((3, 1), (4, 2), (5, 1), (6, 2)):
        counts = reader.segment_counts(at(end) - 6 * MINUTE, at(end), 2 * MINUTE)
        assert counts == {"BTC": expected}, end


def test_minutes_of_many_coins_come_as_of_each_alone(writer: Writer, reader: Reader) -> None:
    coins = [f"C{n}" for n in range(12)]
    writer.append(
        [
            incoming(
                at(n % 7),
                market_id=f"{coin}USDT",
                pair=f"{coin}/USDT:USDT",
                base_asset=coin,
                venue=("bybit", "okx", "gate")[n % 3],
                notional_usd=1.0 + n,
            )
            for n, coin in enumerate(coins * 2)
        ]
    )
    together = reader.grids([*coins, "NONE"], ["okx", "bybit"], at(0), at(7))
    assert list(together) == [*coins, "NONE"]
    for coin, grid in together.items():
        (alone,) = reader.grids([coin], ["okx", "bybit"], at(0), at(7)).values()
        for name in ("long_usd", "short_usd", "count"):
            assert np.array_equal(getattr(grid, name), getattr(alone, name)), coin
    assert [grid.count.sum() for grid in together.values()] == [2, 2, 0] * 4 + [0]


def test_a_file_that_breaks_while_it_is_read_is_a_store_that_cannot_be_used(
    tmp_path: Path,
) -> None:
    """Its first rows come, and the error with the next ones, straight from the driver."""
    path = tmp_path / "store.sqlite"
    with closing(Writer(open_engine(f"sqlite:///{path}"))) as writer:
        writer.append([incoming(at(n)) for n in range(5_000)])
    reader = Reader(f"sqlite:///{path}")
    span = at(0), at(5_000)
    assert reader.grids(["BTC"], ["bybit"], *span)["BTC"].count.sum() == 5_000
    size = 4096
    with path.open("r+b") as file:
        # Of the table that was written last, so that what is read before is whole.
        for page in range(path.stat().st_size // size - 6, path.stat().st_size // size):
            file.seek(page * size)
            file.write(b"\xff" * size)
    with pytest.raises(StoreUnusable, match="Reading the store: database disk image is malformed"):
        reader.grids(["BTC"], ["bybit"], *span)


def test_features_come_as_arrays(writer: Writer, reader: Reader) -> None:
    row = {
        "close_ms": at(1),
        "base_asset": "BTC",
        "pair": "BTC/USDT:USDT",
        "long_usd": 1.5,
        "short_usd": 0.0,
        "notional_usd": 1.5,
        "count": 2,
        "z": None,
        "robust_z": 0.1 + 0.2,
        "long_ratio": 1.0,
        "purity": 1.0,
        "mean_usd": None,
        "std_usd": None,
        "state": 1,
        "baseline_n": 3,
        "active_n": 2,
        "venues": "bybit",
        "available_at": at(1) + 2_000,
    }
    writer.put_results([row, row | {"close_ms": at(2), "z": 4.0}], [], at(2), at(2))
    features = reader.features(None, at(0), at(2))["BTC"]
    assert features.close_ms.tolist() == [at(1), at(2)]
    assert np.isnan(features.z[0])
    assert (features.z[1], features.robust_z[0]) == (4.0, 0.1 + 0.2)
    assert features.count.dtype == np.int64
    assert reader.features(["ETH"], at(0), at(2)) == {}
    assert len(reader.features(["BTC"], at(2), at(2))["BTC"].close_ms) == 1


def test_totals_and_span(writer: Writer, reader: Reader) -> None:
    assert (reader.span(), reader.venue_totals(0)) == (None, {})
    writer.append([incoming(at(0)), incoming(at(1)), incoming(at(2), venue="okx")])
    assert reader.span() == (at(0), at(2))
    assert reader.venue_totals(at(1)) == {"bybit": (1, 100.0), "okx": (1, 100.0)}


def test_a_reader_travels_to_another_process(writer: Writer, reader: Reader) -> None:
    writer.put_state("x", 1, T0)
    assert reader.states(["x"]) == {"x": 1}
    copy = pickle.loads(pickle.dumps(reader))
    assert copy.states(["x"]) == {"x": 1}
    copy.close()


def test_a_reader_cannot_write_sqlite(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    Writer(open_engine(url)).close()
    engine = open_engine(url, read_only=True)
    with engine.connect() as connection, pytest.raises(OperationalError, match="readonly"):
        connection.execute(delete(schema.state))
    engine.dispose()


def test_an_order_from_the_future_is_not_the_newest(writer: Writer, reader: Reader) -> None:
    ahead = incoming(at(500_000), received_ms=at(1))
    writer.append([ahead])
    assert (reader.span(), reader.venue_totals(0)) == (None, {})
    writer.append([incoming(at(0)), incoming(at(1))])
    assert reader.span() == (at(0), at(1))
    assert reader.venue_totals(at(0)) == {"bybit": (2, 200.0)}
    assert newest_ms(writer.engine) == at(1)
    assert reader.count("liquidations") == 3
