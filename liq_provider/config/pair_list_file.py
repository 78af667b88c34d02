"""
The file of pairs that Freqtrade's RemotePairList reads before each loop: where it is, what may
stand in it, and how it comes to be there.

RemotePairList takes each name for a regular expression and lets through what is wrong with one, and
what keeps a file from being opened. Both end the bot, with its positions. So only names that are
nothing but a name are written, in one step, to a file that everybody may read.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname
from typing import Any, Final
from urllib.parse import urlsplit

from liq_provider.config.sections import MarketSettings
from liq_provider.config.settings import SECTION, Settings
from liq_provider.errors import SettingsError

_STAKE: Final = "USDT"
_LARGE = (
    *("BTC", "ETH", "SOL", "XRP", "DOGE", "ADA", "AVAX"),
    *("LINK", "LTC", "BCH", "SUI", "NEAR", "1000PEPE"),
)


def majors(stake_currency: str) -> tuple[str, ...]:
    """:return: what a bot begins with that names no pairs and was started before any sidecar"""
    return tuple(f"{coin}/{stake_currency}:{stake_currency}" for coin in _LARGE)


MAJORS: Final = majors(_STAKE)

# In what a bot sends to its sidecar; in its heartbeat, that it reads the list, and the pairs of its
# positions; in what either tells of itself, Freqtrade's key.
TERMS: Final = "pair_list"
READS: Final = "reads_pairs"
HOLDS: Final = "open_pairs"
STAKE: Final = "stake_currency"

# Of the page, which answers the same list.
PAGE_PATH: Final = "/pairlist"

_METHOD = "RemotePairList"
_FILE = "file:///"
_NAME = re.compile(r"[\w:/-]+")
_READABLE = 0o644  # nothing in it is secret, and a bot that may not read it ends
_MOST_BYTES = 1_000_000
_FREQTRADES_REFRESH_S = 1800


@dataclass(frozen=True, slots=True)
class PairListEntry:
    """
    Where Freqtrade's ``pairlists`` name our list.

    :param number: of the entry, from 0
    :param url: as it is written there
    :param refresh_s: a loop that begins so soon after the list was read has the list of before
    """

    number: int
    url: str
    refresh_s: float = _FREQTRADES_REFRESH_S

    @property
    def is_file(self) -> bool:
        """Whether it is read from the file, and not asked for over the network."""
        return self.url.startswith(_FILE)

    def path(self, working_dir: Path) -> Path:
        """:return: what Freqtrade reads when it was started there"""
        return (working_dir / self.url.removeprefix(_FILE)).resolve()


@dataclass(frozen=True, slots=True)
class PairListTerms:
    """
    What a sidecar must know of the list that it is to keep.

    :param read: whether the bot of its configuration reads it; others say so in their heartbeats
    :param stake_currency: of the pairs
    :param blacklist: Freqtrade's ``exchange.pair_blacklist``, patterns
    :param seed: see ``seed_of``
    """

    read: bool = False
    stake_currency: str = _STAKE
    blacklist: tuple[str, ...] = ()
    seed: tuple[str, ...] = MAJORS

    @classmethod
    def of(cls, config: Mapping[str, Any], settings: Settings) -> "PairListTerms":
        """:param config: Freqtrade's, or what a bot sends, which has them in it"""
        if TERMS in config:
            return cls(**{key: _frozen(value) for key, value in config[TERMS].items()})
        exchange = config.get("exchange") or {}
        return cls(
            pair_list_entry(config, settings) is not None,
            stake_currency_of(config),
            tuple(map(str, exchange.get("pair_blacklist") or ())),
            tuple(seed_of(config)),
        )

    def may_be_listed(self, pair: str) -> bool:
        """:return: whether such a bot could trade it: named, paid and wanted"""
        return (
            is_paid_in(pair, self.stake_currency)
            and is_plain_name(pair)
            and not self._blacklisted(pair)
        )

    def _blacklisted(self, pair: str) -> bool:
        for pattern in self.blacklist:
            # One that is no pattern keeps Freqtrade from trading anything, and says so there.
            with suppress(re.error):
                if re.fullmatch(pattern, pair, re.IGNORECASE):
                    return True
        return False


def stake_currency_of(config: Mapping[str, Any]) -> str:
    """:param config: Freqtrade's"""
    return str(config.get(STAKE) or _STAKE)


def is_paid_in(pair: str, stake_currency: str) -> bool:
    """:return: whether Freqtrade can trade it with that stake"""
    return pair.endswith(f"/{stake_currency}:{stake_currency}")


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def pair_list_path(settings: Settings, base_dir: Path) -> Path:
    """
    :param base_dir: parent of user_data
    :return: the file that a sidecar writes and its bots read
    """
    return (base_dir / settings.market.file).resolve()


def entry_for(path: Path) -> dict[str, Any]:
    """:return: for ``pairlists``, an entry that reads the list in each loop"""
    # Even with 1, of loops that are a second apart every other one has the list of before.
    url = f"{_FILE}{path}"
    return {"method": _METHOD, "mode": "whitelist", "pairlist_url": url, "refresh_period": 0}


