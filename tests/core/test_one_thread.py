"""A thread that nobody waits for."""

import subprocess
import sys
import threading
import time

import pytest

from liq_provider.core.one_thread import OneThread


def test_one_thing_is_done_after_the_other() -> None:
    thread, done = OneThread("one"), []
    futures = [thread.submit(done.append, n) for n in range(100)]
    assert [future.result(60) for future in futures] == [None] * 100
    assert done == list(range(100))
    thread.shutdown()


def test_an_error_is_the_callers() -> None:
    thread = OneThread("one")
    with pytest.raises(ZeroDivisionError):
        thread.submit(lambda: 1 / 0).result(60)
    assert thread.submit(lambda: 7).result(60) == 7
    thread.shutdown()
    with pytest.raises(RuntimeError, match="ended"):
        thread.submit(print)


def test_what_has_not_begun_can_be_given_up() -> None:
    thread, go = OneThread("one"), threading.Event()
    begun = threading.Event()

    def hang() -> bool:
        begun.set()
        return go.wait(30)

    first = thread.submit(hang)
    assert begun.wait(60)
    later = [thread.submit(print, "never") for _ in range(3)]
    thread.shutdown(wait=False, cancel_futures=True)
    go.set()
    assert first.result(60)
    assert all(future.cancelled() for future in later)


def test_it_tells_how_long_it_has_been_at_one_thing() -> None:
    with OneThread("one") as thread:
        assert thread.busy_s == 0.0
        begun, go = threading.Event(), threading.Event()

        def work() -> bool:
            begun.set()
            return go.wait(60)

        first = thread.submit(work)
        assert begun.wait(60)
        time.sleep(2.0)
        assert thread.busy_s >= 2.0
        second = thread.submit(lambda: thread.busy_s)
        go.set()
        assert first.result(60)
        assert second.result(60) < 2.0, "of the next thing it is counted anew"


@pytest.mark.processes
def test_a_process_ends_although_the_thread_hangs() -> None:
    program = (
        "import time\n"
        "from liq_provider.core.one_thread import OneThread\n"
        "OneThread('stuck').submit(time.sleep, 600)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], timeout=180)
    assert done.returncode == 0
