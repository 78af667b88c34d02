"""A running sidecar deletes what is older than ``keep_days`` while it records and settles."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from liq_provider.config.settings import load_settings
from liq_provider.core.clock import ExchangeClock
from liq_provider.core.coverage import Interval
from liq_provider.core.liquidation import Liquidation
from liq_provider.core.one_thread import OneThread
from liq_provider.errors import SettingsError
from liq_provider.sidecar.retention import Retention
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.sidecar.test_stopping import place
from tests.sidecars import MINUTE, Process, Time, liquidate, quiet_exchange, until
from tests.store.helpers import incoming

START = 1_795_350_000_000
DAY = 86_400_000
OLD = 20_000


def remember_old_ones(url: str, now_ms: int) -> None:
    """As many liquidations of four days ago, and one of a minute ago."""
    writer = Writer(open_engine(url))
    times = [now_ms - 4 * DAY + n * 100 for n in range(OLD)] + [now_ms - MINUTE]
    orders = [
        Incoming(
            Liquidation(
                *("okx", "ETHUSDT", "ETH/USDT:USDT", "ETH", "short", 3_000.0 + n, 1.0),
                notional_usd=3_000.0 + n,
                event_ms=event_ms,
                received_ms=event_ms + 500,
            )
        )
        for n, event_ms in enumerate(times)
    ]
    writer.import_batch(orders)
    writer.cover("okx", [Interval(now_ms - 5 * DAY, now_ms - DAY // 2)], "import")
    writer.close()


async def test_old_rows_go_while_a_sidecar_records_and_settles(tmp_path: Path) -> None:
    # The machine's: a clock that is off the exchange's deletes nothing.
    begun_ms = time.time_ns() // 1_000_000
    moment = Time(begun_ms)
    async with quiet_exchange(moment) as sim:
        directory = place(sim, tmp_path, keep_days=2)
        url = f"sqlite:///{directory.files.prefix}"
        remember_old_ones(url, moment.now_ms())
        process, reader = Process(directory.config, tmp_path / "log"), Reader(url)
        try:
            process.start()
            await until(lambda: len(sim.state()["clients"]) == 3, "the feeds are live", 60)  # type: ignore[arg-type]
            sent = 0
            while reader.count("liquidations") > 1 + sent:
                liquidate(sim, "bybit", 10, 1_000.0 * (1 + sent))
                sent += 10
                await asyncio.sleep(0.5)
                assert sent < 1_000, "it does not end"
            await until(
                lambda: reader.count("liquidations") == 1 + sent, "all that is new is there", 60
            )
            settled = reader.states(["watermark_ms"])["watermark_ms"]
            await until(
                lambda: reader.states(["watermark_ms"])["watermark_ms"] > settled,
                "minutes settle",
                90,
            )
            spans = reader.coverage(["okx"], 0, begun_ms, ["import"])["okx"]

            def told_of() -> Any:
                """The status is stored every five seconds, and not before the store is open."""
                told = reader.states(["sidecar"]).get("sidecar", {}).get("retention", {})
                return told if told.get("deleted_rows", 0) > OLD else None

            told = await until(told_of, "it is told what was deleted", 60)
            assert await process.end(15) == 0
        finally:
            process.close()
            reader.close()
    log = (tmp_path / "log").read_text()
    assert "rows were older than 2 days; they are deleted" in log
    assert "Traceback" not in log
    assert told["longest_ms"] < 1_000  # some 30 where nothing else runs
    assert spans[0].start_ms == told["before_ms"]
    assert abs(told["before_ms"] - (begun_ms - 2 * DAY)) < 10 * MINUTE


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"keep_days": 1}, r"keep_days: Input should be greater than or equal to 2"),
        ({"keep_days": 3, "baseline_hours": 60}, r"keep_days \(3\) must be a day longer"),
    ],
)
def test_what_every_signal_reads_is_never_deleted(section: dict[str, float], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_settings({"liq_provider": section}, {})
    assert load_settings({}, {}).keep_days is None


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.sqlite'}"


@pytest.fixture
def writer(url: str) -> Iterator[Writer]:
    """Ten minutes ago, and forty days before that, twenty minutes with an order in each."""
    writer = Writer(open_engine(url), heard_by="a run")
    for first_ms in (START - 40 * DAY, START):
        for start_ms in range(first_ms, first_ms + 20 * MINUTE, MINUTE):
            record(writer, start_ms)
    yield writer
    writer.close()


def record(writer: Writer, start_ms: int) -> None:
    close_ms = start_ms + MINUTE
    writer.append([incoming(start_ms + 1_000)])
    writer.settle(close_ms, {"bybit": [Interval(start_ms, close_ms)]}, close_ms)


NOW = START + 30 * MINUTE


def compared(machine_ms: int, exchange_ms: int | None) -> ExchangeClock:
    clock = ExchangeClock(lambda: machine_ms)
    if exchange_ms is not None:
        clock.measure(lambda: exchange_ms)
    return clock


async def cut(writer: Writer, clock: ExchangeClock) -> dict[str, object]:
    serving, thread = asyncio.Event(), OneThread("store")
    serving.set()
    retention = Retention(30, writer, thread, serving, clock, 500.0)
    working = asyncio.create_task(retention.run())
    await until(
        lambda: retention.report()["held_back"] or retention.report()["before_ms"],
        "it cut, or did not",
    )
    working.cancel()
    thread.shutdown()
    return retention.report()


def known(reader: Reader) -> list[Interval]:
    return reader.coverage(["bybit"], START, START + DAY)["bybit"]


@pytest.mark.parametrize(
    ("clock", "reason"),
    [
        (compared(NOW + 40 * DAY, None), "was not compared"),
        (compared(NOW, None), "was not compared"),
        (compared(NOW + 40 * DAY, NOW), "further off"),
        (compared(NOW, NOW + 40 * DAY), "further off"),
    ],
)
async def test_a_clock_that_may_be_wrong_deletes_nothing(
    writer: Writer, url: str, clock: ExchangeClock, reason: str
) -> None:
    reader = Reader(url)
    report = await cut(writer, clock)
    assert reason in str(report["held_back"])
    assert (report["deleted_rows"], reader.count("liquidations")) == (0, 40)
    record(writer, START + 20 * MINUTE)
    assert known(reader) == [Interval(START, START + 21 * MINUTE)]
    reader.close()


async def test_age_is_counted_from_the_newest_that_is_stored(writer: Writer, url: str) -> None:
    ahead_ms, reader = NOW + 40 * DAY, Reader(url)
    # It agrees with the exchange's, and is as wrong.
    report = await cut(writer, compared(ahead_ms, ahead_ms))
    assert report["before_ms"] == START + 19 * MINUTE - 30 * DAY
    assert reader.count("liquidations") == 20
    assert known(reader) == [Interval(START, START + 20 * MINUTE)]
    reader.close()


async def test_a_clock_that_is_right_deletes_what_is_older(writer: Writer, url: str) -> None:
    reader = Reader(url)
    report = await cut(writer, compared(NOW, NOW))
    assert (report["held_back"], reader.count("liquidations")) == (None, 20)
    reader.close()


def test_a_store_that_a_wrong_clock_cut_in_the_future_knows_its_minutes_again(
    writer: Writer, url: str
) -> None:
    reader = Reader(url)
    writer.prune(NOW + 10 * DAY)  # all of it
    record(writer, START + 20 * MINUTE)
    assert known(reader) == [Interval(START + 20 * MINUTE, START + 21 * MINUTE)]
    # What an earlier version wrote.
    writer.put_state("pruned_ms", NOW + 10 * DAY, 0)
    record(writer, START + 21 * MINUTE)
    assert known(reader) == [Interval(START + 20 * MINUTE, START + 22 * MINUTE)]
    writer.prune(START - DAY)
    assert reader.states(["pruned_ms"])["pruned_ms"] == START - DAY
    reader.close()
