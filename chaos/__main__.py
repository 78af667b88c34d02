"""``python -m chaos --minutes 10 --seed 1``."""

import argparse
import logging
import signal
import sys
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.table import Table

from chaos.ledger import Line
from chaos.postgres import NoServer
from chaos.run import Options, Run, balances
from chaos.world import NotUp

console = Console(highlight=False)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos", description="Break everything, then compare.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dir", type=Path, default=Path("user_data/chaos"))
    return parser.parse_args()


def main() -> int:
    """:return: 0 if the ledger balances"""
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    signal.signal(signal.SIGTERM, _end)
    arguments = _arguments()
    directory = arguments.dir.resolve() / f"seed-{arguments.seed}"
    options = Options.of(arguments.seed, arguments.minutes, directory)
    again = f"make chaos MINUTES={arguments.minutes:g} SEED={arguments.seed}"
    console.print(
        f"Seed {options.seed}: {options.setup.store}, {len(options.setup.sidecars)} sidecar(s), "
        f"{len(options.faults)} faults in {options.minutes:g} minutes. Again: {again}"
    )
    try:
        lines = Run(options).run()
    except (NotUp, NoServer) as problem:
        console.print(f"chaos: {problem}", markup=False)
        return 2
    show(lines)
    good = balances(lines)
    console.print("The ledger balances." if good else f"It does NOT balance. Again: {again}")
    console.print(f"Report and logs: {directory}", markup=False, soft_wrap=True)
    return 0 if good else 1


def show(lines: list[Line]) -> None:
    """Print the ledger."""
    table = Table("what", "figure", "", box=None, pad_edge=False)
    for line in lines:
        table.add_row(line.name, line.value, {None: "", True: "ok", False: "WRONG"}[line.ok])
    console.print(table)
    for line in lines:
        for text in line.examples:
            console.print(f"{line.name}: {text}", markup=False, soft_wrap=True)


def _end(number: int, frame: object) -> NoReturn:
    """As Ctrl-C does it, so that nothing is left running."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
