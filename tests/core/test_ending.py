"""Ending what runs, also if something of it does not end."""

import asyncio
import time

from liq_provider.core.ending import end, first_of


async def test_what_runs_is_cancelled_and_may_finish_what_it_has_to() -> None:
    done = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            done.append("closed")

    tasks = [asyncio.create_task(work()) for _ in range(3)]
    await asyncio.sleep(0)
    await end(tasks)
    assert done == ["closed"] * 3
    assert all(task.cancelled() for task in tasks)


async def test_what_does_not_end_is_left_to_itself() -> None:
    go = asyncio.Event()

    async def stubborn() -> None:
        while not go.is_set():
            try:
                await go.wait()
            except asyncio.CancelledError:
                continue

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    begun_s = time.monotonic()
    await end([task], after_s=0.1)
    assert time.monotonic() - begun_s < 10
    assert not task.done()
    go.set()
    await task


async def test_what_is_done_in_time_is_not_cancelled() -> None:
    task = asyncio.create_task(asyncio.sleep(0.05, "result"))
    await end([task], after_s=10)
    assert task.result() == "result"


async def test_work_is_given_up_when_something_else_ends_before_it() -> None:
    other = asyncio.create_task(asyncio.sleep(0.05))
    async with asyncio.timeout(10):
        await first_of(asyncio.sleep(60), other)
