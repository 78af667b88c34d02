"""
In which order rows run.

Rows whose bots wait for minutes to end come first, and beside them those that may be interrupted,
which stand still around each of these ends. What is then left has the machine to itself.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from benchmarks.contest import Row
from benchmarks.referee import Outcome


def in_turn(rows: Sequence[Row], judge: Callable[[Row], Outcome], ended: Event) -> list[Outcome]:
    """
    :param judge: takes its time for a row
    :param ended: is set when this is interrupted, so that rows in other threads end, too
    :return: what each row came to, in the order of the rows
    """
    outcomes: dict[str, Outcome] = {}

    def run(some: Sequence[Row]) -> None:
        for row in some:
            outcomes[row.name] = judge(row)

    def wait_for_minutes() -> None:
        for number in sorted({row.waits for row in rows} - {0}):
            together = [[row] for row in rows if row.waits == number]
            with ThreadPoolExecutor(len(together)) as pool:
                list(pool.map(run, together))

    with ThreadPoolExecutor(1) as aside:
        try:
            waiting = aside.submit(wait_for_minutes)
            run([row for row in rows if row.interruptible])
            waiting.result()
            run([row for row in rows if not row.interruptible and not row.waits])
        except BaseException:
            ended.set()
            raise
    return [outcomes[row.name] for row in rows]
