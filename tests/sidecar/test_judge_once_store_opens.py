"""The judge, which begins when the store can be read."""

import asyncio
from typing import Any, ClassVar, cast

import pytest

from liq_provider.errors import StoreBusy
from liq_provider.measure.minute_results import Settled
from liq_provider.sidecar import judge_once_store_opens
from liq_provider.sidecar.judge_once_store_opens import JudgeOnceStoreOpens
from liq_provider.sidecar.running_minute import Running
from liq_provider.sidecar.sidecar_config import SidecarConfig
from liq_provider.sidecar.store_access import StoreAccess
from liq_provider.sidecar.threads import Threads
from tests.store.helpers import MINUTE, T0

SETTLED = Settled(T0, (), {}, ())


class FakeSidecarJudge:
    """Stands in for the sidecar's judge; how often the store fails before it is read is set."""

    asks_ahead = False
    fails = 0
    made: ClassVar[list["FakeSidecarJudge"]] = []

    def __init__(self, *_: object) -> None:
        if type(self).fails > 0:
            type(self).fails -= 1
            raise StoreBusy("database is locked")
        self.judged: list[Settled] = []
        self.foreseen = 0
        self.closed = False
        self.made.append(self)

    def prepare(self) -> None:
        """Nothing is to be loaded."""

    async def judge(self, settled: Settled) -> None:
        self.judged.append(settled)

    async def foresee(self, *_: object) -> None:
        self.foreseen += 1

    def report(self) -> dict[str, Any]:
        return {"judged": len(self.judged)}

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Any:
    own = type("Own", (FakeSidecarJudge,), {"made": []})
    monkeypatch.setattr(judge_once_store_opens, "SidecarJudge", own)
    monkeypatch.setattr(judge_once_store_opens, "_RETRY_S", 0.01)
    return own


class OpeningRig:
    def __init__(self) -> None:
        self.threads, self.serving = Threads(), asyncio.Event()
        nothing = cast(Any, _NotLookedAt())
        self.judge = JudgeOnceStoreOpens(
            cast(SidecarConfig, nothing),
            nothing,
            cast(StoreAccess, nothing),
            *(self.threads, self.serving, lambda: T0),
        )


class _NotLookedAt:
    """What is handed on and not looked at."""

    def __getattr__(self, name: str) -> Any:
        return _NotLookedAt()


@pytest.fixture
async def parts() -> Any:
    made = OpeningRig()
    yield made
    made.threads.close()


async def test_it_judges_nothing_before_the_store_was_read_and_asks_again_if_it_fails(
    parts: OpeningRig, stand: Any, caplog: pytest.LogCaptureFixture
) -> None:
    stand.fails = 2
    judge = parts.judge
    opening = asyncio.create_task(judge.open())
    await judge.judge(SETTLED)
    await judge.prepare()
    assert not opening.done()
    assert judge.report()["judged"] == 0
    parts.serving.set()
    await asyncio.wait_for(opening, 20)
    assert "What was judged before cannot be read: database is locked" in caplog.text
    await judge.judge(SETTLED)
    assert judge.report() == {"judged": 1}
    await judge.close()
    (made,) = stand.made
    assert made.closed


async def test_who_answers_at_once_is_not_worth_asking_before_a_close(
    parts: OpeningRig, stand: Any
) -> None:
    parts.serving.set()
    assert not parts.judge.asks_ahead
    await parts.judge.open()
    assert not parts.judge.asks_ahead
    stand.made[0].asks_ahead = True
    assert parts.judge.asks_ahead


async def test_a_running_minute_is_foreseen_only_when_the_one_before_is_settled(
    parts: OpeningRig, stand: Any
) -> None:
    parts.serving.set()
    await parts.judge.foresee(Running(T0 + MINUTE, T0))
    await parts.judge.open()
    (made,) = stand.made
    await parts.judge.foresee(Running(T0 + 2 * MINUTE, T0))
    assert made.foreseen == 0
    await parts.judge.foresee(Running(T0 + MINUTE, T0))
    assert made.foreseen == 1


async def test_one_that_never_opened_is_closed_all_the_same(parts: OpeningRig, stand: Any) -> None:
    await parts.judge.close()
    assert stand.made == []
