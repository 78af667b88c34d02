"""The real bot in a process whose clock is set while it runs."""

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from liq_provider.launch.processes import Child, python_module
from tests.clockshim import ClockShim
from tests.integration.harness import (
    bot_config,
    fresh_minute,
    next_minute,
    now_ms,
    open_store,
    simulator,
    until,
    wave,
)

JUMPED = "no entries, this machine's clock jumped by +{}.0 s (max_skew_ms)"


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="Linux only")
def test_it_is_named_in_the_next_loop_and_no_wave_is_announced(tmp_path: Path) -> None:
    clock = ClockShim(tmp_path)
    store = open_store(tmp_path)
    with simulator() as sim:
        (tmp_path / "config.json").write_text(json.dumps(bot_config(sim, tmp_path)))
        command = ["trade", "-c", str(tmp_path / "config.json")]
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("PYTEST_VERSION", raising=False)  # Freqtrade would log otherwise
            bot = Child(
                "freqtrade",
                python_module("freqtrade", *command, "--userdir", str(tmp_path / "user_data")),
                tmp_path / "log",
                clock.environment,
            )

        def says(*parts: str) -> Callable[[], bool]:
            return lambda: all(part in (tmp_path / "log").read_text() for part in parts)

        try:
            store.settle(fresh_minute(0))
            until(says("entries are possible."), 60)
            close_ms = next_minute()
            clock.set(7)
            jumped_ms = now_ms()
            until(says(JUMPED.format(7)), 20)
            print(f"named after {(now_ms() - jumped_ms) / 1000:.1f} s, with a loop each second")
            wave(store, close_ms, {"BTC": ("SHORT", 9)})
            until(says("strong wave SHORT"), 20)
            assert says("not entered: `this machine's clock jumped by +7.0 s")()
            assert not says("enter (medium)")()
            clock.set(0)
            until(says("entries are possible again", "enter (medium)", "was created for BTC"), 20)
            clock.set(600)
            until(says(JUMPED.format(600)), 20)
            assert not says("liquidation data is")(), "it is the clock that is wrong"
        except AssertionError:
            print((tmp_path / "log").read_text()[-6_000:])
            raise
        finally:
            bot.stop()
            store.close()
    with closing(sqlite3.connect(tmp_path / "trades.sqlite")) as database:
        tags = database.execute("select enter_tag from trades").fetchall()
    assert tags == [("liq_short_strong_medium",)], "once the clock was good again"
