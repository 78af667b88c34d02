"""A cut through a store in small steps, between which others write."""

import threading
from typing import Any

import pytest
from sqlalchemy import event, insert, select

from liq_provider.core.coverage import Interval
from liq_provider.store import pruning, schema
from liq_provider.store.bar_rows import put_bars
from liq_provider.store.imported_files import Imported, find, note
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.store.helpers import MINUTE, T0, headline, incoming, model_call

FILE = Imported("digest", "frames", "x.jsonl")


@pytest.fixture
def in_steps_of_seven(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_FIRST_ROWS", "_MOST_ROWS"):
        monkeypatch.setattr(pruning, name, 7)


def bar(coin: str, start_ms: int) -> dict[str, object]:
    return {
        "base_asset": coin,
        "source": "coinglass",
        "bar_min": 60,
        "start_ms": start_ms,
        "market": "",
        "pair": f"{coin}/USDT:USDT",
        "long_usd": 1.0,
        "short_usd": 2.0,
        "available_at": start_ms,
    }


def filled(writer: Writer) -> None:
    """Forty minutes on both sides of ``T0``, in each table of which there is much."""
    minutes = range(-40, 40)
    writer.append([incoming(T0 + n * MINUTE, price=50_000.0 + n) for n in minutes])
    put_bars(writer.engine, [bar(c, T0 + n * MINUTE) for c in ("BTC", "ETH") for n in minutes])
    for n in (-2, -1, 0):
        writer.put_model_call(model_call(T0 + n * MINUTE))
        writer.put_news([headline(T0 + n * MINUTE)])
    feature = dict.fromkeys(("pair", "venues"), "x") | dict.fromkeys(
        ("long_usd", "short_usd", "count"), 1
    )
    feature |= dict.fromkeys(("state", "baseline_n", "active_n", "available_at"), 0)
    with writer.engine.begin() as connection:
        rows = [
            feature | {"close_ms": T0 + n * MINUTE, "base_asset": coin}
            for n in minutes
            for coin in ("BTC", "ETH")
        ]
        connection.execute(insert(schema.features), rows)


def test_many_small_steps_delete_what_one_large_one_would(
    in_steps_of_seven: None, writer: Writer, reader: Reader
) -> None:
    filled(writer)
    cut, steps = writer.pruning(T0 + 30_000), 0
    while cut.step():
        steps += 1
    assert cut.before_ms == T0
    assert {name: count for name, count in cut.deleted.items() if count} == {
        "liquidations": 40,
        "minutes": 40,
        "features": 80,
        "bars": 80,
        "model_calls": 2,
        "news": 2,
    }
    assert reader.count("liquidations") == reader.count("minutes") == 40
    with writer.engine.connect() as connection:
        for name, column in (*pruning._AGES.items(), ("bars", schema.bars.c.start_ms)):
            ages = connection.execute(select(column)).scalars().all()
            assert all(age >= T0 for age in ages), name
    assert steps > (40 + 40 + 80 + 80) / 8
    assert writer.prune(T0) == dict.fromkeys(cut.deleted, 0)


def test_rows_of_one_moment_go_together(
    in_steps_of_seven: None, writer: Writer, reader: Reader
) -> None:
    writer.append([incoming(T0 - MINUTE, price=50_000.0 + n) for n in range(30)])
    assert writer.prune(T0)["liquidations"] == 30


def test_a_store_is_written_between_two_steps(
    in_steps_of_seven: None, writer: Writer, reader: Reader
) -> None:
    filled(writer)
    cut, stored = writer.pruning(T0), 0
    while cut.step():
        stored += writer.append([incoming(T0 + MINUTE, price=60_000.0 + stored)]).inserted
    assert stored > 20
    assert reader.count("liquidations") == 40 + stored


def test_from_the_first_step_on_no_deleted_minute_looks_known(
    in_steps_of_seven: None, writer: Writer, reader: Reader
) -> None:
    filled(writer)
    writer.cover("bybit", [Interval(T0 - 40 * MINUTE, T0 + 40 * MINUTE)], "import")
    cut = writer.pruning(T0)
    cut.step()
    assert reader.coverage(["bybit"], 0, T0 + 99 * MINUTE)["bybit"] == [
        Interval(T0, T0 + 40 * MINUTE)
    ]
    assert reader.count("liquidations") == 80


def test_a_minute_that_is_settled_during_the_cut_stays_known(
    writer: Writer, reader: Reader
) -> None:
    writer.settle(T0 + MINUTE, {"bybit": [Interval(T0 - MINUTE, T0 + MINUTE)]}, T0)
    other, done = Writer(writer.engine), threading.Event()

    def settle() -> None:
        other.settle(T0 + 2 * MINUTE, {"bybit": [Interval(T0 + MINUTE, T0 + 2 * MINUTE)]}, T0)
        done.set()

    def late(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement.startswith("DELETE FROM coverage"):
            thread.start()
            done.wait(1)

    thread = threading.Thread(target=settle)
    event.listen(writer.engine, "before_cursor_execute", late)
    writer.prune(T0)
    thread.join(30)
    assert reader.coverage(["bybit"], 0, T0 + 9 * MINUTE)["bybit"] == [
        Interval(T0, T0 + 2 * MINUTE)
    ]


def test_what_is_left_of_a_live_span_is_known_as_long_after_its_close(writer: Writer) -> None:
    table = schema.coverage.c
    with writer.engine.begin() as connection:
        row = {"venue": "bybit", "base_asset": "", "source": "live", "heard_by": "b"}
        row |= {"start_ms": T0, "end_ms": T0 + 9 * MINUTE, "available_at": T0 + 3 * MINUTE}
        connection.execute(insert(schema.coverage), [row])
    writer.prune(T0 + 4 * MINUTE)
    with writer.engine.connect() as connection:
        ((start_ms, available_at),) = connection.execute(select(table.start_ms, table.available_at))
    assert (start_ms, available_at) == (T0 + 4 * MINUTE, T0 + 7 * MINUTE)


def test_files_are_forgotten_only_if_something_of_an_import_went(writer: Writer) -> None:
    note(writer.engine, FILE, 80, T0)
    writer.append([incoming(T0 - MINUTE)])
    writer.cover("bybit", [Interval(T0 - MINUTE, T0)], "live")
    writer.prune(T0)
    assert find(writer.engine, FILE) == 80
    writer.cover("okx", [Interval(T0 - MINUTE, T0)], "import")
    writer.prune(T0)
    assert find(writer.engine, FILE) is None
    note(writer.engine, FILE, 80, T0)
    put_bars(writer.engine, [bar("BTC", T0 - MINUTE)])
    writer.prune(T0)
    assert find(writer.engine, FILE) is None


def test_others_have_the_store_for_two_thirds_of_the_time_whoever_cuts(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(writer)
    paused_s: list[float] = []
    monkeypatch.setattr(pruning.time, "sleep", paused_s.append)
    cut, took_s = writer.pruning(T0), [0.2, 0.001]
    step = cut.step

    def slow_or_quick() -> bool:
        more = step()
        cut.last_s = took_s[len(paused_s) % 2]
        return more

    monkeypatch.setattr(cut, "step", slow_or_quick)
    cut.run()
    assert paused_s[:2] == [0.4, 0.05] and cut.deleted["liquidations"] == 40


def test_a_step_that_took_long_is_followed_by_a_smaller_one(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(writer)
    monkeypatch.setattr(pruning, "_WANTED_S", 1e-9)  # any disk is too slow for that
    cut = writer.pruning(T0)
    sizes = []
    while cut.step():
        sizes.append(cut._rows)
    assert sizes[-1] == 1 and sizes == sorted(sizes, reverse=True)
    assert cut.deleted["liquidations"] == 40
    monkeypatch.setattr(pruning, "_WANTED_S", 1e9)
    cut = writer.pruning(T0 + 40 * MINUTE)
    while cut.step():
        assert cut._rows <= pruning._MOST_ROWS
    assert cut._rows == pruning._MOST_ROWS
