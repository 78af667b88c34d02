"""A ledger that cannot fail is worth nothing: each kind of wrong is shown to it."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from chaos.books import Books
from chaos.ledger import Line, causes_of, minutes, storage, unknown
from chaos.records import Delivery, Order, Row, Span, Truth, key_of
from liq_provider.core.durations import MINUTE_MS

M0 = 1_795_784_400_000
SETTLE_MS = 2_000


def order(number: int = 1, event_ms: int = M0 + 5_000, **delivery: object) -> Order:
    key = key_of("okx", "BTC-USDT-SWAP", "long", event_ms, 97_000.0, 0.1 * number)
    made = Order(key, "BTC", 9_700.0 * number, first_sent_ms=event_ms + 500)
    values = {"at_ms": event_ms + 500, "who": "a", "ended_ms": None} | delivery
    made.deliveries = [Delivery(**values)]  # type: ignore[arg-type]
    return made


def row(of: Order, minute_ms: int | None = M0) -> Row:
    return Row(of.key, of.coin, of.usd, of.event_ms + 600, minute_ms)


def truth(*orders: Order) -> Truth:
    return Truth({made.key: made for made in orders}, {})


def books(*rows: Row, known: bool = True) -> Books:
    sums: dict[tuple[str, str, int], tuple[float, float, int]] = {}
    for one in rows:
        if one.minute_ms is not None:
            cell = one.key[0], one.coin, one.minute_ms
            longs, shorts, count = sums.get(cell, (0.0, 0.0, 0))
            sums[cell] = longs + one.usd, shorts, count + 1
    cells = frozenset({("okx", "BTC", M0)} if known else ())
    return Books(rows, cells, sums, M0, M0 + 2 * MINUTE_MS)


def wrong(lines: Sequence[Line]) -> set[str]:
    return {line.name for line in lines if line.ok is False}


def all_wrong(happened: Truth, stored: Books, *faults: Span, lost: int = 0) -> set[str]:
    return wrong(storage(happened, stored, faults, lost)) | wrong(
        minutes(happened, stored, SETTLE_MS)
    )


def test_what_was_sent_and_stored_balances() -> None:
    one, two = order(1), order(2)
    assert all_wrong(truth(one, two), books(row(one), row(two))) == set()


def test_an_order_that_is_missing_in_a_known_minute_does_not() -> None:
    one, two = order(1), order(2)
    assert all_wrong(truth(one, two), books(row(one))) == {
        "missing beyond the counted losses",
        "known, but an order is not stored",
    }


def test_an_order_that_nobody_received_must_not_lie_in_a_known_minute() -> None:
    lonely = order(1)
    lonely.deliveries = []
    assert all_wrong(truth(lonely), books()) == {"known, but an order is not stored"}
    assert all_wrong(truth(lonely), books(known=False)) == set()


def test_an_order_that_is_stored_twice_does_not_balance() -> None:
    one = order(1)
    assert "stored more than once" in all_wrong(truth(one), books(row(one), row(one)))


def test_two_equal_orders_of_one_frame_are_two() -> None:
    one = replace(order(1), count=2)
    assert all_wrong(truth(one), books(row(one), row(one))) == set()
    assert "known, but an order is not stored" in all_wrong(truth(one), books(row(one)))


def test_an_order_that_was_never_sent_does_not_balance() -> None:
    assert all_wrong(truth(), books(row(order(1)))) == {"never sent"}


@pytest.mark.parametrize("minute_ms", [None, M0 + MINUTE_MS])
def test_an_order_of_a_known_minute_counts_in_it(minute_ms: int | None) -> None:
    one = order(1)
    stored = books(row(one, minute_ms))
    assert all_wrong(truth(one), stored) == {"known, but an order counts elsewhere or nowhere"}
    assert all_wrong(truth(one), replace(stored, known=frozenset())) == set()


def test_an_order_that_the_venue_itself_sent_too_late_counts_when_it_came() -> None:
    late = order(1, M0 + 50_000)
    late.first_sent_ms = M0 + MINUTE_MS + 5_000
    assert all_wrong(truth(late), books(row(late, M0 + MINUTE_MS))) == set()
    assert all_wrong(truth(late), books(row(late, None))) == {
        "known, but an order counts elsewhere or nowhere"
    }


def test_a_minute_whose_sums_are_not_those_of_its_orders_does_not_balance() -> None:
    one = order(1)
    stored = books(row(one))
    for sums in ((one.usd + 1, 0.0, 1), (one.usd, 0.0, 2), (0.0, one.usd, 1)):
        changed = replace(stored, sums={("okx", "BTC", M0): sums})
        assert all_wrong(truth(one), changed) == {
            "minutes whose sums are not those of their orders"
        }


KILL = Span("kill", "a", M0 + 10_000, M0 + 20_000)
FREEZE = Span("freeze", "a", M0, M0 + 40_000)


@pytest.mark.parametrize(
    ("delivery", "fault", "excused"),
    [
        ({"whole": False}, None, True),
        ({"ended_ms": M0 + 6_000}, None, True),
        ({"ended_ms": M0 + 30_000}, None, False),
        ({"ended_ms": M0 + 10_010}, KILL, True),
        ({"ended_ms": M0 + 10_010}, replace(KILL, target="b"), False),
        ({"ended_ms": None}, KILL, False),
        ({"at_ms": M0 + 2_000, "ended_ms": M0 + 10_010}, KILL, False),
        ({"ended_ms": M0 + 41_000}, FREEZE, True),
        ({"ended_ms": None}, FREEZE, False),
    ],
)
def test_a_missing_order_needs_a_reason(
    delivery: dict[str, object], fault: Span | None, excused: bool
) -> None:
    one = order(1, **delivery)
    wrong = all_wrong(truth(one), books(known=False), *([fault] if fault else []))
    assert wrong == (set() if excused else {"missing beyond the counted losses"})


def test_one_of_two_sidecars_that_had_it_is_enough_to_miss_it() -> None:
    one = order(1, ended_ms=M0 + 10_010)
    one.deliveries.append(Delivery(M0 + 5_500, "b", None))
    assert all_wrong(truth(one), books(known=False), KILL) == {"missing beyond the counted losses"}


def test_what_was_counted_as_lost_balances() -> None:
    one = order(1)
    assert all_wrong(truth(one), books(known=False), lost=1) == set()


def idle(stored: Books, *causes: Span) -> str:
    return unknown(stored, ["okx"], ["BTC"], causes)[1].value


def test_an_unknown_minute_without_a_cause_is_told() -> None:
    stored = books()
    assert idle(stored) == "1"
    assert idle(stored, Span("kill", "", M0 + 90_000, M0 + 91_000)) == "0"
    assert idle(stored, Span("garbage", "okx", M0 + 90_000, M0 + 91_000)) == "0"
    assert idle(stored, Span("garbage", "bybit", M0 + 90_000, M0 + 91_000)) == "1"


def test_a_hole_of_one_sidecar_explains_nothing_while_the_other_listens() -> None:
    one = Span("freeze", "a", M0, M0 + 10_000)
    other = replace(one, target="b")
    assert causes_of([one], ["okx"], ["a"], SETTLE_MS)
    assert causes_of([one], ["okx"], ["a", "b"], SETTLE_MS) == []
    assert causes_of([one, other], ["okx"], ["a", "b"], SETTLE_MS)
