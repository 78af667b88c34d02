"""Tasks that nobody waits for, held so that they are not collected before they are done."""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any


class LooseTasks:
    """Begun from code that must not block; whoever holds them ends them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __iter__(self) -> Iterator[asyncio.Task[Any]]:
        return iter(tuple(self._tasks))

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Begin it in the loop that runs."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
