"""Filled minutes: only where nothing was known, and only for those who came later."""

import pytest
from sqlalchemy import select

from liq_provider.core.coverage import Interval
from liq_provider.core.doubts import Doubt
from liq_provider.history.fill import gaps
from liq_provider.store import schema
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.store.helpers import MINUTE, T0, incoming, order


def at(minute: int) -> int:
    return T0 + minute * MINUTE


@pytest.fixture
def gap(writer: Writer) -> Writer:
    """Listened to in minutes 0, 1 and from the middle of 4 on; half of minute 2 as well."""
    writer.append([incoming(at(1)), incoming(at(2) + 1_000, notional_usd=20.0)])
    writer.cover("bybit", [Interval(at(0), at(2) + 30_000), Interval(at(4) + 30_000, at(9))])
    return writer


def filled_rows(writer: Writer) -> list[tuple[int, float, int]]:
    table = schema.minutes.c
    query = select(table.minute_ms, table.long_usd, table.long_count).where(table.filled)
    with writer.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query.order_by(table.minute_ms))]


def test_only_minutes_that_nobody_heard_are_filled_with_all_that_happened(gap: Writer) -> None:
    now_ms = at(10) + 1
    heard = order(at(2) + 1_000, notional_usd=20.0)
    orders = [order(at(1)), heard, order(at(2) + 40_000), order(at(3) + 7), order(at(5))]
    done = gap.fill("bybit", "BTC", Interval(at(1), at(6)), orders, now_ms)
    assert (done.orders, done.known) == (3, 2)
    assert done.spans == (Interval(at(2), at(5)),)
    assert done.available_at == at(11)
    assert filled_rows(gap) == [(at(2), 120.0, 2), (at(3), 100.0, 1)]


def test_they_are_read_from_their_time_on_and_never_as_covered(gap: Writer, reader: Reader) -> None:
    gap.fill("bybit", "BTC", Interval(at(2), at(5)), [order(at(3), notional_usd=9.0)], at(10))
    grid = reader.grids(["BTC", "ETH"], ["bybit"], at(0), at(6))["BTC"]
    assert grid.covered.tolist() == [[True, True, False, False, False, True]]
    assert grid.fills is not None
    assert grid.fills.known_ms.tolist() == [[0, 0, at(11), at(11), at(11), 0]]
    before, after = grid.as_of(at(10)), grid.as_of(at(11))
    assert before.in_baselines.tolist() == grid.covered.tolist()
    assert after.in_baselines.tolist() == [[True] * 6]
    assert after.long_usd.tolist() == [[0.0, 100.0, 20.0, 9.0, 0.0, 0.0]]
    assert before.long_usd.tolist() == [[0.0, 100.0, 20.0, 0.0, 0.0, 0.0]]
    assert reader.grids(["ETH"], ["bybit"], at(0), at(6))["ETH"].fills is None


def test_gaps_are_looked_for_where_a_fill_would_fill(writer: Writer, reader: Reader) -> None:
    """Two imports share minute 3, of ETH alone minute 5 is known, and minute 1 is in doubt."""
    writer.cover("bybit", [Interval(at(0), at(2))])
    writer.cover("bybit", [Interval(at(2), at(3) + 30_000)], "import")
    writer.cover("bybit", [Interval(at(3) + 30_000, at(4))], "import")
    writer.cover("bybit", [Interval(at(5), at(6))], "import", base_asset="ETH")
    writer.put_doubts([Doubt("bybit", "BTC", Interval(at(1), at(2)))], at(9))
    span = Interval(at(0), at(8))
    for base, missing in (
        ("BTC", (Interval(at(1), at(2)), Interval(at(4), at(8)))),
        ("ETH", (Interval(at(4), at(5)), Interval(at(6), at(8)))),
    ):
        assert gaps(reader, "bybit", base, span) == [*missing]
        assert writer.fill("bybit", base, span, [], at(10)).spans == missing
        assert gaps(reader, "bybit", base, span) == []


