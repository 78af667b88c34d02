"""
Runs all rows, or those that are named, prints them and writes ``benchmarks/results.md``.

    python -m benchmarks [ROW ...] [--rounds 5]

Ends with 1 if a result was not computed or not equal, and never because something was slow.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contest import Row
from benchmarks.machine import load, machine, today, versions
from benchmarks.referee import ROOT, Outcome, Referee, own_python
from benchmarks.report import Circumstances, markdown
from benchmarks.rows import ROWS
from benchmarks.timetable import in_turn

RESULTS = Path(__file__).with_name("results.md")
PEERS = ROOT / ".venv-bench" / "bin" / "python"


def bench(
    rows: Sequence[Row], rounds: int | None, peers: Path = PEERS
) -> tuple[list[Outcome], str]:
    """:return: what each row came to, and the page"""
    begun, began_s, before = today(), time.monotonic(), load()
    with tempfile.TemporaryDirectory() as name:
        referee = Referee(own_python(), peers, Path(name), _tell)

        def judge(row: Row) -> Outcome:
            _tell(f"== {row.name}: {row.work}")
            row_began_s = time.monotonic()
            outcome = referee.judge(row, rounds)
            took_s = time.monotonic() - row_began_s
            _tell(f"  {row.name}: {outcome.failure or 'done'}, after {took_s:.0f} s")
            return outcome

        outcomes = in_turn(rows, judge, referee.ended)
        around = Circumstances(
            *(
                machine(),
                versions(own_python()),
                versions(peers) if peers.exists() else "not there",
            ),
            *(begun, (time.monotonic() - began_s) / 60, (before, load())),
        )
    return outcomes, markdown(outcomes, around)


def _tell(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    """:return: exit status"""
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="All rows, or some.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(names))
    parser.add_argument("--rounds", type=int, help="of each row, in place of its own")
    chosen = parser.parse_args()
    if unknown := set(chosen.rows) - set(names):
        parser.error(f"no row is called {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if chosen.rounds is not None and chosen.rounds < 1:
        parser.error("--rounds must be 1 or more")
    rows = [row for row in ROWS if not chosen.rows or row.name in chosen.rows]
    outcomes, page = bench(rows, chosen.rounds)
    print(f"\n{page}")
    if chosen.rows:
        print("Not written, as these are not all rows.")
    else:
        RESULTS.write_text(page, encoding="utf-8")
    return int(any(outcome.failure for outcome in outcomes))


if __name__ == "__main__":
    # What runs is in a session of its own, and is ended on the way out.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(main())
