"""A recording replayed now, at real and compressed speed."""

import pytest

from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import Liquidation, PositionSide
from liq_provider.simulator.recording import Recording
from tests.simulator.helpers import START_MS, read_tape

ORIGIN = 1_700_000_012_345


def record(
    venue: str,
    market_id: str,
    pair: str,
    at_ms: int,
    price: float,
    quantity: float,
    side: PositionSide = "long",
) -> Liquidation:
    base = pair.partition("/")[0].removeprefix("1000")
    event_ms = ORIGIN + at_ms
    return Liquidation(
        venue, market_id, pair, base, side, price, quantity, price * quantity, event_ms, event_ms
    )


RECORDS = [
    record("binance", "BTCUSDT", "BTC/USDT:USDT", 0, 60_000.0, 0.5),
    record("binance", "BTCUSDT", "BTC/USDT:USDT", 400, 59_990.0, 0.5),
    record("okx", "BTC-USDT-SWAP", "BTC/USDT:USDT", 90_000, 59_000.0, 1.23, "short"),
    record("bybit", "ODDUSDT", "ODD/USDT:USDT", 30_000, 0.01234, 1_500.0),
    record("bybit", "ODDUSDT", "ODD/USDT:USDT", 30_000, 0.01234, 1_500.0),
    record("deribit", "BTC_USDT", "BTC/USDT:USDT", 5, 60_000.0, 1.0),
    record("okx", "BTC-USD-SWAP", "BTC/USD:BTC", 5, 60_000.0, 1.0),
]


def test_every_order_comes_back_in_its_venues_dialect() -> None:
    market = Recording(RECORDS, START_MS)
    assert START_MS + 5_000 <= market.begin_ms < START_MS + 6_000
    read = read_tape(market, market.tape(market.first_ms, market.end_ms + 5_000))
    wanted = sorted((r.venue, r.position_side, round(r.notional_usd, 6)) for r in RECORDS[:5])
    got = sorted((r.venue, r.position_side, round(r.notional_usd, 6)) for r in read)
    assert got == wanted
    assert sum(market.left_out.values()) == 2
    shift = market.begin_ms - ORIGIN
    assert shift % 1_000 == 0
    assert sorted(r.event_ms for r in read) == sorted(r.event_ms + shift for r in RECORDS[:5])


def test_prices_are_the_last_fill_before() -> None:
    market = Recording(RECORDS, START_MS)
    assert market.price("BTCUSDT", START_MS - 3_600_000) == 60_000.0
    assert market.price("BTCUSDT", market.begin_ms + 50_000) == 59_990.0
    assert market.price("BTCUSDT", market.begin_ms + 91_000) == 59_000.0
    rows = market.candles(
        "BTCUSDT", MINUTE_MS, market.begin_ms - 120 * MINUTE_MS, market.end_ms, market.end_ms
    )
    assert len(rows) >= 121
    assert rows[-1][4] == 59_000.0


def test_compressed_speed_shrinks_the_distances() -> None:
    market = Recording(RECORDS, START_MS, speed=10)
    assert market.end_ms - market.begin_ms == 9_000


def test_minutes_can_be_kept_and_part_can_be_history() -> None:
    market = Recording(RECORDS, START_MS, lead_s=-60, align_s=60)
    assert (market.begin_ms - ORIGIN) % MINUTE_MS == 0
    assert market.begin_ms <= START_MS
    assert market.describe(START_MS)["played"]


def test_unknown_symbols_get_filters_that_fit_their_prices() -> None:
    spec = Recording(RECORDS, START_MS).symbols["ODDUSDT"]
    assert float(spec.tick) <= 0.01234 / 1_000
    assert spec.step == "1"


def test_an_empty_recording_is_refused() -> None:
    with pytest.raises(ValueError, match="no liquidation"):
        Recording(RECORDS[5:], START_MS)
