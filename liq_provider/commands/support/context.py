"""What the commands share: the configuration, the store, and times as users write them."""

import argparse
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import make_url

from liq_provider.config.freqtrade_files import read_plain
from liq_provider.config.settings import Settings, load_settings, resolve_store
from liq_provider.core.clock import machine_ms
from liq_provider.core.liquidation import minute_of
from liq_provider.core.moments import EARLIEST_MS, LATEST_MS
from liq_provider.errors import LiqError, SettingsError, StoreUnusable, UsageError
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.store.database import open_engine
from liq_provider.store.other_minutes import refuse_other_minutes
from liq_provider.store.reader import Reader
from liq_provider.store.simulated_spans import mark_of

if TYPE_CHECKING:
    from liq_provider.store.writer import Writer

# Before the first there were no perpetuals with liquidations to record; milliseconds of a time
# before 1973 have fewer digits, and are no time here.
_MS_DIGITS = 12
_DEFAULT_CONFIGS = (Path("user_data/config.json"), Path("config.json"))


@dataclass(frozen=True, slots=True)
class Context:
    """
    :param config: Freqtrade's configuration, empty if there is no file
    :param base_dir: parent of user_data
    :param given_datadir: by ``--datadir``
    """

    config: Mapping[str, Any]
    settings: Settings
    store_url: str
    base_dir: Path
    given_datadir: Path | None = None

    @property
    def files(self) -> SidecarFiles:
        """Runtime files of the store."""
        return SidecarFiles.of(self.store_url, self.base_dir)

    @property
    def timeframe(self) -> str:
        """The strategy's candles."""
        return str(self.config.get("timeframe") or "1m")

    @property
    def datadir(self) -> Path:
        """
        Where Freqtrade keeps the exchange's candles: what ``--datadir`` says, else below user_data.
        A key ``datadir`` of the configuration counts for nothing there, so it does not here.
        """
        if self.given_datadir is not None:
            return self.given_datadir
        exchange = str(self.config.get("exchange", {}).get("name") or "binance").lower()
        user_data = Path(self.config.get("user_data_dir") or self.base_dir / "user_data")
        return user_data / "data" / exchange

    def reader(self) -> Reader:
        """
        :return: read access
        :raises StoreUnusable: there is no store yet
        """
        url = make_url(self.store_url)
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
            raise StoreUnusable(
                f"There is no store at {url.database} yet: start the sidecar (liq-provider run) "
                "or import a recording"
            )
        reader = Reader(self.store_url)
        try:
            reader.check()
        except LiqError:
            reader.close()
            raise
        return reader

    def minutes(self, source: str = "minutes") -> Reader:
        """
        :param source: a data vendor's bars have no orders to leave out
        :return: read access for what is computed from minutes
        :raises SettingsError: they were made with another ``min_event_usd``
        """
        reader = self.reader()
        if source == "minutes":
            refuse_other_minutes(reader, self.settings)
        return reader


def context_of(arguments: argparse.Namespace) -> Context:
    """
    :raises SettingsError: the configuration is wrong, or a named file is missing
    """
    config = read_config(arguments.config)
    if getattr(arguments, "store", None):
        config["liq_provider"] = {**config.get("liq_provider", {}), "store": arguments.store}
    settings = load_settings(config)
    user_data = config.get("user_data_dir")
    base_dir = Path(user_data).resolve().parent if user_data else Path.cwd()
    datadir = getattr(arguments, "datadir", None)
    return Context(
        config,
        settings,
        resolve_store(settings, base_dir),
        base_dir,
        Path(datadir) if datadir else None,
    )


def read_config(paths: list[str] | None) -> dict[str, Any]:
    """
    Freqtrade's configuration as Freqtrade reads it: comments, files that include others, and
    the environment.

    :param paths: None for the first default file that there is, or nothing
    :raises SettingsError: a file is missing or is no configuration
    """
    if paths is None:
        paths = [str(path) for path in _DEFAULT_CONFIGS if path.is_file()][:1]
    for path in paths:
        if Path(path).is_dir():
            raise SettingsError(f"{path}: is a directory, not a configuration file")
    config = read_plain(paths, os.environ)
    return _read_by_freqtrade(paths) if config is None else config


