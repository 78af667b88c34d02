"""``doctor``: what would keep LiqTrend from trading, and what to change."""

import argparse
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.text import Text

from liq_provider.bot.rules_of_bots import rules_from
from liq_provider.commands.status import collect
from liq_provider.commands.support.added_packages import added_packages
from liq_provider.commands.support.api_server import api_remarks
from liq_provider.commands.support.bots_there import bots_there
from liq_provider.commands.support.candles_in_time import before_a_bot, of_bots
from liq_provider.commands.support.context import Context, context_of, show_time
from liq_provider.commands.support.disk_room import disk_remark
from liq_provider.config.pair_list_file import (
    asks_a_server,
    is_plain_name,
    listed_in,
    pair_list_entry,
    pair_list_of,
)
from liq_provider.config.parameter_file import parameter_file
from liq_provider.config.settings import Settings
from liq_provider.core.clock import machine_ms
from liq_provider.core.coins import base_asset_of_pair
from liq_provider.core.plugins import VENUES, is_name, words
from liq_provider.errors import FeedError, LiqError, SettingsError
from liq_provider.store.other_minutes import other_minutes
from liq_provider.store.simulated_spans import mark_of
from liq_provider.venues.registry import UNUSABLE

Level = Literal["ok", "warning", "error"]
_STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """
    :param remedy: what to change; empty if all is well
    """

    level: Level
    what: str
    found: str
    remedy: str = ""


def doctor(arguments: argparse.Namespace) -> int:
    """Exit status 2 if something must be changed, 1 if something should be looked at."""
    console = Console()
    context, wrong = None, ""
    try:
        context = context_of(arguments)
    except LiqError as error:
        wrong = str(error)
    findings = chain(
        _added(None if context is None else context.settings),
        [] if context is None else examine(context),
    )
    levels = []
    for finding in findings:
        levels.append(finding.level)
        line = Text(f"{finding.level:<8} ", _STYLES[finding.level])
        line.append(f"{finding.what}: {finding.found}", "default")
        console.print(line, soft_wrap=True)
        if finding.remedy:
            console.print(f"         -> {finding.remedy}", markup=False, soft_wrap=True)
    if context is None:
        if not UNUSABLE:  # else it was told of already, as one of the packages
            said = f"error    configuration: {wrong}"
            console.print(said, style="bold red", markup=False, soft_wrap=True)
        return 2
    return 2 if "error" in levels else 1 if "warning" in levels else 0


def examine(context: Context) -> Iterator[Finding]:
    """:return: one finding for each thing looked at"""
    if not context.config:
        yield Finding(
            "warning",
            "configuration",
            "no file",
            "cp config.json.example user_data/config.json, or name one with --config",
        )
    checks: tuple[Callable[[Context], Iterator[Finding]], ...] = (
        _bot,
        _api,
        _exchange,
        _store,
        _pairs,
        _candles,
        _sidecar,
        _model,
    )
    for check in checks:
        yield from check(context)


def _added(settings: Settings | None) -> Iterator[Finding]:
    """What other packages bring; nobody hears of one that nothing has chosen."""
    for one in added_packages(settings):
        what, who = f"{one.group} {one.name}", f"of {one.packages}"
        if one.problem is None:
            chosen = f", {one.chosen_by}" if one.chosen_by else ", not chosen"
            yield Finding("ok", what, f"{who}: loads{chosen}")
            continue
        # A venue that is none ends everything, see ``refuse_unusable``.
        ends = one.chosen_by is not None or (one.group == VENUES and is_name(one.name))
        yield Finding(
            "error" if ends else "warning", what, f"{who}: {one.problem}", "mend or uninstall it"
        )


