"""
The list of pairs that bots of the whole market read: what the running minute shows, and what the
settled one brought, written to a file as soon as it changes.

Freqtrade reads the file at the beginning of each loop and asks for the candles of these pairs only.
The file lies on a disk that may hang, so it is written from a thread of its own; then the last list
stays, and nobody waits.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from liq_provider.config.pair_list_file import (
    HOLDS,
    MAJORS,
    READS,
    STAKE,
    PairListTerms,
    is_plain_name,
    listed_in,
    pair_list_path,
    write_pairs,
)
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.one_thread import OneThread
from liq_provider.measure.minute_results import Anomaly, Settled
from liq_provider.measure.prospects import Prospect, Prospects, Tier, cut, liveliest
from liq_provider.measure.scales import Score
from liq_provider.sidecar.running_minute import Running
from liq_provider.sidecar.sidecar_config import SidecarConfig

logger = logging.getLogger(__name__)

_EVERY_S = 0.25
_CHANGED_S = 1.0
_ANYWAY_S = 30.0
_HANGS_S = 5.0
_NAMED = 40

_COLUMNS: Mapping[Score, str] = {
    "classic": "z",
    "robust": "robust_z",
    "percentile": "percentile",
}


@dataclass(frozen=True, slots=True)
class _Listed:
    """
    :param left_out: why, by pair, or by coin where no pair stands for it
    """

    pairs: tuple[str, ...]
    left_out: Mapping[str, str]
    in_wave: int = 0


class PairList:
    """
    :param names: gives the pair that stands for a coin on the bot's exchange
    :param bots: gives what the bots that are there told about themselves
    :param now_ms: exchange time
    :param simulated: that exchange is none
    """

    def __init__(
        self,
        config: SidecarConfig,
        names: Callable[[], Mapping[str, str]],
        bots: Callable[[], Sequence[Mapping[str, Any]]],
        now_ms: Callable[[], int],
        *,
        simulated: bool = False,
    ) -> None:
        self.path = pair_list_path(config.settings, config.base_dir)
        self._terms: PairListTerms = config.pair_list
        self._settings = config.settings
        self._exchange = config.exchange["name"]
        self._names = names
        self._bots = bots
        self._now_ms = now_ms
        self._simulated = simulated
        keep_ms = round(config.settings.market.keep_min * MINUTE_MS)
        # Nothing leaves that somebody may still enter.
        self._prospects = Prospects(max(keep_ms, config.settings.verdict_life_ms))
        self._lively: Mapping[str, int] = {}
        self._listed = _Listed(self._terms.seed, {})
        self._listable: int | None = None
        self._held_before: frozenset[str] = frozenset()
        self._known = False
        self._changed = self._at_once = False
        self._wake = asyncio.Event()
        self._written: frozenset[str] = frozenset()
        self._written_ms: int | None = None
        self._begun_s = -_ANYWAY_S
        self._writing: asyncio.Future[Sequence[str] | None] | None = None
        self._error: str | None = None
        self._thread = OneThread("pairs")

    @property
    def is_read(self) -> bool:
        """Whether a bot reads the file: that of our configuration, or another that says so."""
        return self._terms.read or any(bot.get(READS) is True for bot in self._bots())

    def take_running(self, running: Running) -> None:
        """:param running: what a running minute shows so far"""
        self._take(_seen(running, self._settings.zscore), running.close_ms)

    def take_settled(self, settled: Settled) -> None:
        """:param settled: minute that bots may act on; the list is written at once"""
        self._take(map(_of_wave, settled.anomalies), settled.close_ms)
        self._at_once = True
        self._wake.set()

    def take_liveliness(self, counts: Mapping[str, int]) -> None:
        """:param counts: segments of each coin's baseline that are not empty"""
        self._lively, self._changed = counts, True

    def _take(self, seen: Iterator[Prospect], close_ms: int) -> None:
        # A minute is settled when the next one, or the one after that, has been looked at.
        newest_ms = max(close_ms, min(self._prospects.close_ms, close_ms + 2 * MINUTE_MS))
        self._prospects = self._prospects.after(seen, newest_ms)
        self._changed = True

    async def run(self) -> None:
        """Choose and write until cancelled."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _EVERY_S)
            self._wake.clear()
            self._look_at_positions()
            since_s = time.monotonic() - self._begun_s
            if self._at_once or (self._changed and since_s >= _CHANGED_S):
                self._choose()
            if self._writing is None and self.is_read and self._is_due(since_s):
                self._write()

    def _look_at_positions(self) -> None:
        """One that is new has freed a place, which another of several waves at once may take."""
        held = frozenset(self._held())
        if held != self._held_before:
            self._held_before, self._changed = held, True

    def _is_due(self, since_s: float) -> bool:
        is_new = self._known and frozenset(self._listed.pairs) != self._written
        wait_s = _CHANGED_S if is_new and self._error is None else _ANYWAY_S
        return self._at_once or since_s >= wait_s

    def _choose(self) -> None:
        names = self._names()
        if not names:
            return  # until the exchange has told what it lists, the list of before stays
        self._changed = False
        self._count(names)
        ranked, left_out, waves = [], {}, 0
        for prospect in self._prospects.ranked():
            pair = names.get(prospect.base_asset)
            if pair is None:
                left_out[prospect.base_asset] = f"not listed on {self._exchange}"
            elif not self._terms.may_be_listed(pair):
                left_out[pair] = f"blacklisted, or not in {self._terms.stake_currency}"
            else:
                ranked.append(pair)
                waves += prospect.tier is Tier.WAVE
        chosen = cut(self._held(), ranked, self._filling(names), self._settings.market.pairs)
        if chosen.taken:
            self._known = True
            full = dict.fromkeys(chosen.left_out, "the list is full")
            self._listed = _Listed(chosen.taken, full | left_out, min(waves, len(chosen.taken)))

    def _count(self, names: Mapping[str, str]) -> None:
        """Whoever trades a whole market is told if there is little of it."""
        before = self._listable
        self._listable = sum(map(self._terms.may_be_listed, names.values()))
        if self._few is not None and self._listable != before:
            logger.log(logging.INFO if self._listable else logging.ERROR, "%s", self._few)

    @property
    def _few(self) -> str | None:
        """Why the list is never full, None if it can be."""
        count = self._listable
        if count is None or count >= self._settings.market.pairs:
            return None
        listed = f"{count or 'no'} pair{'s' if count > 1 else ''}"
        return f"{self._exchange} has {listed} in {self._terms.stake_currency} that may be listed"

    def _held(self) -> Iterator[str]:
        for bot in self._bots():
            told = bot.get(HOLDS)
            yield from filter(is_plain_name, told if isinstance(told, list) else ())

    def _filling(self, names: Mapping[str, str]) -> Iterator[str]:
        stay = set(self._listed.pairs)
        listed = {coin for coin, pair in names.items() if pair in stay}
        lively = [names[coin] for coin in liveliest(self._lively, listed) if coin in names]
        if not lively:
            # Before a first minute is settled nobody knows who is.
            there = set(names.values())
            lively = [pair for pair in self._listed.pairs if pair in there]
        return filter(self._terms.may_be_listed, lively)

    def _write(self) -> None:
        """One at a time: the disk may not come back from the last one."""
        listed = self._listed
        told = {"written_ms": self._now_ms(), "left_out": len(listed.left_out)}
        if self._simulated:
            told["simulated"] = True
        pairs = listed.pairs if self._known else None
        self._at_once, self._begun_s = False, time.monotonic()
        loop = asyncio.get_running_loop()
        self._writing = loop.run_in_executor(self._thread, self._put, pairs, told)
        self._writing.add_done_callback(partial(self._wrote, listed, told["written_ms"]))

    def _put(self, pairs: Sequence[str] | None, told: Mapping[str, Any]) -> Sequence[str] | None:
        """:return: the list that was there, if it is the better one as nothing is known yet"""
        there = listed_in(self.path)  # refuses to write over what is none
        if pairs is None and there is not None:
            return there
        write_pairs(self.path, pairs or self._terms.seed, **told)
        return None

    def _wrote(
        self, listed: _Listed, now_ms: int, writing: asyncio.Future[Sequence[str] | None]
    ) -> None:
        self._writing = None
        if writing.cancelled():
            return
        error = writing.exception()
        if error is None:
            self._error = None
            there = writing.result()
            if there is None:
                self._written, self._written_ms = frozenset(listed.pairs), now_ms
            elif not self._known:
                self._listed = _Listed(tuple(there), {})
        elif str(error) != self._error:
            self._error = str(error)
            logger.error("The list of pairs: %s", error)

    def report(self) -> dict[str, Any]:
        """:return: for the status, and for who asks the page"""
        listed, error = self._listed, self._error
        hangs_s = 0.0 if self._writing is None else time.monotonic() - self._begun_s
        if hangs_s > _HANGS_S:
            error = f"{self.path} has not answered for {hangs_s:.0f} s; the last list stays"
        elif not self._listable:
            error = error or self._few
        return {
            "read": self.is_read,
            "path": str(self.path),
            "pairs": list(listed.pairs),
            "in_wave": listed.in_wave,
            "left_out": dict(list(listed.left_out.items())[:_NAMED]),
            "left_out_n": len(listed.left_out),
            STAKE: self._terms.stake_currency,
            "few": self._few,
            "written_ms": self._written_ms,
            "error": error,
        }

    def close(self) -> None:
        """Write no more; what hangs is not waited for."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def pair_list_of(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """
    :param status: of a sidecar, see ``SelfReport``
    :return: what it tells of the list; in the first second, in which it has told nothing, that
        which a bot would begin with
    """
    seed = {"pairs": list(MAJORS), "left_out_n": 0, "written_ms": None}
    return status.get("pair_list") or seed


def _of_wave(minute: Anomaly) -> Prospect:
    return Prospect(
        minute.base_asset,
        Tier.WAVE,
        minute.close_ms,
        int(minute.strength),
        minute.z,
        minute.notional_usd,
    )


def _seen(running: Running, zscore: Score) -> Iterator[Prospect]:
    yield from map(_of_wave, running.anomalies)
    for coin, row in running.rows.items():
        score = row[_COLUMNS[zscore]]
        yield Prospect(
            *(coin, Tier.LARGE, running.close_ms, 0, score or 0.0),
            notional_usd=row["notional_usd"],
        )
    for coin, usd in running.growing.items():
        yield Prospect(coin, Tier.GROWING, running.close_ms, notional_usd=usd)
