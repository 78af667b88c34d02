"""No frame, however broken, raises or turns into money."""

import random
from typing import Any

import orjson
import pytest

from liq_provider.core.doubts import ANY_COIN
from liq_provider.venues import NO_PUBLIC_FEED, VENUES
from liq_provider.venues.frame import Frame
from tests.venues import golden

NOW_MS = 1_791_391_083_124

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


def good(venue: str) -> Frame:
    """A frame that holds liquidations."""
    return golden.wire(venue)[0][1]


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
    said = VENUES["gate"].parse(orjson.dumps(event), golden.table("gate"), NOW_MS)
    assert (said.understood, tuple(said.unread)) == (False, unread)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("frame", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_not_understood(venue: str, frame: str | bytes) -> None:
    said = VENUES[venue].parse(frame, golden.table(venue), NOW_MS)
    assert not said.liquidations
    assert not said.understood or said.dropped
    assert said.acknowledged == 0 and not said.life


@pytest.mark.parametrize("venue", VENUES)
def test_truncated_frames_say_nothing(venue: str) -> None:
    table, whole = golden.table(venue), good(venue)
    assert len(VENUES[venue].parse(whole, table, NOW_MS).liquidations) == 1
    for length in range(len(whole)):
        said = VENUES[venue].parse(whole[:length], table, NOW_MS)
        assert not said.liquidations and not said.understood


@pytest.mark.parametrize("venue", VENUES)
def test_mutated_frames_never_raise(venue: str) -> None:
    rng, table, whole = random.Random(7), golden.table(venue), good(venue)
    for _ in range(3_000):
        frame = bytearray(whole if isinstance(whole, bytes) else whole.encode())
        for _ in range(rng.randint(1, 6)):
            frame[rng.randrange(len(frame))] = rng.choice(b'{}[]",:0123456789.-eEntf\x00\xff Z')
        for order in VENUES[venue].parse(bytes(frame), table, NOW_MS).liquidations:
            assert 0 < order.price < float("inf")
            assert 0 < order.quantity < float("inf")
            assert 0 < order.notional_usd <= 1e10
            assert 1_483_228_800_000 <= order.event_ms <= 4_102_444_800_000


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

    whole, table = good(venue), golden.table(venue)
    if isinstance(whole, bytes):
        pytest.skip("it sends no plain JSON")
    for message in replaced(orjson.loads(whole)):
        VENUES[venue].parse(orjson.dumps(message), table, NOW_MS)


def test_the_venues_that_ship_and_the_exchanges_that_publish_nothing() -> None:
    assert set(VENUES) >= {"binance", "bybit", "gate", "okx"}
    assert "/market/" in VENUES["binance"].endpoints[0].url
    assert not NO_PUBLIC_FEED & set(VENUES)
