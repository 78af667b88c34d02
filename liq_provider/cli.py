"""``liq-provider``: the command line. Imports nothing heavy, so that ``--help`` is quick."""

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType
from typing import cast

from liq_provider import __version__
from liq_provider.errors import LiqError
from liq_provider.simulator import DEFAULT_PORT

_WHEN = "UTC, such as 2026-03-10T05:09 or 2026-03-10; or milliseconds"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="liq-provider",
        description="Liquidations for Freqtrade: stream, store, judge, explain.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, module: str, help_text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help_text, description=help_text)
        command.set_defaults(module=module)
        if name != "simulate":
            command.add_argument(
                "-c",
                "--config",
                action="append",
                metavar="FILE",
                help="Freqtrade configuration; may be repeated "
                "(default: user_data/config.json or config.json, if there is one)",
            )
            command.add_argument("--store", metavar="URL", help="instead of liq_provider.store")
        return command

    _init(add("init", "init", "Have a bot of your own look at the whole market."))
    _run(add("run", "run", "Run the sidecar in the foreground."))
    add("stop", "run", "Ask the running sidecar to end.")
    _status(add("status", "status", "Show feeds, coverage, readiness and the judge."))
    add("doctor", "doctor", "Check configuration, pairs, network, clock and store.")
    _import(add("import", "history", "Import recorded liquidations."))
    _export(add("export", "archive", "Write the store as Parquet files, a day each."))
    _fill(add("fill", "history", "Complete gaps from the public history of venues that have one."))
    _candles(add("candles", "candles", "Give Freqtrade candles from a CSV file."))
    add("rebuild", "history", "Make the minutes anew from the stored liquidations.")
    _prune(add("prune", "history", "Delete what is older than a number of days."))
    _features(add("features", "features", "Print a pair's features by minute."))
    _plot(add("plot", "plot", "Draw candles, liquidations, z, verdicts and trades of a pair."))
    _explain(add("explain", "explain", "Print every gate of a decision, with its numbers."))
    _verdicts(add("verdicts", "verdicts", "List what was judged, or export it."))
    _judge(add("judge", "judge", "Show what the model is asked about a wave; ask it."))
    _study(add("study", "study", "Does price run on after a wave, and did the AI help? A report."))
    _simulate(add("simulate", "simulate", "Run a loopback exchange (synthetic or recorded)."))
    return parser


def _span(command: argparse.ArgumentParser) -> None:
    command.add_argument("--pair", required=True, metavar="PAIR")
    command.add_argument("--from", dest="from_time", metavar="TIME", help=_WHEN)
    command.add_argument("--to", dest="to_time", metavar="TIME", help=_WHEN)


def _init(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--userdir", metavar="DIR", help="Freqtrade's user_data (default: the configuration's)"
    )


def _run(command: argparse.ArgumentParser) -> None:
    # A bot hands its settings over; so does this command to itself, with --foreground.
    command.add_argument("--config-from-stdin", action="store_true", help=argparse.SUPPRESS)
    command.add_argument("--foreground", action="store_true", help=argparse.SUPPRESS)


def _status(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="as one JSON object")


def _import(command: argparse.ArgumentParser) -> None:
    command.add_argument("files", nargs="+", metavar="PATH", help="files, folders, patterns")
    command.add_argument(
        "--format",
        metavar="NAME",
        help="see docs/history.md (default: recognised, file by file)",
    )
    command.add_argument(
        "--venue", metavar="NAME", help="whose bare frames they are, one a line, as it sent them"
    )
    command.add_argument(
        "--again", action="store_true", help="read files that were read before once more"
    )
    command.add_argument("--pair", metavar="PAIR", help="what bars are about, if they do not say")
    command.add_argument(
        "--bar", metavar="LENGTH", help="of bars, such as 1h (default: the step between them)"
    )
    command.add_argument(
        "--max-gap",
        type=float,
        default=10,
        metavar="MIN",
        help="a longer hole without a row on any pair is left unknown (default 10)",
    )
    command.add_argument(
        "--covered", metavar="FROM..TO", help=f"what the recording covers; {_WHEN}"
    )


def _export(command: argparse.ArgumentParser) -> None:
    command.add_argument("directory", metavar="DIR", help="must be new or empty")
    command.add_argument("--pair", action="append", metavar="PAIR", help="only; may be repeated")
    command.add_argument("--from", dest="from_time", metavar="TIME", help=_WHEN)
    command.add_argument("--to", dest="to_time", metavar="TIME", help=_WHEN)


