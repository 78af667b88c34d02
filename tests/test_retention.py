"""A running sidecar deletes what is older than ``keep_days`` while it records and settles."""

import asyncio
from pathlib import Path

import pytest

from liq_provider.coverage import Interval
from liq_provider.errors import SettingsError
from liq_provider.liquidation import Liquidation
from liq_provider.settings import load_settings
from liq_provider.store.booking import Incoming
from liq_provider.store.engine import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer

from .sidecars import MINUTE, Process, Time, liquidate, quiet_exchange, until
from .test_stopping import place

START = 1_795_350_000_000
DAY = 86_400_000
OLD = 20_000


def remember_old_ones(url: str, now_ms: int) -> None:
    """As many liquidations of four days ago, and one of a day ago."""
    writer = Writer(open_engine(url))
    times = [now_ms - 4 * DAY + n * 100 for n in range(OLD)] + [now_ms - DAY]
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
    moment = Time(START + 40_000)
    async with quiet_exchange(moment) as sim:
        found = place(sim, tmp_path, keep_days=2)
        url = f"sqlite:///{found.files.prefix}"
        remember_old_ones(url, moment.now_ms())
        process, reader = Process(found.config, tmp_path / "log"), Reader(url)
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
            spans = reader.coverage(["okx"], 0, START + DAY, ["import"])["okx"]
            told = reader.states(["sidecar"])["sidecar"]["retention"]
            assert await process.end(15) == 0
        finally:
            process.close()
            reader.close()
    log = (tmp_path / "log").read_text()
    assert "rows were older than 2 days; they are deleted" in log
    assert "Traceback" not in log
    assert told["deleted_rows"] > OLD
    assert told["longest_ms"] < 1_000  # some 30 where nothing else runs
    assert spans[0].start_ms == told["before_ms"]
    assert abs(told["before_ms"] - (START - 2 * DAY)) < 10 * MINUTE


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
