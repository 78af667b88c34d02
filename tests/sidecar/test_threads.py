"""The threads that parts of a sidecar share."""

import threading
import time

import pytest

from liq_provider.sidecar.threads import Threads


def test_the_end_waits_for_no_thread_that_hangs() -> None:
    threads, go = Threads(), threading.Event()
    hung = [pool.submit(go.wait, 30) for pool in (threads.writing, threads.asking, threads.looking)]
    begun_s = time.monotonic()
    threads.close()
    assert time.monotonic() - begun_s < 10
    with pytest.raises(RuntimeError):
        threads.writing.submit(time.monotonic)
    go.set()
    assert all(call.result(30) for call in hung)


def test_what_is_written_is_written_in_its_order() -> None:
    threads, written = Threads(), []
    calls = [threads.writing.submit(written.append, n) for n in range(100)]
    for call in calls:
        call.result(30)
    threads.close()
    assert written == list(range(100))