def _bot(context: Context) -> Iterator[Finding]:
    """Freqtrade resolves the strategy itself, so overrides in the configuration count."""
    if not context.config:
        return
    from freqtrade.enums import RunMode
    from freqtrade.exceptions import OperationalException
    from freqtrade.resolvers import StrategyResolver

    from liq_provider.bot.checks import check_bot

    if context.config.get("trading_mode") != "futures":
        # Freqtrade would not even load a strategy that goes short.
        yield Finding(
            "error",
            "trading_mode",
            str(context.config.get("trading_mode", "spot")),
            'set "futures"',
        )
        return
    strategy_path = str(context.config.get("strategy_path") or "strategies")
    config: dict[str, Any] = {
        "strategy": "LiqTrend",
        "runmode": RunMode.UTIL_NO_EXCHANGE,
        "candle_type_def": "futures",
        "stake_currency": "USDT",
        "user_data_dir": context.base_dir / "user_data",
        # The strategy changes the pair lists of a configuration that no bot is started with.
        **deepcopy(dict(context.config)),
        "strategy_path": str((context.base_dir / strategy_path).resolve()),
    }
    config["user_data_dir"] = Path(config["user_data_dir"])
    try:
        strategy = StrategyResolver.load_strategy(config)
        check_bot(config, strategy, context.settings)
    except (OperationalException, LiqError) as error:
        yield Finding("error", "Freqtrade settings", str(error), "change the named keys")
        return
    except Exception as error:
        # A strategy is somebody's code, and Freqtrade catches little of what it raises.
        said = f"{config['strategy']} cannot be loaded ({words(error)})"
        yield Finding("error", "strategy", said, "Freqtrade ends like this, too")
        return
    yield Finding("ok", "Freqtrade settings", "nothing overrides what LiqTrend relies on")
    yield from _parameters(config, context)
    if not config.get("dry_run", True):
        orders = config.get("order_types", {})
        if not orders.get("stoploss_on_exchange"):
            yield Finding(
                "warning",
                "order_types.stoploss_on_exchange",
                "off: no stop protects you while the bot is down",
                "set it to true, with stoploss_on_exchange_interval 5",
            )
    if not context.settings.autostart:
        yield Finding(
            "ok", "liq_provider.autostart", "off: the sidecar is started with `liq-provider run`"
        )
    elif asks_a_server(config):
        yield Finding(
            "warning",
            "pairlists",
            "Freqtrade asks a RemotePairList before the strategy can start a sidecar, and does "
            "not start without an answer, whatever positions are open",
            "run the sidecar as a service (docs/operations.md) and set autostart to false",
        )
    yield from _pair_list(context.config, context)


def _pair_list(config: Mapping[str, Any], context: Context) -> Iterator[Finding]:
    """The list of a bot of the whole market."""
    try:
        path = pair_list_of(config, context.settings, context.base_dir)
        listed = None if path is None else listed_in(path)
    except SettingsError as error:
        # Commands may be called from elsewhere than the bot.
        yield Finding("warning", "pairlists", str(error), "compare with where the bot is started")
        return
    if path is not None:
        count = "made when the bot starts" if listed is None else f"{len(listed)} pairs now"
        yield Finding("ok", "pairlists", f"the whole market, by {path}: {count}")
    entry = pair_list_entry(config, context.settings)
    if entry is not None and path is None:
        yield Finding("ok", "pairlists", f"the whole market, as {entry.url} answers it")
    if entry is not None and entry.refresh_s:
        yield Finding(
            "warning",
            f"pairlists[{entry.number}].refresh_period",
            f"{entry.refresh_s} s: a coin that the sidecar lists is fetched so much later",
            "set it to 0, so that the list is read in each loop; it is a small file",
        )


def _parameters(config: Mapping[str, Any], context: Context) -> Iterator[Finding]:
    """
    :param config: with what Freqtrade would complete it by
    """
    from liq_provider.bot.checks import check_served

    own, file = context.settings, None
    try:
        file = parameter_file(config, context.base_dir)
    except SettingsError as error:
        yield Finding("error", "parameter file", str(error), "Freqtrade does not start with it")
    rules = rules_from({} if file is None else file.values, own).thresholds
    unserved = check_served(
        own, rules.z_threshold, rules.purity_threshold, rules.direction_mode, {}
    )
    if unserved is not None:
        yield Finding("error", "liq_provider.judge", unserved, "no entry is made like this")
    if file is not None and file.left_out is not None:
        yield Finding(
            "warning",
            "parameter file",
            f"{file.path} {file.left_out}: Freqtrade goes on without it",
            "mend or remove it",
        )
    elif file is not None:
        named = ", ".join(f"{name} {value}" for name, value in file.values.items())
        yield Finding("ok", "parameter file", f"{file.path} wins over the configuration: {named}")


def _api(context: Context) -> Iterator[Finding]:
    for key, said, remedy in api_remarks(context.config):
        yield Finding("warning", key, said, remedy)


