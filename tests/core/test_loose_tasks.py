"""Tasks that nobody waits for."""

import asyncio
import gc

from liq_provider.core.ending import end
from liq_provider.core.loose_tasks import LooseTasks


async def test_a_task_is_held_until_it_is_done_and_no_longer() -> None:
    tasks, go, done = LooseTasks(), asyncio.Event(), []

    async def work() -> None:
        await go.wait()
        done.append("done")

    tasks.start(work())
    await asyncio.sleep(0)
    gc.collect()
    assert len(list(tasks)) == 1
    go.set()
    await asyncio.wait(list(tasks))
    await asyncio.sleep(0)
    assert (done, list(tasks)) == (["done"], [])


async def test_whoever_holds_them_ends_them() -> None:
    tasks = LooseTasks()
    for _ in range(3):
        tasks.start(asyncio.sleep(60))
    await asyncio.sleep(0)
    held = list(tasks)
    await end(held)
    assert [task.cancelled() for task in held] == [True] * 3
    assert list(tasks) == []
