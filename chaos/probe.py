"""
The real bot with a stopwatch: ``freqtrade trade``, and a line for each of its loops.

The loop is timed where Freqtrade calls it, around everything that it does but its own pause, on
the machine's monotonic clock, which no jump of the wall clock moves. Timed besides are what the
exchange took to answer, which is the same without LiqTrend, and how long the thread was ready to
run while other processes had the machine.
"""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from freqtrade.exchange import Exchange
from freqtrade.main import main
from freqtrade.persistence import Trade
from freqtrade.worker import Worker

LOG = "CHAOS_PROBE_LOG"


def _trades() -> list[dict[str, Any]]:
    return [
        {
            "id": trade.id,
            "pair": trade.pair,
            "short": trade.is_short,
            "tag": trade.enter_tag,
            "open_rate": trade.open_rate,
            "stop": trade.stop_loss,
            "filled": trade.amount > 0 and not trade.has_open_orders,
        }
        for trade in Trade.get_trades_proxy(is_open=True)
    ]


_SCHEDULED = Path("/proc/thread-self/schedstat")


def starved_s() -> float:
    """:return: how long this thread has waited for a processor; 0 where the system cannot tell"""
    try:
        return int(_SCHEDULED.read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


class Stopwatch:
    """
    Adds up what calls of a kind take, those within another one not twice, nor the time in which
    the thread waited for a processor.
    """

    def __init__(self) -> None:
        self.taken_s = 0.0
        self._depth = 0
        self._owners: set[Any] = set()

    def of(self, owner: Any, names: Sequence[str]) -> None:
        """Time methods of a class, from the first call of this on."""
        if owner not in self._owners:
            self._owners.add(owner)
            for name in names:
                self._around(owner, name)

    def _around(self, owner: Any, name: str) -> None:
        plain = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            self._depth += 1
            begin_s = time.monotonic() - starved_s()
            try:
                return plain(*args, **kwargs)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.taken_s += time.monotonic() - starved_s() - begin_s

        setattr(owner, name, timed)


def install(path: Path) -> None:
    """Have every loop of this process noted."""
    file = path.open("ab", buffering=0)
    exchange, strategy = Stopwatch(), Stopwatch()
    exchange.of(Exchange, ("refresh_latest_ohlcv", "fetch_l2_order_book", "fetch_ticker"))
    plain = Worker._process_running

    def timed(self: Worker) -> None:
        strategy.of(type(self.freqtrade.strategy), ("bot_loop_start", "analyze"))
        begin_s, before_s = time.monotonic(), starved_s()
        exchange.taken_s = strategy.taken_s = 0.0
        try:
            plain(self)
        finally:
            line = {
                "pid": os.getpid(),
                "begin_s": begin_s,
                "end_s": time.monotonic(),
                "starved_s": starved_s() - before_s,
                "exchange_s": exchange.taken_s,
                "strategy_s": strategy.taken_s,
                "trades": _trades(),
            }
            file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    Worker._process_running = timed


if __name__ == "__main__":
    install(Path(os.environ[LOG]))
    main(sys.argv[1:])