def test_filling_again_changes_nothing(gap: Writer) -> None:
    span, orders = Interval(at(2), at(5)), [order(at(3))]
    gap.fill("bybit", "BTC", span, orders, at(10))
    before = filled_rows(gap)
    again = gap.fill("bybit", "BTC", span, [*orders, order(at(3) + 1)], at(20))
    assert again.spans == ()
    assert filled_rows(gap) == before


def test_a_late_order_that_another_minute_counted_is_not_counted_twice(writer: Writer) -> None:
    late = order(at(3) + 59_000, received_ms=at(4) + 10_000, notional_usd=50.0)
    writer.append([incoming(at(3) + 59_000, received_ms=at(4) + 10_000, notional_usd=50.0)])
    writer.cover("bybit", [Interval(at(4), at(9))])
    writer.fill("bybit", "BTC", Interval(at(3), at(4)), [late, order(at(3))], at(10))
    assert filled_rows(writer) == [(at(3), 100.0, 1)]


def test_small_orders_are_left_out_and_a_rebuild_makes_the_same(gap: Writer) -> None:
    orders = [order(at(3)), order(at(3) + 5, notional_usd=1.0)]
    gap.min_event_usd = 50.0
    gap.fill("bybit", "BTC", Interval(at(2), at(5)), orders, at(10))
    before = filled_rows(gap)
    assert before == [(at(3), 100.0, 1)]
    gap.rebuild()
    assert filled_rows(gap) == before
    gap.min_event_usd = 0.0
    gap.rebuild()
    # Now the part of minute 2 that was heard counts, too: its orders were too small before.
    assert filled_rows(gap) == [(at(2), 20.0, 1), (at(3), 101.0, 2)]


def test_pruning_takes_filled_minutes_and_what_is_known_of_them(gap: Writer) -> None:
    gap.fill("bybit", "BTC", Interval(at(2), at(5)), [order(at(2)), order(at(4))], at(10))
    gap.prune(at(3))
    assert filled_rows(gap) == [(at(4), 100.0, 1)]
    table = schema.coverage.c
    query = select(table.start_ms, table.end_ms, table.available_at).where(table.source == "fill")
    with gap.engine.connect() as connection:
        assert [tuple(row) for row in connection.execute(query)] == [(at(3), at(5), at(11))]


def test_an_order_is_the_same_whatever_price_stream_and_history_state(writer: Writer) -> None:
    """Gate streams milliseconds and the order's price; its history has seconds and the fill's."""
    gate = {"venue": "gate", "market_id": "BTC_USDT"}
    writer.append(
        [
            incoming(at(3) + 5_321, **gate, price=50_500.0),
            incoming(at(3) + 7_000, **gate, price=50_500.0),
        ]
    )
    rows = [
        order(at(3) + 5_000, **gate),
        order(at(3) + 5_000, **gate, ordinal=1),  # as large, in the same second: one was not heard
        order(at(3) + 5_000, **gate, quantity=0.003),
        order(at(3) + 5_000, **gate, position_side="short"),
        order(at(3) + 6_000, **gate),
        order(at(3) + 7_000, **gate),
    ]
    span = Interval(at(3), at(4))
    done = writer.fill("gate", "BTC", span, rows, at(10))
    assert (done.orders, done.known) == (4, 2)
    assert filled_rows(writer) == [(at(3), 500.0, 5)]
    again = writer.fill("gate", "BTC", span, rows, at(20))
    assert (again.orders, again.known) == (0, 6)


def test_where_a_history_states_what_the_stream_does_price_and_time_tell_orders_apart(
    writer: Writer,
) -> None:
    okx = {"venue": "okx", "market_id": "BTC-USDT-SWAP"}
    writer.append([incoming(at(3) + 5_321, **okx)])
    rows = [order(at(3) + 5_321, **okx), order(at(3) + 5_000, **okx)]
    done = writer.fill("okx", "BTC", Interval(at(3), at(4)), rows, at(10))
    assert (done.orders, done.known) == (1, 1)
