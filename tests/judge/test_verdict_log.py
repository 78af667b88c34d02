"""Many verdicts at once are few transactions; a store that fails tells every one of them."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from liq_provider.errors import StoreBusy
from liq_provider.judge.matrix_judge import matrix_answer
from liq_provider.judge.verdict import Verdict
from liq_provider.judge.verdict_log import VerdictLog
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.verdict_minutes import Confirmed
from liq_provider.store.verdicts import SaysLess, Written
from liq_provider.store.vetoes import MATRIX, refuses
from liq_provider.store.writer import Writer
from tests.judge.facts import facts

T = 1_760_000_040_000


class CountingWriter(Writer):
    batches: list[int]
    fails = False

    def put_verdicts(
        self,
        rows: Sequence[Any],
        confirmed: Sequence[Confirmed] = (),
        now_ms: int = 0,
        says_less: SaysLess = refuses,
    ) -> list[Written]:
        self.batches.append(len(rows))
        if self.fails:
            raise StoreBusy("Writing verdicts: the store is locked by another process")
        return super().put_verdicts(rows, confirmed, now_ms, says_less)


def made(coin: str) -> tuple[Verdict, Confirmed]:
    wave_facts = facts(base_asset=coin, wave_start_ms=T, close_ms=T)
    verdict = matrix_answer(wave_facts).verdict(wave_facts, MATRIX, T + 2_500, T + 32_000)
    row = verdict.row()
    state = (row["strength"], row["aligned"], row["news_key"], row["judge"])
    return verdict, Confirmed(coin, row["direction"], T, *state, close_ms=T, expires_at=T + 32_000)


@pytest.fixture
def writer(tmp_path: Path) -> CountingWriter:
    writer = CountingWriter(open_engine(f"sqlite:///{tmp_path}/store.sqlite"))
    writer.batches = []
    return writer


async def test_what_comes_during_a_write_shares_the_next(
    writer: CountingWriter, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(1) as store:
        log = VerdictLog(writer, store, lambda: T + 2_600)
        new = await asyncio.gather(*(log.put(*made(f"C{n}")) for n in range(300)))
        assert new == [Written.NEW] * 300
        assert sum(writer.batches) == 300 and len(writer.batches) <= 2
        assert await log.put(*made("C7")) is Written.KNOWN
        assert await log.put(None, made("C7")[1]) is Written.KNOWN
        await log.close()
    assert len(Reader(f"sqlite:///{tmp_path}/store.sqlite").verdicts(T, T + 60_000)) == 300
    writer.close()


async def test_a_failure_is_told_to_each_and_the_next_is_tried_again(
    writer: CountingWriter,
) -> None:
    with ThreadPoolExecutor(1) as store:
        log = VerdictLog(writer, store, lambda: T + 2_600)
        writer.fails = True
        results = await asyncio.gather(
            *(log.put(*made(f"C{n}")) for n in range(3)), return_exceptions=True
        )
        assert [type(result) for result in results] == [StoreBusy] * 3
        writer.fails = False
        assert await log.put(*made("C0")) is Written.NEW
    writer.close()


async def test_one_that_is_given_up_takes_no_other_with_it(writer: CountingWriter) -> None:
    with ThreadPoolExecutor(1) as store:
        log = VerdictLog(writer, store, lambda: T + 2_600)
        first, second = (asyncio.create_task(log.put(*made(f"C{n}"))) for n in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second is Written.NEW
        await log.close()
    writer.close()
