"""Whole snapshots, one after the other, none of which ever changes."""

from typing import Any

import pytest

from liq_provider.bot.snapshot import READING, Snapshot
from liq_provider.bot.store_reading import StoreReading
from liq_provider.errors import StoreBusy
from liq_provider.store.reader import Reader
from tests.bot.helpers import Store, at, settings, stored, verdict

NOW = at(10) + 3_000


def reading(store: Store, **section: Any) -> StoreReading:
    return StoreReading(lambda: Reader(store.url), settings(**section))


def test_a_snapshot_stays_what_it_was_and_shares_what_did_not_change(store: Store) -> None:
    read = reading(store)
    store.settle(at(10), [stored("BTC", at(10), 5, 0.9), stored("ETH", at(10), 5, 0.9)])
    store.judge(verdict(10))
    first = read(Snapshot())
    store.settle(at(11), [stored("BTC", at(11), 6, 0.9)])
    store.confirm(verdict(10), at(11))
    second = read(first)
    assert list(first.rows["BTC"].close_ms) == [at(10)]
    assert list(second.rows["BTC"].close_ms) == [at(10), at(11)]
    assert first.verdicts["BTC"][0]["expires_at"] < second.verdicts["BTC"][0]["expires_at"]
    assert second.rows["ETH"] is first.rows["ETH"]
    assert second.changed_since(first) == {"BTC"}
    third = read(second)
    assert third.rows is second.rows
    assert third.changed_since(second) == set()


def test_a_minute_whose_verdicts_could_not_be_read_is_no_snapshot_to_enter_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verdict that speaks against the wave may be among them."""
    read = reading(store)
    store.settle(at(10), [stored("BTC", at(10), 5, 0.9)])
    first = read(Snapshot())
    assert first.problem(NOW, settings()) is None
    store.settle(at(11), [stored("BTC", at(11), 6, 0.9)])
    store.judge(verdict(11))

    def busy(*_: Any, **__: Any) -> Any:
        raise StoreBusy("Reading the store: the store is locked by another process")

    with monkeypatch.context() as patch:
        patch.setattr(Reader, "verdicts", busy)
        second = read(first)
    assert "locked" in str(second.problem(at(11) + 3_000, settings()))
    third = read(second)
    assert third.problem(at(11) + 3_000, settings()) is None
    assert len(third.verdicts["BTC"]) == 1


def test_a_long_past_is_read_in_pieces_that_show_that_the_store_answers(store: Store) -> None:
    hours = range(0, 60)
    rows = [stored("BTC", at(60 * hour), 5, 0.9) for hour in hours]
    store.settle(at(60 * hours[-1]), rows)
    answers: list[None] = []
    snapshot = reading(store)(Snapshot(), lambda: answers.append(None))
    known = snapshot.rows["BTC"].close_ms
    assert list(known) == [at(60 * hour) for hour in hours if hour > hours[-1] - 48]
    assert snapshot.loaded_ms == snapshot.computed_ms
    assert len(answers) > 8


def test_only_new_statuses_tell_the_sidecars_time(store: Store) -> None:
    read = reading(store)
    snapshot = Snapshot()
    for minute in range(10):
        store.settle(at(minute), now_ms=at(minute))
        for _ in range(2):
            snapshot = read(snapshot)
        # Nobody knows how old the first one is.
        assert len(snapshot.heard) == min(minute, 6)


# -- what is said of it -------------------------------------------------------------------


def test_what_the_store_said_beats_that_it_says_nothing() -> None:
    locked = Snapshot(NOW, error="the store is locked by another process", unanswered_s=60)
    assert locked.problem(NOW, settings()) == "the store is locked by another process"


@pytest.mark.parametrize(
    ("unanswered_s", "said"), [(4.0, READING), (6.0, "the store does not answer (for 6 s)")]
)
def test_a_first_answer_that_is_late_is_no_answer(unanswered_s: float, said: str) -> None:
    first = Snapshot(error=READING, unanswered_s=unanswered_s)
    assert first.problem(NOW, settings()) == said


def test_a_clock_that_jumped_beats_data_that_looks_old_for_it() -> None:
    words = "this machine's clock jumped by +600.0 s (max_skew_ms)"
    jumped = Snapshot(NOW, 0, {"skew_ms": 0}, clock=words)
    assert jumped.problem(NOW + 600_000, settings()) == words
    told = Snapshot(NOW, 0, {"skew_ms": -600_000})
    assert "-600.0 s off the exchange's" in str(told.problem(NOW + 600_000, settings()))
