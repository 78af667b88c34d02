"""Reading the store for a live bot: what is new since the last snapshot makes the next one."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from liq_provider.bot.clock_watch import elapsed_s
from liq_provider.bot.snapshot import Snapshot, not_understood
from liq_provider.config.measuring import feature_params_of, windows_of
from liq_provider.config.settings import Settings
from liq_provider.core.durations import HOUR_MS, MINUTE_MS
from liq_provider.errors import StoreError
from liq_provider.measure.feature_rows import FeatureRows
from liq_provider.store.minute_features import compute
from liq_provider.store.reader import Reader
from liq_provider.store.readiness_facts import assess, told

logger = logging.getLogger(__name__)

_HISTORY_MS = 48 * HOUR_MS
_OWN_HISTORY_MS = 2 * HOUR_MS
_AHEAD_MS = MINUTE_MS  # verdicts are written by another clock than the watermark
_STATE_KEYS = ("watermark_ms", "computed_ms", "verdict_ms", "sidecar", "readiness")

# A long read is made in pieces, so that it shows that the store answers.
_PIECE_MS = 6 * HOUR_MS
_COINS_AT_ONCE = 40

_KEPT_STATUSES = 6


class StoreReading:
    """
    Blocks for as long as the store does, so only a ``Background`` calls it. All times are the
    store's own: this machine's clock decides nothing here.

    :param open_reader: called at the first reading, as finding the store is a question, too
    """

    def __init__(self, open_reader: Callable[[], Reader], settings: Settings) -> None:
        self._open_reader = open_reader
        self._settings = settings
        self._opened: Reader | None = None
        self._break_off: Callable[[], None] | None = None
        self._own: bool | None = None
        self._not_understood = ""

    def __call__(self, before: Snapshot, answered: Callable[[], None] = lambda: None) -> Snapshot:
        """
        Every error ends in the snapshot's ``error``. What was read before it counts, too: it is
        not read again.

        :return: the next snapshot
        """
        draft = before
        try:
            for draft in self._steps(before):  # noqa: B007
                answered()
        except StoreError as error:
            answered()
            self.close()
            return replace(draft, error=str(error), again=True)
        except Exception as error:
            # What the store holds is no bug of the bot; exits must go on whatever it is.
            answered()
            if repr(error) != self._not_understood:
                logger.exception("Reading the store failed")
            self._not_understood = repr(error)
            return replace(draft, error=not_understood(error), again=True)
        return replace(draft, error=None)

    def hang_up(self) -> None:
        """Break off what the store's server does not answer; an SQLite file is waited for."""
        if self._break_off is not None:
            self._break_off()

    def close(self) -> None:
        """Give connections back; they are opened again if need be."""
        if self._opened is not None:
            self._opened.close()

    @property
    def _reader(self) -> Reader:
        if self._opened is None:
            self._opened = self._open_reader()
            # Before the first connection, as it keeps those in view that are made from now on.
            self._break_off = self._opened.hang_up
        return self._opened

    def _steps(self, before: Snapshot) -> Iterator[Snapshot]:
        """One draft after each answer of the store; only the last one is whole."""
        facts = self._reader.states(_STATE_KEYS)
        sidecar = facts.get("sidecar") or {}
        draft = replace(
            before,
            computed_ms=int(facts.get("computed_ms") or 0),
            verdict_ms=int(facts.get("verdict_ms") or 0),
            sidecar=sidecar,
            readiness=before.readiness if self._own else facts.get("readiness"),
            heard=_heard(before, sidecar),
        )
        yield draft
        if draft.computed_ms > draft.loaded_ms:
            for loaded in self._with_features(draft):
                draft = loaded
                yield draft
            if self._own:
                draft = replace(draft, readiness=self._readiness(draft))
                yield draft
        news = draft.verdict_ms != before.verdict_ms
        if news or draft.again:
            # Two verdicts of one millisecond look like one; a second look finds the other.
            draft = replace(draft, verdicts=self._verdicts(draft), again=news)
            yield draft
        listed = self._listed(draft)
        if listed != draft.listed:
            yield replace(draft, coins=self._coins() if listed else None, listed=listed)

    # -- features -------------------------------------------------------------------------

    def _with_features(self, draft: Snapshot) -> Iterator[Snapshot]:
        pieces = self._computed_here if self._has_other_windows(draft) else self._stored
        oldest_ms = draft.computed_ms - _HISTORY_MS
        for newer, to_ms in pieces(draft):
            rows = dict(draft.rows)
            for base, new in newer.items():
                known = rows.get(base)
                rows[base] = new if known is None else known.then(new).since(oldest_ms)
            draft = replace(draft, rows=rows, loaded_ms=to_ms)
            yield draft

    def _stored(self, draft: Snapshot) -> Iterator[tuple[dict[str, FeatureRows], int]]:
        from_ms = max(draft.loaded_ms, draft.computed_ms - _HISTORY_MS) + 1
        while from_ms <= draft.computed_ms:
            to_ms = min(from_ms + _PIECE_MS, draft.computed_ms)
            yield self._reader.features(None, from_ms, to_ms), to_ms
            from_ms = to_ms + 1

    def _computed_here(self, draft: Snapshot) -> Iterator[tuple[dict[str, FeatureRows], int]]:
        """Coin by coin, so only the last piece completes the minute."""
        computed_ms = draft.computed_ms
        from_ms = max(draft.loaded_ms + MINUTE_MS, computed_ms - _OWN_HISTORY_MS)
        segment_ms = self._settings.segment_min * MINUTE_MS
        active = sorted(self._reader.active(from_ms - segment_ms, computed_ms))
        scores, min_usd = (self._settings.zscore,), self._settings.min_segment_usd
        for first in range(0, len(active), _COINS_AT_ONCE):
            computed = compute(
                self._reader,
                active[first : first + _COINS_AT_ONCE],
                self._settings.venues.enabled,
                feature_params_of(self._settings),
                from_ms,
                computed_ms,
            )
            rows = {c.base_asset: c.rows(scores, min_usd) for c in computed}
            yield rows, draft.loaded_ms
        yield {}, computed_ms

    def _has_other_windows(self, draft: Snapshot) -> bool:
        theirs = draft.sidecar.get("windows")
        own = theirs is not None and theirs != windows_of(self._settings)
        if own and not self._own:
            logger.info(
                "The sidecar computes with other windows (%s); this bot computes its own.", theirs
            )
        self._own = own
        return own

    def _readiness(self, draft: Snapshot) -> dict[str, Any]:
        """By this bot's windows."""
        feeds = told(draft.sidecar)
        return assess(self._reader, self._settings, feeds, draft.computed_ms).report.as_json()

    # -- verdicts and market lists --------------------------------------------------------

    def _verdicts(self, draft: Snapshot) -> dict[str, list[dict[str, Any]]]:
        oldest_ms = draft.computed_ms - _HISTORY_MS
        newest_ms = max(draft.verdict_ms, draft.computed_ms) + _AHEAD_MS
        grouped: dict[str, Any] = {}
        for verdict in self._reader.verdicts(oldest_ms, newest_ms):
            grouped.setdefault(verdict["base_asset"], []).append(verdict)
        for base, rows in grouped.items():
            known = draft.verdicts.get(base)
            if known == rows:
                grouped[base] = known
        return grouped

    def _listed(self, draft: Snapshot) -> tuple[Any, ...]:
        """:return: what the lists depend on, empty while not all of them are known"""
        feeds = draft.sidecar.get("feeds", {})
        counts = [feeds.get(v, {}).get("markets") for v in self._settings.venues.enabled]
        return (*counts, draft.computed_ms // HOUR_MS) if all(counts) else ()

    def _coins(self) -> frozenset[str]:
        venues = self._settings.venues.enabled
        return frozenset(m.base_asset for venue in venues for m in self._reader.markets(venue))


def _heard(before: Snapshot, sidecar: Mapping[str, Any]) -> tuple[float, ...]:
    """The sidecar's time against a clock that nobody can set, as of when a status was new."""
    said_ms = sidecar.get("now_ms")
    if said_ms is None or said_ms == before.sidecar.get("now_ms"):
        return before.heard
    if not before.sidecar:
        return before.heard  # nobody knows how old the first one is
    return (*before.heard, said_ms - elapsed_s() * 1000)[-_KEPT_STATUSES:]