def _fill(command: argparse.ArgumentParser) -> None:
    command.add_argument("--pair", action="append", metavar="PAIR", help="may be repeated")
    command.add_argument(
        "--from", dest="from_time", metavar="TIME", help=f"default: a day; {_WHEN}"
    )
    command.add_argument("--to", dest="to_time", metavar="TIME", help=_WHEN)


def _candles(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE")
    command.add_argument("--pair", required=True, metavar="PAIR")
    command.add_argument("--timeframe", metavar="TF", help="default: the configuration's")
    _datadir(command)


def _prune(command: argparse.ArgumentParser) -> None:
    command.add_argument("--days", type=float, help="default: liq_provider.keep_days")
    command.add_argument(
        "--clock-is-right",
        action="store_true",
        help="also if this machine's clock is more than a day ahead of the newest in the store",
    )


def _features(command: argparse.ArgumentParser) -> None:
    _span(command)
    command.add_argument("--format", choices=("csv", "json"), default="csv")


def _explain(command: argparse.ArgumentParser) -> None:
    command.add_argument("--pair", required=True, metavar="PAIR")
    command.add_argument("--at", metavar="TIME", help=f"default: the newest minute; {_WHEN}")
    command.add_argument("--json", action="store_true")


def _verdicts(command: argparse.ArgumentParser) -> None:
    command.add_argument("--pair", metavar="PAIR")
    command.add_argument(
        "--from", dest="from_time", metavar="TIME", help=f"default: a day; {_WHEN}"
    )
    command.add_argument("--to", dest="to_time", metavar="TIME", help=_WHEN)
    command.add_argument("--format", choices=("table", "csv", "json"), default="table")
    command.add_argument(
        "--calls", action="store_true", help="questions to the model, with prompt and raw answer"
    )


def _judge(command: argparse.ArgumentParser) -> None:
    command.add_argument("--pair", required=True, metavar="PAIR")
    command.add_argument("--at", required=True, metavar="TIME", help=_WHEN)
    command.add_argument("--dry", action="store_true", help="show the prompt, send nothing")


def _datadir(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--datadir",
        metavar="DIR",
        help="Freqtrade's candles (default: the exchange's folder in user_data/data)",
    )


def _plot(command: argparse.ArgumentParser) -> None:
    _span(command)
    _datadir(command)
    command.add_argument(
        "--out", metavar="FILE", help=".html or .png (default: a page in user_data/plot)"
    )
    command.add_argument("--theme", choices=("light", "dark"), default="light")


def _study(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--pair", action="append", metavar="PAIR", help="may be repeated (default: the whitelist)"
    )
    command.add_argument("--candles", metavar="FILE", help="CSV instead of Freqtrade's data")
    _datadir(command)
    command.add_argument("--fee", type=float, default=0.0005, help="taker, one side (0.0005)")
    command.add_argument("--slippage", type=float, default=0.0002, help="one side (0.0002)")
    command.add_argument(
        "--trials", type=int, default=1, help="settings tried on this recording before (1)"
    )
    command.add_argument("--seed", type=int, default=1, help="of resampling and placebos")
    command.add_argument("--open-holdout", action="store_true", help="look at the last days, once")
    command.add_argument("--out", metavar="DIR", help="default: user_data/study")


def _simulate(command: argparse.ArgumentParser) -> None:
    command.add_argument("--port", type=int, default=DEFAULT_PORT)
    command.add_argument("--seed", type=int, default=1, help="of the synthetic market")
    command.add_argument("--demo", action="store_true", help="with the demo's scripted waves")
    command.add_argument(
        "--hold", action="store_true", help="the scripted waves wait for POST /sim/begin"
    )
    command.add_argument("--recording", metavar="FILE", help="replay instead of synthesising")
    command.add_argument("--format", metavar="NAME", help="of the recording")
    command.add_argument("--speed", type=float, default=1.0, help="of the recording")


def _load_for_good(name: str) -> ModuleType:
    """
    In a process that does nothing else. What a command imports is there until it ends; to look for
    garbage among it would take a tenth of the time.
    """
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()


def main(argv: Sequence[str] | None = None) -> int:
    """
    :return: exit status; 0 well, 1 something to look at, 2 could not be done
    """
    arguments = _parser().parse_args(argv)
    try:
        load = import_module if argv is not None else _load_for_good
        module = load(f"liq_provider.commands.{arguments.module}")
        run = cast(
            Callable[[argparse.Namespace], int],
            getattr(module, arguments.command.replace("import", "import_")),
        )
        return run(arguments)
    except LiqError as error:
        print(f"liq-provider: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output went away, as `head` does; that is no error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
