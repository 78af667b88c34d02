"""What is paid for is counted once, whoever asks at the same time."""

import subprocess
import sys

import pytest

from liq_provider.store.news_spending import Spending, spent, take_call
from liq_provider.store.writer import Writer

DAY = 20_000

ASKS = """
import sys
from liq_provider.store.database import open_engine
from liq_provider.store.news_spending import take_call
engine = open_engine(sys.argv[1])
print(sum(take_call(engine, "brave", 20_000, 60, 0.005)[0] for _ in range(50)))
engine.dispose()
"""


@pytest.mark.processes
def test_processes_that_ask_at_once_never_have_more_than_the_limit(
    writer: Writer, store_url: str
) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", ASKS, store_url], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    granted = [int(process.communicate(timeout=300)[0]) for process in processes]
    assert sum(granted) == 60, granted
    counted = spent(writer.engine, "brave", DAY)
    assert (counted.calls, round(counted.usd, 9)) == (60, 0.3)


def test_days_and_purposes_are_counted_apart(writer: Writer) -> None:
    for what, day in (("brave", DAY), ("brave", DAY + 1), ("other", DAY)):
        assert take_call(writer.engine, what, day, 1, 0.5) == (True, Spending(day, 1, 0.5))
        assert take_call(writer.engine, what, day, 1, 0.5) == (False, Spending(day, 1, 0.5))
    assert spent(writer.engine, "brave", DAY + 2) == Spending(DAY + 2, 0, 0.0)
