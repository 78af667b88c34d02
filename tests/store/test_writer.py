"""What the writer does to the store, on SQLite and PostgreSQL alike."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Table, select

from liq_provider.core.coverage import Interval
from liq_provider.core.doubts import Doubt
from liq_provider.core.markets import Market
from liq_provider.errors import UsageError
from liq_provider.store import schema
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.store.conftest import MakeWriter
from tests.store.helpers import MINUTE, T0, incoming, verdict


def rows(writer: Writer, table: Table) -> list[dict[str, Any]]:
    with writer.engine.connect() as connection:
        stored = connection.execute(select(table)).mappings().all()
    return sorted((dict(row) for row in stored), key=lambda row: str(list(row.values())))


def minutes(writer: Writer) -> dict[int, tuple[float, float, int, int]]:
    names = ("long_usd", "short_usd", "long_count", "short_count")
    return {
        (row["minute_ms"] - T0) // MINUTE: tuple(row[name] for name in names)
        for row in rows(writer, schema.minutes)
    }


def settle(writer: Writer, close: int, covered: Sequence[tuple[int, int]] = ()) -> None:
    spans = [Interval(T0 + start, T0 + end) for start, end in covered]
    close_ms = T0 + close * MINUTE
    writer.settle(close_ms, {"bybit": spans}, close_ms + 2_000)


# -- orders


def test_the_same_order_twice_counts_once(writer: Writer) -> None:
    first = writer.append([incoming(), incoming()])
    again = writer.append([incoming()])
    assert (first.inserted, first.duplicates) == (1, 1)
    assert (again.inserted, again.duplicates) == (0, 1)
    assert minutes(writer) == {0: (100.0, 0.0, 1, 0)}


def test_two_equal_orders_of_one_message_count_twice(writer: Writer) -> None:
    pair = [incoming(ordinal=0), incoming(ordinal=1)]
    assert writer.append(pair).inserted == 2
    assert writer.append(pair).duplicates == 2
    assert minutes(writer) == {0: (200.0, 0.0, 2, 0)}


def test_a_duplicate_that_arrives_later_moves_nothing(writer: Writer) -> None:
    writer.append([incoming()])
    writer.append([incoming(received_ms=T0 + 90_000)])
    (row,) = rows(writer, schema.liquidations)
    assert row["received_ms"] == T0 + 500
    assert minutes(writer) == {0: (100.0, 0.0, 1, 0)}


def test_sides_markets_and_coins_are_summed_apart(writer: Writer) -> None:
    writer.append(
        [
            incoming(),
            incoming(position_side="short", notional_usd=7.0),
            incoming(market_id="BTCPERP", pair="BTC/USDC:USDC", notional_usd=5.0),
            incoming(market_id="ETHUSDT", pair="ETH/USDT:USDT", base_asset="ETH"),
        ]
    )
    minutes = {(r["base_asset"], r["pair"]): r for r in rows(writer, schema.minutes)}
    assert len(minutes) == 3
    bitcoin = minutes["BTC", "BTC/USDT:USDT"]
    assert (bitcoin["long_usd"], bitcoin["short_usd"]) == (100.0, 7.0)
    assert minutes["BTC", "BTC/USDC:USDC"]["long_usd"] == 5.0


def test_values_come_back_exactly(writer: Writer, reader: Reader) -> None:
    price, quantity = 0.1 + 0.2, 1e-9 / 3
    order = incoming(price=price, quantity=quantity, notional_usd=price * quantity)
    assert writer.append([order, order]).inserted == 1
    assert writer.append([order]).inserted == 0
    (row,) = rows(writer, schema.liquidations)
    assert (row["price"], row["quantity"]) == (price, quantity)


def test_nothing_to_append_is_nothing(writer: Writer) -> None:
    assert writer.append([]).inserted == 0
    assert writer.import_batch([]).inserted == 0


# -- settling


def test_an_order_received_late_never_changes_a_settled_minute(writer: Writer) -> None:
    writer.append([incoming(T0 + 1_000)])
    settle(writer, 1, [(0, 61_000)])
    before = [row for row in rows(writer, schema.minutes) if row["minute_ms"] == T0]
    late = T0 + 59_000
    writer.append([incoming(late, received_ms=T0 + 62_001, notional_usd=1.0)])
    writer.append([incoming(late + 1, received_ms=T0 + 60_100, notional_usd=2.0)])
    writer.append([incoming(late + 2, received_ms=late + 60_003, notional_usd=4.0)])
    settle(writer, 2, [(0, 121_000)])
    writer.append([incoming(late + 3, received_ms=T0 + 118_000, notional_usd=8.0)])
    assert [row for row in rows(writer, schema.minutes) if row["minute_ms"] == T0] == before
    assert minutes(writer) == {0: (100.0, 0.0, 1, 0), 1: (3.0, 0.0, 2, 0)}


def test_what_came_too_late_to_count_is_stored_and_named(writer: Writer) -> None:
    done = writer.append([incoming(T0 + 1_000, received_ms=T0 + 90_000)])
    assert done.booked == {"late": 1}
    (row,) = rows(writer, schema.liquidations)
    assert row["minute_ms"] is None
    assert minutes(writer) == {}


def test_an_order_from_the_future_puts_only_its_coins_minute_in_doubt(
    writer: Writer, reader: Reader
) -> None:
    done = writer.append([incoming(T0 + 3 * MINUTE, received_ms=T0 + 90_000)])
    assert dict(done.booked) == {"future": 1}
    assert minutes(writer) == {}
    for close in range(1, 5):
        settle(writer, close, [((close - 1) * MINUTE, close * MINUTE)])
    grids = reader.grids(["BTC", "ETH"], ["bybit"], T0, T0 + 3 * MINUTE)
    assert grids["BTC"].covered.tolist() == [[True, False, True]]
    assert grids["ETH"].covered.tolist() == [[True, True, True]]


def test_a_snapshot_of_the_past_is_missing_in_the_minutes_that_were_known(
    writer: Writer, reader: Reader
) -> None:
    settle(writer, 1, [(0, MINUTE)])
    settle(writer, 2, [(MINUTE, 2 * MINUTE)])
    unknown = incoming(T0, since_ms=T0 + 130_000, received_ms=T0 + 131_000)
    assert dict(writer.append([unknown]).booked) == {"late": 1}
    settle(writer, 3, [(2 * MINUTE, 3 * MINUTE)])
    (grid,) = reader.grids(["BTC"], ["bybit"], T0, T0 + 3 * MINUTE).values()
    # The decisions of the first minutes were made without knowing of it, and stay as they were.
    assert grid.as_of(T0 + 2 * MINUTE).covered.tolist() == [[True, True, True]]
    assert grid.as_of(T0 + 3 * MINUTE).covered.tolist() == [[False, True, True]]


def test_the_watermark_never_goes_back(writer: Writer, reader: Reader) -> None:
    assert reader.states(["watermark_ms"]) == {"watermark_ms": 0}
    settle(writer, 3)
    settle(writer, 2)
    assert reader.states(["watermark_ms"]) == {"watermark_ms": T0 + 3 * MINUTE}


def test_coverage_grows_and_never_shrinks(writer: Writer, reader: Reader) -> None:
    settle(writer, 1, [(0, MINUTE)])
    settle(writer, 2, [(MINUTE, 2 * MINUTE)])
    settle(writer, 3)
    settle(writer, 4, [(3 * MINUTE, 4 * MINUTE)])
    assert reader.coverage(["bybit", "okx"], T0, T0 + 10 * MINUTE) == {
        "bybit": [Interval(T0, T0 + 2 * MINUTE), Interval(T0 + 3 * MINUTE, T0 + 4 * MINUTE)],
        "okx": [],
    }
    assert len(rows(writer, schema.coverage)) == 2


# -- min_event_usd


def test_small_orders_are_stored_and_not_counted(open_writer: MakeWriter) -> None:
    writer = open_writer(min_event_usd=50)
    done = writer.append([incoming(), incoming(quantity=0.0005, notional_usd=25.0)])
    assert done.booked == {"event": 1, "small": 1}
    assert len(rows(writer, schema.liquidations)) == 2
    assert minutes(writer) == {0: (100.0, 0.0, 1, 0)}


def test_another_min_event_usd_asks_for_a_rebuild(open_writer: MakeWriter) -> None:
    items = [incoming(), incoming(quantity=0.0005, notional_usd=25.0)]
    open_writer().append(items)
    other = open_writer(min_event_usd=50)
    with pytest.raises(UsageError, match=r"min_event_usd.*liq-provider rebuild"):
        other.refuse_if_stale()
    assert other.rebuild() == 1
    other.refuse_if_stale()
    assert minutes(other) == {0: (100.0, 0.0, 1, 0)}
    open_writer(min_event_usd=50).refuse_if_stale()


def test_an_empty_store_takes_any_min_event_usd(open_writer: MakeWriter) -> None:
    open_writer()
    other = open_writer(min_event_usd=50)
    other.refuse_if_stale()
    open_writer(min_event_usd=50).refuse_if_stale()


def test_rebuilding_gives_the_same_minutes(writer: Writer) -> None:
    writer.append([incoming(T0 + second * 1_000, quantity=second + 0.1) for second in range(150)])
    writer.append([incoming(T0, market_id="ETHUSDT", pair="ETH/USDT:USDT", base_asset="ETH")])
    writer.append([incoming(T0 + 59_999, received_ms=T0 + 70_000, notional_usd=3.3)])
    writer.append([incoming(T0 + 59_998, received_ms=T0 + 700_000, notional_usd=5.5)])
    before = rows(writer, schema.minutes)
    assert writer.rebuild() == len(before)
    assert rows(writer, schema.minutes) == before


# -- imports


def test_an_import_never_restates_minutes_that_were_settled_live(writer: Writer) -> None:
    writer.append([incoming(T0 + 1_000)])
    settle(writer, 1, [(0, 61_000)])
    done = writer.import_batch([incoming(T0 + 2_000), incoming(T0 + 1_000)])
    assert (done.inserted, done.duplicates, dict(done.booked)) == (1, 1, {"late": 1})
    assert minutes(writer) == {0: (100.0, 0.0, 1, 0)}


def test_an_import_completes_minutes_without_live_coverage(writer: Writer) -> None:
    settle(writer, 3, [(0, 90_000)])  # the feed went away in the middle of minute 1
    done = writer.import_batch([incoming(T0 + minute * MINUTE) for minute in range(4)])
    assert done.booked == {"late": 1, "event": 3}
    assert set(minutes(writer)) == {1, 2, 3}


def test_an_import_does_not_complete_a_minute_that_was_decided_on_before_it_was_doubted(
    writer: Writer, reader: Reader
) -> None:
    writer.heard_by = "me"
    minute = Interval(T0, T0 + MINUTE)
    known = Doubt("bybit", "ETH", minute)
    writer.settle(T0 + MINUTE, {"bybit": [minute]}, T0 + 62_000, [known])
    writer.put_doubts([Doubt("bybit", "BTC", minute)], T0 + 70_000)
    names = {"market_id": "ETHUSDT", "pair": "ETH/USDT:USDT", "base_asset": "ETH"}
    done = writer.import_batch([incoming(T0 + 2_000), incoming(T0 + 2_000, **names)])
    assert dict(done.booked) == {"late": 1, "event": 1}
    (grid,) = reader.grids(["BTC"], ["bybit"], T0, T0 + MINUTE).values()
    assert (grid.as_of(T0 + MINUTE).covered.item(), grid.long_usd.item()) == (True, 0.0)


@pytest.mark.parametrize("settled_first", [True, False])
def test_an_import_counts_what_a_sidecar_that_began_within_the_minute_could_not(
    writer: Writer, reader: Reader, settled_first: bool
) -> None:
    before = incoming(T0 + 1_000, since_ms=T0 + 30_000)
    assert dict(writer.append([before]).booked) == {"late": 1}
    for close in (1, 2) if settled_first else ():
        settle(writer, close)
    done = writer.import_batch([incoming(T0 + 1_000), incoming(T0 + 2_000)])
    assert (done.inserted, done.rebooked) == (1, 1)
    writer.cover("bybit", [Interval(T0, T0 + MINUTE)], "import")
    for close in (1, 2) if not settled_first else ():
        settle(writer, close)
    (grid,) = reader.grids(["BTC"], ["bybit"], T0, T0 + MINUTE).values()
    assert (grid.covered.item(), grid.long_usd.item()) == (True, 200.0)


def test_an_import_of_another_venue_is_not_held_up(writer: Writer) -> None:
    settle(writer, 1, [(0, 61_000)])
    assert writer.import_batch([incoming(venue="okx")]).booked == {"event": 1}


# -- the rest


def test_a_market_list_replaces_the_one_before(writer: Writer, reader: Reader) -> None:
    old = Market("okx", "OLD", "OLD/USDT:USDT", "OLD", listed_ms=5)
    kept = Market("okx", "BTC-USDT-SWAP", "BTC/USDT:USDT", "BTC", 0.01)
    other = Market("bybit", "BTCUSDT", "BTC/USDT:USDT", "BTC")
    writer.put_markets("okx", [old, kept])
    writer.put_markets("bybit", [other])
    changed = Market("okx", "BTC-USDT-SWAP", "BTC/USDT:USDT", "BTC", 0.1, listed_ms=7)
    writer.put_markets("okx", [changed])
    assert reader.markets("okx") == [changed]
    assert reader.markets("bybit") == [other]


def test_small_facts_are_overwritten(writer: Writer, reader: Reader) -> None:
    writer.put_state("sidecar", {"pid": 1}, T0)
    writer.put_state("sidecar", {"pid": 2, "name": "ü"}, T0 + 1)
    assert reader.states(["sidecar", "nothing"]) == {"sidecar": {"pid": 2, "name": "ü"}}


def test_pruning_deletes_the_past_and_its_coverage(writer: Writer, reader: Reader) -> None:
    day = 86_400_000
    writer.append([incoming(T0 - days * day) for days in range(5)])
    writer.put_verdicts([verdict()])
    writer.put_verdicts([verdict(wave_start_ms=1, expires_at=T0 - 3 * day)])
    writer.cover("bybit", [Interval(T0 - 5 * day, T0 + MINUTE)])
    writer.cover("bybit", [Interval(T0 - 9 * day, T0 - 8 * day)], "import")
    deleted = writer.prune(T0 - 2 * day + 30_000)
    assert deleted == {
        "bars": 0,
        "coverage": 1,
        "liquidations": 2,
        "minutes": 2,
        "features": 0,
        "waves": 0,
        "verdicts": 1,
        "model_calls": 0,
        "news": 0,
        "questions": 0,
    }
    assert reader.coverage(["bybit"], 0, T0 + day) == {
        "bybit": [Interval(T0 - 2 * day, T0 + MINUTE)]
    }
    assert reader.count("liquidations") == reader.count("minutes") == 3


def test_pruning_leaves_a_coin_its_coverage(writer: Writer) -> None:
    writer.cover("okx", [Interval(T0, T0 + 9 * MINUTE)], "import")
    writer.cover("okx", [Interval(T0, T0 + 8 * MINUTE)], "import", base_asset="BTC")
    writer.prune(T0 + MINUTE)
    ends = {row["base_asset"]: row["end_ms"] for row in rows(writer, schema.coverage)}
    assert ends == {"": T0 + 9 * MINUTE, "BTC": T0 + 8 * MINUTE}


def test_a_span_that_goes_on_does_not_bring_the_pruned_part_back(
    writer: Writer, reader: Reader
) -> None:
    settle(writer, 3, [(0, 181_000)])
    writer.prune(T0 + 2 * MINUTE)
    settle(writer, 4, [(0, 241_000)])
    writer.cover("bybit", [Interval(T0, T0 + 250_000)])
    assert reader.coverage(["bybit"], 0, T0 + MINUTE * 9) == {
        "bybit": [Interval(T0 + 2 * MINUTE, T0 + 250_000)]
    }
    writer.cover("bybit", [Interval(T0, T0 + MINUTE)], "import")
    assert reader.coverage(["bybit"], 0, T0 + MINUTE)["bybit"] == [Interval(T0, T0 + MINUTE)]
