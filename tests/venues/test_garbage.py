"""No frame, however broken, raises or turns into money."""

import random
from typing import Any

import orjson
import pytest

from liq_provider.core.doubts import ANY_COIN
from liq_provider.core.markets import Market, MarketTable
from liq_provider.venues import NO_PUBLIC_FEED, VENUES

NOW_MS = 1_791_391_083_124

GOOD = {
    "binance": '{"e":"forceOrder","E":1791391083124,"o":{"s":"ILVUSDT","S":"SELL","q":"116.5",'
    '"p":"3.80300","ap":"3.85642","X":"FILLED","l":"25.2","z":"116.5","T":1791391082119,"st":1}}',
    "bybit": '{"topic":"allLiquidation.ICPUSDT","type":"snapshot","ts":1789670094412,'
    '"data":[{"T":1789670094099,"s":"ICPUSDT","S":"Buy","v":"19.7","p":"2.585"}]}',
    "gate": '{"time":1789669899,"channel":"futures.public_liquidates","event":"update",'
    '"result":[{"contract":"CNPY_USDT","price":"0.4162","size":"-2137","time":1789669898955}]}',
    "okx": '{"arg":{"channel":"liquidation-orders","instType":"SWAP"},"data":[{"details":['
    '{"bkPx":"0.4162","posSide":"short","side":"buy","sz":"2137","ts":"1789669898955"}],'
    '"instId":"CNPY-USDT-SWAP","instType":"SWAP"}]}',
}

GARBAGE: list[str | bytes] = [
    "",
    b"",
    b"\x00\xff\xfe\x80",
    b"\x1f\x8b\x08\x00",
    "null",
    "true",
    "17",
    '"text"',
    "[]",
    "[[[]]]",
    "{}",
    "{" * 5_000,
    '{"data":null}',
    '{"data":7}',
    '{"data":{"o":null}}',
    '{"o":[]}',
    '{"arg":null,"data":[null]}',
    '{"topic":7,"data":[]}',
    '{"topic":"allLiquidation.X","data":null}',
    "<html><body>502 Bad Gateway</body></html>",
    '{"a":NaN}',
    "9" * 10_000,
    "\ud800",
]


def table(venue: str) -> MarketTable:
    name = "CNPY_USDT" if venue == "gate" else "CNPY-USDT-SWAP"
    return VENUES[venue].table([Market(venue, name, "CNPY/USDT:USDT", "CNPY", 10.0)])


@pytest.mark.parametrize(
    ("event", "unread"),
    [
        ({"channel": "futures.public_liquidates", "event": "update"}, (ANY_COIN,)),
        ({"channel": "futures.public_liquidates", "event": "update", "result": 7}, (ANY_COIN,)),
        ({"channel": "futures.trades", "event": "update", "result": []}, ()),
    ],
)
def test_what_may_have_been_orders_of_gate_is_told_from_what_is_none(
    event: dict[str, Any], unread: tuple[str, ...]
) -> None:
    said = VENUES["gate"].parse(orjson.dumps(event), table("gate"), NOW_MS)
    assert (said.understood, tuple(said.unread)) == (False, unread)


def test_an_order_a_frame_as_gate_sent_them_before_2026_08_20_is_read() -> None:
    frame = (
        b'{"time":1786327033,"time_ms":1786327033532,"channel":"futures.public_liquidates",'
        b'"event":"update","result":{"contract":"CNPY_USDT","price":"0.5",'
        b'"time":1786327033531,"size":-20}}'
    )
    (order,) = VENUES["gate"].parse(frame, table("gate"), NOW_MS).liquidations
    assert (order.position_side, order.notional_usd, order.event_ms) == (
        "long",
        100.0,
        1_786_327_033_531,
    )


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("frame", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_not_understood(venue: str, frame: str | bytes) -> None:
    said = VENUES[venue].parse(frame, table(venue), NOW_MS)
    assert not said.liquidations
    assert not said.understood or said.dropped
    assert said.acknowledged == 0 and not said.life


@pytest.mark.parametrize("venue", VENUES)
def test_truncated_frames_say_nothing(venue: str) -> None:
    good = GOOD[venue]
    assert len(VENUES[venue].parse(good, table(venue), NOW_MS).liquidations) == 1
    for length in range(len(good)):
        said = VENUES[venue].parse(good[:length], table(venue), NOW_MS)
        assert not said.liquidations and not said.understood


@pytest.mark.parametrize("venue", VENUES)
def test_mutated_frames_never_raise(venue: str) -> None:
    rng = random.Random(7)
    good = GOOD[venue].encode()
    for _ in range(3_000):
        frame = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            frame[rng.randrange(len(frame))] = rng.choice(b'{}[]",:0123456789.-eEntf\x00\xff Z')
        for item in VENUES[venue].parse(bytes(frame), table(venue), NOW_MS).liquidations:
            assert 0 < item.price < float("inf")
            assert 0 < item.quantity < float("inf")
            assert 0 < item.notional_usd <= 1e10
            assert 1_483_228_800_000 <= item.event_ms <= 4_102_444_800_000


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("value", [None, 0, -1.5, "x", [], {}, [1], {"a": 1}, True, 2**63])
def test_any_value_in_any_place_is_survived(venue: str, value: Any) -> None:
    def replaced(node: Any) -> Any:
        """Every variant of a message with one value replaced."""
        yield value
        items = node.items() if isinstance(node, dict) else enumerate(node)
        if isinstance(node, dict | list):
            for key, child in items:
                for variant in replaced(child) if isinstance(child, dict | list) else [value]:
                    copy = node.copy()
                    copy[key] = variant
                    yield copy

    for message in replaced(orjson.loads(GOOD[venue])):
        VENUES[venue].parse(orjson.dumps(message), table(venue), NOW_MS)


def test_venues_carry_their_own_names_and_addresses() -> None:
    assert set(VENUES) == {"binance", "bybit", "gate", "okx"}
    assert all(venue.name == name for name, venue in VENUES.items())
    assert all(venue.endpoint.url.startswith("wss://") for venue in VENUES.values())
    assert "/market/" in VENUES["binance"].endpoint.url
    assert not NO_PUBLIC_FEED & set(VENUES)