def pair_list_entry(config: Mapping[str, Any], settings: Settings) -> PairListEntry | None:
    """
    :param config: Freqtrade's
    :return: the entry of ``pairlists`` that means our list: the file by its name, the page by its
        port and path; None if none does, as with a static list, or one of the user's own
    """
    names = {Path(settings.market.file).name, Path(MarketSettings().file).name}
    for entry in _remote(config):
        if entry.is_file:
            ours = Path(entry.url).name in names
        else:
            ours = _is_page(entry.url, settings.dashboard.port)
        if ours:
            return entry
    return None


def _is_page(url: str, port: int) -> bool:
    try:
        parts = urlsplit(url)
        return parts.path == PAGE_PATH and parts.port == port
    except ValueError:
        return False


def asks_a_server(config: Mapping[str, Any]) -> bool:
    """:return: whether a pair list is asked for over the network, so that somebody must answer"""
    return any(not entry.is_file for entry in _remote(config))


def _remote(config: Mapping[str, Any]) -> Iterator[PairListEntry]:
    for number, entry in enumerate(config.get("pairlists") or ()):
        if isinstance(entry, Mapping) and entry.get("method") == _METHOD:
            url = entry.get("pairlist_url")
            refresh_s = entry.get("refresh_period", _FREQTRADES_REFRESH_S)
            yield PairListEntry(number, url if isinstance(url, str) else "", refresh_s)


def pair_list_of(
    config: Mapping[str, Any], settings: Settings, base_dir: Path, working_dir: Path | None = None
) -> Path | None:
    """
    :param config: of a bot
    :param base_dir: parent of its user_data
    :param working_dir: in which it was started; that of this process if it is None
    :return: the file that it reads and a sidecar keeps; None if it reads none
    :raises SettingsError: it would read another one than is written
    """
    entry = pair_list_entry(config, settings)
    if entry is None or not entry.is_file:
        return None
    written, read = pair_list_path(settings, base_dir), entry.path(working_dir or Path.cwd())
    if read != written:
        raise SettingsError(
            f"pairlists[{entry.number}].pairlist_url: {entry.url} is {read} from where Freqtrade "
            f"was started, but {SECTION}.market.file is {written}: nobody would renew what the bot "
            f"reads. Write {_FILE}{written}, or start Freqtrade in {base_dir}"
        )
    return written


def is_plain_name(pair: Any) -> bool:
    """:return: whether Freqtrade's regular expression of it is nothing but the name"""
    return isinstance(pair, str) and _NAME.fullmatch(pair) is not None


def seed_of(config: Mapping[str, Any]) -> list[str]:
    """
    :param config: Freqtrade's
    :return: the pairs that a list begins with, never none: those in the stake currency that
        ``exchange.pair_whitelist`` names, without its patterns
    """
    own = (config.get("exchange") or {}).get("pair_whitelist") or ()
    stake = stake_currency_of(config)
    named = [pair for pair in own if is_plain_name(pair) and is_paid_in(pair, stake)]
    return named or list(majors(stake))


def listed_in(path: Path) -> list[str] | None:
    """
    :return: the pairs of a list as Freqtrade could use it; None if there is none, or if it is
        damaged
    :raises SettingsError: something else is there
    """
    content = _content(path)
    if content is None:
        return None
    pairs = content["pairs"]
    usable = isinstance(pairs, list) and pairs and all(map(is_plain_name, pairs))
    return list(pairs) if usable else None


def _content(path: Path) -> dict[str, Any] | None:
    if path.exists() and not path.is_file():
        kind = "directory" if path.is_dir() else "device or a pipe"
        raise SettingsError(f"{SECTION}.market.file: {path} is a {kind}")
    try:
        with path.open(encoding="utf-8") as file:
            content = json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or "pairs" not in content:
        # Somebody's configuration, perhaps, which must not be written over.
        raise SettingsError(
            f"{SECTION}.market.file: {path} is no list of pairs; name a file of its own"
        )
    return content


def seed(path: Path, config: Mapping[str, Any]) -> bool:
    """
    Make the list that a bot needs to start, if there is none that it could use. Freqtrade asks for
    it before a sidecar can have written one.

    :param config: Freqtrade's
    :return: whether it was made
    :raises SettingsError: something else is there, or it cannot be written
    """
    if listed_in(path) is not None and os.access(path, os.R_OK):
        return False
    try:
        write_pairs(path, seed_of(config))
    except OSError as error:
        raise SettingsError(
            f"{SECTION}.market.file: {path} cannot be written ({error.strerror or error}); "
            "Freqtrade does not start without it"
        ) from error
    return True


def write_pairs(path: Path, pairs: Iterable[str], **told: Any) -> None:
    """
    In one step, so that nobody reads half of it.

    :param pairs: at least one; best first
    :param told: what else stands in it; Freqtrade passes over it
    :raises ValueError: no pair, or one that is no plain name
    :raises OSError: it cannot be written
    """
    names = list(pairs)
    if not names or not all(map(is_plain_name, names)):
        raise ValueError("a list of pairs is never empty, and has nothing but names in it")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Processes of two containers may have the same number.
    new = path.with_name(f".{path.name}.{gethostname()}-{os.getpid()}")
    new.unlink(missing_ok=True)
    try:
        with new.open("x", encoding="utf-8") as file:
            file.write(json.dumps({"pairs": names, **told}, ensure_ascii=False))
            os.fchmod(file.fileno(), _READABLE)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
