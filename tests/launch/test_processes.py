"""How a launcher is asked to end, and when it does."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from liq_provider.launch.processes import ended_politely


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Whatever a test does with the signals, the run goes on as before."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_work_in_progress_is_finished_and_the_next_pause_ends(number: signal.Signals) -> None:
    finished = False
    with ended_politely() as ending:
        signal.raise_signal(number)
        finished = True
        with pytest.raises(KeyboardInterrupt):
            ending.pause(60)
    assert finished


def test_a_pause_ends_soon_after_it_was_asked_to() -> None:
    begin_s = time.monotonic()
    with ended_politely() as ending:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
        with pytest.raises(KeyboardInterrupt):
            ending.pause(60)
    assert time.monotonic() - begin_s < 10


def test_a_pause_that_nobody_ends_lasts_as_long_as_it_should() -> None:
    begin_s = time.monotonic()
    with ended_politely() as ending:
        ending.pause(0.25)
    assert time.monotonic() - begin_s >= 0.25


def test_a_second_ctrl_c_does_not_wait_but_a_second_kill_does() -> None:
    with ended_politely():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_what_is_ignored_stays_ignored(number: signal.Signals) -> None:
    signal.signal(number, signal.SIG_IGN)
    with ended_politely() as ending:
        signal.raise_signal(number)
        ending.pause(0)
    assert signal.getsignal(number) == signal.SIG_IGN


def test_what_was_before_is_there_again() -> None:
    with ended_politely():
        assert signal.getsignal(signal.SIGTERM) != signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) == signal.default_int_handler