def _read_by_freqtrade(paths: list[str]) -> dict[str, Any]:
    """What is out of the ordinary, such as what is wrong."""
    from freqtrade.configuration.environment_vars import environment_vars_to_dict
    from freqtrade.configuration.load_config import load_from_files
    from freqtrade.exceptions import OperationalException
    from freqtrade.misc import deep_merge_dicts

    try:
        config = load_from_files(paths) if paths else {}
        return dict(deep_merge_dicts(environment_vars_to_dict(), config))
    except OperationalException as error:
        raise SettingsError(str(error)) from None
    except AttributeError:
        raise SettingsError(f"{', '.join(paths)}: must hold one object {{...}}") from None
    except TypeError:
        where = ", ".join([*paths, "the environment"])
        raise SettingsError(
            f"{where}: a key is a section in one of them, a value in another"
        ) from None


def stored_span(reader: Reader) -> tuple[int, int]:
    """
    :return: first and last event time of the liquidations
    :raises UsageError: there are none
    """
    span = reader.span()
    if span is None:
        raise UsageError("the store holds no liquidations yet")
    return span


def tell_mark(reader: Reader, settings: Settings, from_ms: int, to_ms: int) -> str | None:
    """
    Say on the standard error, which no parser reads, that some of what follows is simulated.

    :param from_ms: begin of what is shown; its baselines lie before
    :return: what was said, None if all of it is real
    """
    said = mark_of(reader, settings.venues.enabled, from_ms - settings.baseline_ms, to_ms)
    if said is not None:
        print(said, file=sys.stderr)
    return said


def one_of(option: str, given: str, known: Iterable[str]) -> None:
    """
    :raises UsageError: what was given to an option is none of what it takes
    """
    names = list(known)
    if given not in names:
        raise UsageError(f"{option}: {given!r} is none of {', '.join(names)}")


def parse_time(text: str, option: str) -> int:
    """
    :param text: ISO 8601 (UTC unless it says otherwise) or milliseconds
    :param option: that it was given with
    :return: milliseconds since the epoch
    :raises UsageError: it is no time, or none of which anything can be known
    """
    try:
        if text.isdecimal() and len(text) >= _MS_DIGITS:
            moment_ms = int(text)
        else:
            moment = datetime.fromisoformat(text)
            utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
            moment_ms = int(utc.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option} {text!r} is no time; write 2026-03-10T05:09 (UTC) or milliseconds"
        ) from None
    if not EARLIEST_MS <= moment_ms <= LATEST_MS:
        raise UsageError(f"{option} {text!r} is not between the years 2017 and 2100")
    return moment_ms


def past_minute(text: str, option: str) -> int:
    """
    :return: the minute's close that ``text`` names, or the last one before it
    :raises UsageError: it is no time, or lies in the future
    """
    close_ms = minute_of(parse_time(text, option))
    now_ms = machine_ms()
    if close_ms > now_ms:
        raise UsageError(f"{option} {text!r} lies in the future: it is {show_time(now_ms)} UTC now")
    return close_ms


def show_time(ms: int) -> str:
    """:return: UTC to the second"""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


@contextmanager
def writer_of(context: Context) -> Iterator["Writer"]:
    """:return: write access to the store, which is made if there is none"""
    from liq_provider.store.booked_minute import BookingRules
    from liq_provider.store.writer import Writer

    settings = context.settings
    rules = BookingRules(settings.settle_ms, settings.max_late_ms)
    with closing(Writer(open_engine(context.store_url), rules, settings.min_event_usd)) as writer:
        yield writer


def pair_of(text: str) -> str:
    """
    :return: what a user typed, if it can be a pair
    :raises UsageError: it cannot
    """
    if not re.fullmatch(r"[A-Z0-9]+/[A-Z0-9]+:[A-Z0-9]+", text):
        raise UsageError(f"--pair {text!r}: write it as Freqtrade does, such as BTC/USDT:USDT")
    return text