def _exchange(context: Context) -> Iterator[Finding]:
    from ccxt.base.errors import BaseError

    from liq_provider.core.clock import ExchangeClock
    from liq_provider.exchange.bot_exchange import BotExchange
    from liq_provider.exchange.venue_rest import load_venue_markets

    for venue in context.settings.venues.enabled:
        try:
            markets = load_venue_markets(venue, context.settings.venues.of(venue))
        except (BaseError, FeedError) as error:
            yield Finding(
                "warning" if {"403", "451"} & set(str(error).split()) else "error",
                f"network to {venue}",
                f"{type(error).__name__}: {str(error).splitlines()[0][:200]}",
                "check the connection; 403 or 451 means that the country is not served: "
                f"set liq_provider.venues.{venue}.enabled to false",
            )
            continue
        yield Finding("ok", f"network to {venue}", f"{len(markets)} USD perpetuals")
    exchange = context.config.get("exchange") or {}
    if not exchange.get("name"):
        return
    clock = ExchangeClock()
    try:
        clock.measure(BotExchange(exchange["name"], exchange.get("ccxt_config")).time_ms)
    except BaseError as error:
        yield Finding(
            "error", "clock", f"{exchange['name']} does not answer: {error}", "check the connection"
        )
        return
    skew_ms = clock.skew_ms
    if skew_ms is None:
        yield Finding("warning", "clock", f"{exchange['name']} does not tell its time")
    elif abs(skew_ms) > context.settings.max_skew_ms:
        yield Finding(
            "error", "clock", f"{skew_ms / 1000:+.1f} s off", "set the clock (chrony or systemd)"
        )
    else:
        yield Finding("ok", "clock", f"{skew_ms:+d} ms off the exchange's")


def _store(context: Context) -> Iterator[Finding]:
    try:
        reader = context.reader()
        span = reader.span()
    except LiqError as error:
        yield Finding("warning", "store", str(error), "it is made when the sidecar first starts")
        return
    other = other_minutes(reader, context.settings)
    if other is not None:
        key, _, said = other.partition(": ")
        yield Finding("error", key, *said.split("; ", 1))
    if span is None:
        yield Finding("ok", "store", "readable, no liquidations yet")
        return
    yield Finding(
        "ok",
        "store",
        f"{reader.count('liquidations'):,} liquidations, "
        f"{show_time(span[0])} .. {show_time(span[1])} UTC",
    )
    full = disk_remark(context.store_url, span, context.settings.keep_days)
    if full:
        remedy = "set liq_provider.keep_days, or give it more room (docs/operations.md)"
        yield Finding("warning", "store", full, remedy)
    simulated = mark_of(reader, context.settings.venues.enabled)
    if simulated:
        remedy = "set liq_provider.store to another one for real data; the mark stays with this one"
        yield Finding("warning", "store", simulated, remedy)


def _pairs(context: Context) -> Iterator[Finding]:
    """Pairs of the whitelist that no enabled venue lists, as far as lists are known."""
    listed = (context.config.get("exchange") or {}).get("pair_whitelist") or []
    pairs = list(filter(is_plain_name, listed))
    try:
        reader = context.reader()
        coins = {
            market.base_asset
            for venue in context.settings.venues.enabled
            for market in reader.markets(venue)
        }
    except LiqError:
        return
    if not coins or not pairs:
        return
    without = [pair for pair in pairs if base_asset_of_pair(pair) not in coins]
    if without:
        yield Finding(
            "error",
            "exchange.pair_whitelist",
            f"no liquidation feed for {', '.join(without)}",
            "remove these pairs; they can never give a signal",
        )
    else:
        yield Finding("ok", "exchange.pair_whitelist", f"all {len(pairs)} have a liquidation feed")


def _candles(context: Context) -> Iterator[Finding]:
    """Pairs times request; where bots are there, as they measured it."""
    try:
        bots = bots_there(context, context.reader())
    except LiqError:
        bots = context.files.bots()
    of_them = of_bots(bots)
    for name, level, said, remedy in of_them:
        yield Finding(level, f"candles of {name}", said, remedy)
    if not of_them:
        for known in before_a_bot(context):
            yield Finding(known.level, "candles", known.words, known.remedy)


def _sidecar(context: Context) -> Iterator[Finding]:
    try:
        report = collect(context, machine_ms())
    except LiqError:
        return
    if report["problem"]:
        yield Finding("warning", "entries", report["problem"], "liq-provider status tells more")
    else:
        yield Finding("ok", "entries", "are possible")
    for name, feed in report["sidecar"].get("feeds", {}).items():
        if report["answers"] and feed["state"] != "live":
            yield Finding("warning", f"feed {name}", f"{feed['state']}: {feed['detail']}")


def _model(context: Context) -> Iterator[Finding]:
    """What the endpoint tells about the model that judges."""
    from liq_provider.judge.catalogue import remarks_on
    from liq_provider.judge.sidecar_judge import wants_model

    if wants_model(context.settings):
        for remark in remarks_on(context.settings.llm):
            yield Finding(remark.level, "llm.model", remark.said, remark.remedy)
