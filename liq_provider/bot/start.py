"""From Freqtrade's configuration to a running engine, or one message that says why not."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from freqtrade.enums import RunMode
from freqtrade.exchange import timeframe_to_msecs

from liq_provider.bot.autostart import Autostart, sidecar_config
from liq_provider.bot.backtest_coverage import CoverageReport, candles_tested
from liq_provider.bot.candle_delay import CandleDelay
from liq_provider.bot.checks import check_bot
from liq_provider.bot.engine import Engine
from liq_provider.bot.live import LiveLoop
from liq_provider.bot.sidecar_keeper import Place, SidecarWatch
from liq_provider.bot.source import HistorySource, LiveSource, reader_in_background
from liq_provider.config.pair_list_file import READS, STAKE, pair_list_entry, stake_currency_of
from liq_provider.config.settings import Settings, load_settings, resolve_store
from liq_provider.core.durations import MINUTE_MS
from liq_provider.errors import StoreUnusable
from liq_provider.exchange.request_time import request_time
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.store.database import check_revision, open_engine
from liq_provider.store.other_minutes import refuse_other_minutes
from liq_provider.store.reader import Reader

_LIVE = (RunMode.LIVE, RunMode.DRY_RUN)
_NEEDS_DATA = (RunMode.BACKTEST, RunMode.HYPEROPT)

# What a lock keeps back is soon too old to be traded on; better say that it is locked.
_READER_WAITS_S = 0.5


@dataclass(slots=True)
class Started:
    """:param live: None in backtests, hyperopt and plots"""

    settings: Settings
    engine: Engine
    live: LiveLoop | None


@dataclass(frozen=True, slots=True)
class Connected:
    """
    The store as a strategy sees it.

    :param watch: keeps the sidecar; None in backtests, hyperopt and plots
    :param told: to the sidecar, of the bot
    """

    engine: Engine
    watch: SidecarWatch | None
    told: Mapping[str, Any]


def start(strategy: Any) -> Started:
    """
    Validate everything, and in live modes see to it that a sidecar runs. A live bot starts
    whatever the store does: it may have positions to manage.

    :param strategy: the strategy object, with Freqtrade's configuration resolved
    :raises LiqError: what is wrong, naming the key
    """
    config = strategy.config
    settings = load_settings(config)
    check_bot(config, strategy, settings)
    connected = connect(strategy, settings)
    if connected.watch is None:
        return Started(settings, connected.engine, None)
    live = LiveLoop(connected.engine, connected.watch, strategy.stoploss, connected.told)
    exchange, timeframe = config.get("exchange") or {}, strategy.timeframe
    connected.engine.candles = CandleDelay(
        settings, lambda: request_time(exchange, timeframe), connected.told[READS]
    )
    live.start()
    return Started(settings, connected.engine, live)


def connect(strategy: Any, settings: Settings) -> Connected:
    """
    :param strategy: the strategy object, with Freqtrade's configuration resolved
    :raises LiqError: a backtest has nothing that it could be made of
    """
    config, timeframe_ms = strategy.config, timeframe_to_msecs(strategy.timeframe)
    told = {
        "name": config.get("bot_name"),
        "dry_run": config["runmode"] == RunMode.DRY_RUN,
        READS: pair_list_entry(config, settings) is not None,
        STAKE: stake_currency_of(config),
    }
    if config["runmode"] not in _LIVE:
        store, _ = _store_of(config, settings)
        engine = past_engine(store, settings, timeframe_ms, config["runmode"] in _NEEDS_DATA)
        if config["runmode"] in _NEEDS_DATA:
            engine.coverage = CoverageReport(
                settings.min_coverage,
                first_word=config["runmode"] == RunMode.BACKTEST,
                tested=partial(
                    candles_tested, config=config, startup_candles=strategy.startup_candle_count
                ),
            )
        return Connected(engine, None, told)
    # From here on nothing may touch the store, its directory or its server: they may hang.
    published = reader_in_background(
        lambda: Reader(_store_of(config, settings)[0], _READER_WAITS_S), settings
    )
    engine = Engine(settings, timeframe_ms, LiveSource(published, settings), "live")
    return Connected(engine, SidecarWatch(lambda: _place(config, settings)), told)


def past_engine(store: str, settings: Settings, timeframe_ms: int, needs_data: bool) -> Engine:
    """
    :param store: its address
    :param needs_data: refuse to go on without a store
    :return: what decides about candles of the past
    :raises LiqError: there is no store, or its minutes do not fit the settings
    """
    past = _reader(store, needs_data)
    if past is not None and settings.backtest_source == "minutes":
        refuse_other_minutes(past, settings)
    source = HistorySource(past, settings, timeframe_ms // MINUTE_MS)
    return Engine(settings, timeframe_ms, source, settings.backtest_verdicts)


def _store_of(config: Mapping[str, Any], settings: Settings) -> tuple[str, Path]:
    """:return: the store's URL, and the parent of user_data"""
    base_dir = Path(config["user_data_dir"]).resolve().parent
    return resolve_store(settings, base_dir), base_dir


def _place(config: Mapping[str, Any], settings: Settings) -> Place:
    store, base_dir = _store_of(config, settings)
    autostart = None
    if settings.autostart:
        autostart = Autostart(
            SidecarFiles.of(store, base_dir), sidecar_config(config, settings, base_dir)
        )
    return SidecarFiles.of(store, base_dir), autostart


def _reader(store: str, needs_data: bool) -> Reader | None:
    """A backtest without a store would trade nothing and not say why; a plot may."""
    engine = open_engine(store, read_only=True)
    try:
        check_revision(engine, must_be_current=True)
    except StoreUnusable as error:
        if needs_data:
            raise StoreUnusable(
                f"liq_provider.store: no liquidations to test with ({error}); record some with "
                "`liq-provider run`, or `liq-provider import` a recording"
            ) from error
        return None
    finally:
        engine.dispose()
    return Reader(store)
