"""Whether an entry is possible now, for whoever looks at the store from outside."""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from liq_provider.bot.snapshot import Snapshot
from liq_provider.config.measuring import feature_params_of
from liq_provider.config.settings import Settings
from liq_provider.core.coins import base_asset_of_pair
from liq_provider.core.liquidation import minute_of
from liq_provider.measure.readiness import ReadinessReport, at_once, before_first_minute
from liq_provider.store.other_minutes import other_minutes
from liq_provider.store.reader import Reader
from liq_provider.store.readiness_facts import UNTOLD, assess, told

_ALIVE_MS = 20_000
_COMPUTING_MS = 3_000
_PAIR = re.compile(r"[A-Z0-9]+/[A-Z0-9]+:[A-Z0-9]+")


def readiness_now(
    reader: Reader,
    settings: Settings,
    now_ms: int,
    running: bool = True,
    coins: Collection[str] | None = None,
) -> ReadinessReport:
    """
    :param running: False: no sidecar runs on this machine
    :param coins: that the bot trades, None for all
    :return: of the newest settled minute, and in its ``whole`` what keeps entries back now
    """
    states = reader.states(["sidecar", "computed_ms"])
    sidecar, computed_ms = states.get("sidecar") or {}, int(states.get("computed_ms") or 0)
    speaks = running and alive(sidecar, now_ms)
    silent = dict.fromkeys(settings.venues.enabled, UNTOLD) if running else {}
    feeds = told(sidecar) if speaks else silent
    # Without a settled minute: as of the newest one that would be by now.
    close_ms = computed_ms or minute_of(now_ms - settings.settle_ms - _COMPUTING_MS)
    report = assess(reader, settings, feeds, close_ms).report
    if coins is not None:
        report = report.for_coins(coins, feature_params_of(settings))
    if speaks and not computed_ms:
        return ReadinessReport(close_ms, before_first_minute(report.whole, close_ms), {}, {})
    problem = other_minutes(reader, settings)
    if problem is None and not running:
        problem = "no sidecar is running on this machine"
    elif problem is None and not speaks:
        problem = "the sidecar does not answer"
    elif problem is None:
        problem = Snapshot(computed_ms, sidecar=sidecar).problem(now_ms, settings)
    return replace(report, whole=at_once(report.whole, problem))


def alive(sidecar: Mapping[str, Any], now_ms: int) -> bool:
    """:return: whether a sidecar's status is of just now"""
    return now_ms - int(sidecar.get("now_ms") or 0) <= _ALIVE_MS


def traded_coins(config: Mapping[str, Any]) -> set[str] | None:
    """:return: coins of a static whitelist; None where the pairs are not all named there"""
    pairs = listed_pairs(config)
    return None if pairs is None else {base_asset_of_pair(pair) for pair in pairs}


def listed_pairs(config: Mapping[str, Any]) -> list[str] | None:
    """:return: the pairs of a static whitelist; None where they are not all named there"""
    pairs = (config.get("exchange") or {}).get("pair_whitelist") or []
    # What is no handler ends Freqtrade, and is its to word.
    handlers = [one if isinstance(one, Mapping) else {} for one in config.get("pairlists") or ()]
    methods = {handler.get("method") for handler in handlers}
    if not pairs or methods - {"StaticPairList"} or not all(map(_PAIR.fullmatch, pairs)):
        return None
    return list(pairs)
