"""``init``: what a bot needs beside its own configuration to look at the whole market."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from liq_provider.commands.support.context import context_of
from liq_provider.config.pair_list_file import entry_for, pair_list_path, seed
from liq_provider.config.sections import MarketSettings
from liq_provider.config.settings import SECTION, load_settings
from liq_provider.core.private_files import replace_text
from liq_provider.errors import UsageError

_NAME = "config-liqtrend.json"


def init(arguments: argparse.Namespace) -> int:
    """Write it; what is there already is left as it is."""
    context = context_of(arguments)
    user_data = _user_data(arguments.userdir, context.config, context.base_dir)
    path = user_data / _NAME
    content = _content(user_data)
    settings = load_settings({SECTION: content[SECTION]})
    made = seed(pair_list_path(settings, user_data.parent), context.config)
    if made:
        print(f"Made {pair_list_path(settings, user_data.parent)}, the list of pairs.")
    if path.exists():
        print(f"{path} is there already, and left as it is.")
    else:
        # It holds no secret, and belongs to whoever may read the configuration beside it.
        replace_text(path, json.dumps(content, indent=4) + "\n", for_all=True)
        print(f"Made {path}. Start the bot with both, this one last:")
    own = " ".join(f"-c {name}" for name in arguments.config or [str(user_data / "config.json")])
    print(f"  freqtrade trade --strategy LiqTrend --userdir {user_data} {own} -c {path}")
    return 0


def _user_data(given: str | None, config: Mapping[str, Any], base_dir: Path) -> Path:
    named = given or config.get("user_data_dir") or base_dir / "user_data"
    path = Path(named).resolve()
    if not path.is_dir():
        raise UsageError(f"--userdir: {path} is no directory; freqtrade create-userdir makes one")
    return path


def _content(user_data: Path) -> dict[str, Any]:
    """:return: the configuration that makes a bot look at the whole market"""
    file = Path(user_data.name) / Path(MarketSettings().file).name
    return {
        # With its whole path, wherever the bot is started.
        "pairlists": [entry_for(user_data.parent / file)],
        "exchange": {"ccxt_config": {"rateLimiterAlgorithm": "rollingWindow"}},
        "internals": {"process_throttle_secs": 1},
        SECTION: {"autostart": True, "market": {"file": str(file)}},
    }
