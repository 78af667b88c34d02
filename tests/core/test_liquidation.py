"""The record, and the minute that it is in."""

import dataclasses

import pytest

from liq_provider.core.liquidation import Liquidation, minute_from, minute_of, minutes_of
from liq_provider.venues.fields import number_repeats

T0 = 1_795_350_000_000
ITEM = Liquidation("okx", "X", "X/USDT:USDT", "X", "long", 1.0, 2.0, 2.0, 60_000, 60_100)


@pytest.mark.parametrize(
    ("ms", "minute"), [(0, 0), (59_999, 0), (60_000, 60_000), (60_001, 60_000)]
)
def test_minute_is_named_by_its_open(ms: int, minute: int) -> None:
    assert minute_of(ms) == minute


@pytest.mark.parametrize(
    ("ms", "minute"), [(0, 0), (1, 60_000), (60_000, 60_000), (60_001, 120_000)]
)
def test_what_begins_within_a_minute_is_whole_from_the_next_one_on(ms: int, minute: int) -> None:
    assert minute_from(ms) == minute


def test_an_order_may_count_when_it_happened_and_when_it_came_and_never_in_no_time() -> None:
    happened, came = T0 - 1, T0
    order = dataclasses.replace(ITEM, event_ms=happened, received_ms=came)
    assert minutes_of(order) == {T0 - 60_000, T0}
    assert minutes_of(dataclasses.replace(order, event_ms=0)) == {T0}
    assert minutes_of(dataclasses.replace(order, event_ms=happened * 1_000)) == {T0}


def test_records_cannot_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ITEM.price = 2.0  # type: ignore[misc]


def test_repeats_are_numbered_in_their_order() -> None:
    other = dataclasses.replace(ITEM, price=3.0)
    numbered = number_repeats([ITEM, other, ITEM, ITEM, other])
    assert [item.ordinal for item in numbered] == [0, 0, 1, 2, 1]
    assert [item.price for item in numbered] == [1.0, 3.0, 1.0, 1.0, 3.0]
    assert numbered[2] == dataclasses.replace(ITEM, ordinal=1)
