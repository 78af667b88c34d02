"""``make trade``: dry-run on the public feeds, told in words."""

import logging
import shutil
import sys
import time
from pathlib import Path

from freqtrade.constants import DEFAULT_DB_DRYRUN_URL
from rich.console import Console
from sqlalchemy.engine import make_url

from liq_provider.commands.support.context import read_config
from liq_provider.config.pair_list_file import pair_list_of, seed
from liq_provider.config.settings import load_settings, resolve_store
from liq_provider.errors import LiqError, UsageError
from liq_provider.launch.narrator import Narrator, clock_text, summary_table
from liq_provider.launch.processes import Child, Ending, ended_politely, python_module, stop_all
from liq_provider.store.reader import Reader

_POLL_S = 2.0

console = Console(highlight=False)


def main() -> int:
    """Runs until Ctrl-C; the sidecar goes on for ``idle_exit_min`` minutes after that."""
    logging.basicConfig(level=logging.WARNING)
    root = Path.cwd()
    path = root / "user_data" / "config.json"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        shutil.copy(root / "config.json.example", path)
        console.print(f"Made {path} from config.json.example; change it as you like.")
    config = read_config([str(path)])
    if not config.get("dry_run", True):
        raise UsageError(
            f"dry_run is false in {path} or the environment; real money is not started from here: "
            "freqtrade trade --strategy LiqTrend"
        )
    settings = load_settings(config)
    reader = Reader(resolve_store(settings, root))
    database = make_url(config.get("db_url") or DEFAULT_DB_DRYRUN_URL).database or ""
    since_ms = int(time.time() * 1000)
    narrator = Narrator(reader, settings, root / database, since_ms, config, root)
    log = root / "user_data" / "freqtrade.log"
    console.print(f"DRY-RUN on {config['exchange']['name']}'s public data. Log: {log}")
    console.print("Details at any time: .venv/bin/liq-provider status")
    pairs = pair_list_of(config, settings, root)
    if pairs is not None and seed(pairs, config):
        console.print(f"Made {pairs}, the list of pairs; the sidecar keeps it from now on.")
    console.print()
    command = python_module("freqtrade", "trade", "--strategy", "LiqTrend", "-c", str(path))
    with ended_politely() as ending:
        bot = Child("freqtrade", command, log, {"FREQTRADE__DRY_RUN": "true"})
        try:
            _watch(bot, narrator, ending)
        except KeyboardInterrupt:
            console.print("\nStopping the bot ...")
        finally:
            stop_all([bot])
    console.print(summary_table(narrator, "Trades of this dry-run"))
    console.print("The sidecar keeps recording; end it with: .venv/bin/liq-provider stop")
    return 0


def _watch(bot: Child, narrator: Narrator, ending: Ending) -> None:
    waiting = True
    while bot.running:
        for line in narrator.news():
            if waiting and line.startswith("store "):
                continue  # the sidecar makes its store in a moment
            waiting = False
            console.print(f"{clock_text()}  {line}", markup=False, soft_wrap=True)
        ending.pause(_POLL_S)
    tail = "\n  ".join(bot.log.read_text(errors="replace").splitlines()[-5:])
    raise UsageError(f"Freqtrade ended; see {bot.log}\n  {tail}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LiqError as problem:
        sys.exit(f"trade: {problem}")
