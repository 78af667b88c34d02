"""An event loop beside the one that calls it."""

import asyncio
import threading

import pytest

from liq_provider.core.own_loop import OwnLoop


async def test_work_runs_in_the_named_thread_and_returns_its_value() -> None:
    own = OwnLoop("beside")

    async def work() -> str:
        return threading.current_thread().name

    assert await own.call(work()) == "beside"
    await own.close()
    assert "beside" not in {thread.name for thread in threading.enumerate()}


async def test_what_blocks_over_there_blocks_nobody_here() -> None:
    own, started, released = OwnLoop("beside"), threading.Event(), threading.Event()

    async def work() -> None:
        started.set()
        released.wait(30)

    waiting = asyncio.create_task(own.call(work()))
    try:
        assert await asyncio.to_thread(started.wait, 5)
        for _ in range(10):
            await asyncio.sleep(0.01)
        assert not waiting.done()
    finally:
        released.set()
        await waiting
        await own.close()


async def test_errors_and_cancellation_cross_over() -> None:
    own, started, cancelled = OwnLoop("beside"), threading.Event(), threading.Event()

    async def fails() -> None:
        raise ValueError("over there")

    async def hangs() -> None:
        try:
            started.set()
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(ValueError, match="over there"):
        await own.call(fails())
    waiting = asyncio.create_task(own.call(hangs()))
    assert await asyncio.to_thread(started.wait, 5)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asyncio.to_thread(cancelled.wait, 5)
    await own.close()


async def test_closing_ends_what_still_runs() -> None:
    own, started = OwnLoop("beside"), threading.Event()

    async def runs() -> None:
        started.set()
        await asyncio.sleep(60)

    waiting = asyncio.create_task(own.call(runs()))
    assert await asyncio.to_thread(started.wait, 5)
    await own.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_what_needs_a_moment_to_end_is_given_it() -> None:
    own, started, written = OwnLoop("beside"), threading.Event(), threading.Event()

    async def records() -> None:
        try:
            started.set()
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.1)
            written.set()

    waiting = asyncio.create_task(own.call(records()))
    assert await asyncio.to_thread(started.wait, 5)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await own.finish(5.0)
    assert written.is_set()
    await own.close()


async def test_what_does_not_end_by_itself_is_cancelled_before_what_it_uses_is_closed() -> None:
    own, started, ended = OwnLoop("beside"), threading.Event(), threading.Event()

    async def uses() -> None:
        try:
            started.set()
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            ended.set()

    waiting = asyncio.create_task(own.call(uses()))
    assert await asyncio.to_thread(started.wait, 5)
    await own.finish(0.2)
    assert ended.is_set()
    await own.close()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_nothing_needs_to_finish_where_nothing_began() -> None:
    own = OwnLoop("beside")
    await own.finish(5.0)
    await own.close()
    assert "beside" not in {thread.name for thread in threading.enumerate()}
