"""Who is ready, written down after every settled minute."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from liq_provider.measure.feature_rows import State
from liq_provider.measure.readiness import FeedFacts, ReadinessReport
from liq_provider.sidecar.readiness_writer import ReadinessWriter
from liq_provider.store.readiness_facts import assess
from tests.sidecar.test_settle_minute import SETTINGS, Store
from tests.store.helpers import MINUTE, T0

HEARD = {"bybit": FeedFacts(heard_ms=0)}


async def test_every_settled_minute_is_written_down(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.past(40)
    store.settle(1, (0, 1))
    pool = ThreadPoolExecutor(2)
    lively: dict[str, int] = {}
    readiness = ReadinessWriter(
        store.reader,
        store.writer,
        SETTINGS,
        lambda: HEARD,
        lambda: {"BTC": "BTC/USDT:USDT"},
        lively.update,
        pool,
        pool,
    )
    await readiness.assess(T0 + MINUTE, T0 + MINUTE)
    pool.shutdown()
    told = ReadinessReport.of_json(store.reader.states(["readiness"])["readiness"])
    assert told == assess(store.reader, SETTINGS, HEARD, T0 + MINUTE).report
    (row,) = store.reader.readiness()
    assert (row["pair"], row["state"]) == ("BTC/USDT:USDT", State.READY)
    assert row["close_ms"] == T0 + MINUTE
    assert lively == {"BTC": row["active_n"]} and row["active_n"] > 0
