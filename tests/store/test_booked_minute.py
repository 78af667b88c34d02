"""In which minute a liquidation counts."""

import pytest

from liq_provider.store.booked_minute import BookingRules
from tests.store.helpers import MINUTE, T0, incoming

RULES = BookingRules(settle_ms=2_000, max_late_ms=60_000)


@pytest.mark.parametrize(
    ("event", "delay", "watermark", "minute", "how"),
    [
        (0, 500, 0, 0, "event"),
        (59_999, 2_001, 0, 0, "event"),  # exactly when the minute is settled
        (59_999, 2_002, 0, 1, "arrival"),
        (59_999, 60_000, 0, 1, "arrival"),
        (0, 60_000, 0, 0, "event"),
        (0, 62_001, 0, None, "late"),
        (59_999, 60_001, 0, None, "late"),
        (1_000, -5_000, 0, 0, "event"),  # two clocks may differ that much
        (1_000, -5_001, 0, None, "future"),
        (59_000, 500, 1, 1, "arrival"),  # in time, but committed after settling
        (59_999, 2_002, 2, None, "late"),  # its arrival minute was settled as well
        (59_999, 2_002, 1, 1, "arrival"),
    ],
)
def test_which_minute(event: int, delay: int, watermark: int, minute: int | None, how: str) -> None:
    item = incoming(T0 + event, received_ms=T0 + event + delay)
    watermark_ms = T0 + watermark * MINUTE if watermark else 0
    expected = None if minute is None else T0 + minute * MINUTE
    assert RULES.book(item, watermark_ms) == (expected, how)


def test_an_order_of_the_snapshot_after_subscribing_counts_in_no_minute() -> None:
    assert RULES.book(incoming(T0, since_ms=T0 + 1), 0) == (None, "late")
    assert RULES.book(incoming(T0, since_ms=T0), 0) == (T0, "event")


def test_what_waited_while_another_writer_went_on_does_not_enter_the_present() -> None:
    in_time = incoming(T0 + 1_000)
    assert RULES.book(in_time, T0 + 61 * MINUTE) == (None, "late")
    assert RULES.book(in_time, T0 + MINUTE) == (T0 + MINUTE, "arrival")
