"""Ending what runs, without waiting for what does not end."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

logger = logging.getLogger(__name__)

# For what was cancelled and has something left to do.
_GRACE_S = 2.0


async def first_of(work: Coroutine[Any, Any, None], *others: "asyncio.Task[Any]") -> None:
    """Do something unless one of the others ends before."""
    task = asyncio.create_task(work)
    await asyncio.wait({task, *others}, return_when=asyncio.FIRST_COMPLETED)
    await end([task] if not task.done() else [])


async def end(work: "Sequence[asyncio.Future[Any]]", after_s: float = 0.0) -> None:
    """
    Wait for all of it, then cancel it. What does not end even then is left to itself.

    :param after_s: how long it may take before it is cancelled
    """
    if not work:
        return
    late = set(work)
    if after_s:
        _, late = await asyncio.wait(work, timeout=after_s)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=_GRACE_S)
    for task in work:
        # Whatever became of it is no reason not to end.
        if task.done() and not task.cancelled() and task.exception() is not None:
            logger.debug("At the end: %r", task.exception())
