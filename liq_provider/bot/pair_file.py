"""
The pairs of a bot of the whole market are in a file, which Freqtrade reads before each loop.

Freqtrade makes its pair lists after the strategy object, and ends if the file is not there. So the
object sees to it as it is made. In a backtest that list would be today's, so there a static one
takes its place.
"""

import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from freqtrade.enums import TRADE_MODES, RunMode

from liq_provider.bot.one_line_errors import in_one_line
from liq_provider.config.pair_list_file import (
    pair_list_entry,
    pair_list_of,
    seed,
    stake_currency_of,
)
from liq_provider.config.settings import load_settings
from liq_provider.core.durations import HOUR_S
from liq_provider.errors import LiqError, SettingsError

logger = logging.getLogger(__name__)

# Who says at INFO that it has read the list; LiqTrend has it read in every loop.
_READER = "freqtrade.plugins.pairlist.RemotePairList"
_SAID_ANEW = re.compile(r"Fetched Pairlist\.|Pairlist Fetched in .* seconds\.")
_QUIET_S = float(HOUR_S)


def prepare_pairs(config: dict[str, Any]) -> None:
    """
    For a strategy's ``__init__``: a bot of the whole market has the list that it begins with, and
    what looks at the past a static one. With other pair lists nothing is done.

    :param config: Freqtrade's, of which its pair lists are made next
    :raises SettingsError: what is wrong, naming the key
    """
    try:
        _prepare(config)
    except LiqError as error:
        raise in_one_line(error) from None


def _prepare(config: dict[str, Any]) -> None:
    if not any(entry.get("method") == "RemotePairList" for entry in config.get("pairlists") or ()):
        return
    settings = load_settings(config)
    entry = pair_list_entry(config, settings)
    if entry is None:
        return
    if config.get("runmode") not in TRADE_MODES:
        _make_static(config, entry.number)
        return
    path = pair_list_of(config, settings, Path(config["user_data_dir"]).resolve().parent)
    if path is not None and seed(path, config):
        logger.info("Made the list of pairs %s; the sidecar keeps it from now on.", path)
    once_an_hour(logging.getLogger(_READER))


def _make_static(config: dict[str, Any], number: int) -> None:
    """The configuration is the one that pair lists are made of, but for several strategies."""
    key = f"pairlists[{number}]"
    if config.get("strategy_list"):
        raise SettingsError(
            f"{key}: with --strategy-list today's list of pairs would be tested; test with a "
            "static one: add `-c configs/static-pairs.json`"
        )
    stake = stake_currency_of(config)
    pairs = (config.get("exchange") or {}).get("pair_whitelist") or ()
    if not pairs and config.get("runmode") in (RunMode.BACKTEST, RunMode.HYPEROPT):
        raise SettingsError(
            "exchange.pair_whitelist: is empty; a list of pairs that changes by the minute cannot "
            f"be tested, so name the pairs to test, or `.*/{stake}:{stake}` for all that have data"
        )
    config["pairlists"][number] = {"method": "StaticPairList"}
    logger.info(
        "%s: the list of pairs that the sidecar keeps is of today; what is looked at here are the "
        "pairs of exchange.pair_whitelist.",
        key,
    )


class _OnceAnHour(logging.Filter):
    """Of what is said in every loop, so much is enough to see that it goes on."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        super().__init__()
        self._clock_s = clock_s
        self._next_s = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        """:return: whether the line is written"""
        if not _SAID_ANEW.fullmatch(record.getMessage()):
            return True
        now_s = self._clock_s()
        if now_s < self._next_s:
            return False
        self._next_s = now_s + _QUIET_S
        return True


def once_an_hour(of: logging.Logger, clock_s: Callable[[], float] = time.monotonic) -> None:
    """:param of: whose lines about a list that was read are written once an hour, if any are"""
    if not any(isinstance(one, _OnceAnHour) for one in of.filters):
        of.addFilter(_OnceAnHour(clock_s))
