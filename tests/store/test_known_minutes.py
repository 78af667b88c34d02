"""What is known of minutes, without their sums: the same as the grids know."""

import numpy as np

from liq_provider.core.coverage import Interval
from liq_provider.core.markets import Market
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.store.helpers import MINUTE, T0, order

VENUES = ("okx", "bybit")
COINS = ("BTC", "NEW", "SOL")
FROM, TO = T0 - 30 * MINUTE, T0 + 30 * MINUTE


def test_they_are_those_of_the_grids(writer: Writer, reader: Reader) -> None:
    writer.cover("bybit", [Interval(T0 - 20 * MINUTE, T0 + 5 * MINUTE + 7)], "live", T0)
    writer.cover("bybit", [Interval(T0 + 9 * MINUTE, TO)], "live", T0)
    writer.cover("okx", [Interval(FROM, TO)], "live", T0)
    new = Market("bybit", "NEWUSDT", "NEW/USDT:USDT", "NEW", listed_ms=T0 - 3 * MINUTE)
    writer.put_markets("bybit", [new])
    hole = Interval(T0 + 5 * MINUTE, T0 + 9 * MINUTE)
    filled = order(T0 + 6 * MINUTE, base_asset="SOL", pair="SOL/USDT:USDT", market_id="SOLUSDT")
    writer.fill("bybit", "SOL", hole, [filled], T0 + 12 * MINUTE)
    for to_ms in (T0 + 10 * MINUTE, TO):
        known = reader.known_minutes(COINS, VENUES, FROM, to_ms)
        for coin, grid in reader.grids(COINS, VENUES, FROM, to_ms).items():
            scored, baseline = known[coin]
            assert np.array_equal(scored, grid.covered)
            assert np.array_equal(baseline, grid.as_of(to_ms).in_baselines)
    scored, baseline = known["SOL"]
    assert baseline.sum() - scored.sum() == 4
    assert known["NEW"][0].sum() < known["BTC"][0].sum()


def test_a_report_is_written_with_its_coins_and_replaced_by_the_next(
    writer: Writer, reader: Reader
) -> None:
    row = {"base_asset": "BTC", "pair": "BTC/USDT:USDT", "baseline_n": 3, "active_n": 2}
    for minute, state in ((1, 1), (2, 3)):
        close_ms = T0 + minute * MINUTE
        coins = [row | {"close_ms": close_ms, "state": state}]
        writer.put_readiness({"close_ms": close_ms}, coins, close_ms)
    assert reader.states(["readiness"]) == {"readiness": {"close_ms": T0 + 2 * MINUTE}}
    assert reader.readiness() == [row | {"close_ms": T0 + 2 * MINUTE, "state": 3}]
