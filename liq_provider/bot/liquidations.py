"""
Liquidations beside any strategy's candles, or in a notebook.

Live and in backtests alike, a candle that closes at T knows minutes that closed until T, and
verdicts that were there ``max_entry_delay_s`` after T: what a bot could have known.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from liq_provider.bot.asked_span import MOST_DAYS, address_of, check_pair, span_ms, time_ms
from liq_provider.bot.book import Book
from liq_provider.bot.checks import check_columns, check_timeframe
from liq_provider.bot.engine import Engine
from liq_provider.bot.frame_checks import check_frame
from liq_provider.bot.last_look import of_time
from liq_provider.bot.one_line_errors import in_one_line
from liq_provider.bot.sidecar_keeper import SidecarWatch
from liq_provider.bot.source import HistorySource, LiveSource
from liq_provider.bot.start import connect, past_engine
from liq_provider.config.pair_list_file import HOLDS, READS
from liq_provider.config.settings import SECTION, Settings, load_settings, resolve_store
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import minute_of
from liq_provider.errors import LiqError, UsageError
from liq_provider.exchange.bot_exchange import timeframe_ms
from liq_provider.judge.decisions import Rules
from liq_provider.measure.feature_rows import FeatureRows, State, purity
from liq_provider.measure.waves import Strength, direction_word

logger = logging.getLogger(__name__)

_OF_A_DECISION = ("liq_level", "liq_candidate", "liq_verdict_side")

Time = str | datetime


class Liquidations:
    """
    :param settings: of the section ``liq_provider``
    :param watch: keeps the sidecar of a live bot
    :param told: to the sidecar, of the bot
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        watch: SidecarWatch | None = None,
        told: Mapping[str, Any] | None = None,
    ) -> None:
        self.settings = settings
        self.engine = engine
        self._watch = watch
        self._told = dict(told or {})
        self._book = Book({})
        self._rules = Rules.of(settings)

    @classmethod
    def of(cls, strategy: Any) -> "Liquidations":
        """
        For a strategy, in its ``bot_start``; in live modes a sidecar is started if none runs and
        ``autostart`` is on.

        :param strategy: the strategy object, as Freqtrade has set it up
        :raises SettingsError: what is wrong, a line for each key
        :raises StoreError: a backtest has no store that it could be made of
        """
        try:
            settings = load_settings(strategy.config)
            check_columns(strategy.config, strategy, settings)
            connected = connect(strategy, settings)
        except LiqError as error:
            raise in_one_line(error) from None
        made = cls(settings, connected.engine, connected.watch, connected.told)
        made._keep()
        return made

    @classmethod
    def stored(cls, store: str | Path, timeframe: str = "1m", **section: Any) -> "Liquidations":
        """
        For a notebook: what was recorded, as a backtest sees it.

        :param store: path of the file, or the address of a database
        :param timeframe: of the candles, as Freqtrade writes it
        :param section: other keys of the section ``liq_provider``
        :raises SettingsError: what is wrong, a line for each key
        :raises StoreError: there is no such store
        :raises UsageError: it is neither path nor address
        """
        settings = load_settings({SECTION: {**section, "store": address_of(store)}})
        length_ms = timeframe_ms(timeframe)
        check_timeframe(timeframe, settings)
        url = resolve_store(settings, Path.cwd())
        return cls(settings, past_engine(url, settings, length_ms, True))

    def refresh(self, now: datetime) -> None:
        """
        For ``bot_loop_start``: take what is new, without waiting for anything; it never raises, and
        a time that is none is a problem. In backtests it warns once of little coverage.

        :param now: without a zone it is UTC
        """
        if self._watch is None:
            if self.engine.coverage is not None:
                self.engine.coverage.warn_first()
            return
        self._keep(**self._positions())
        try:
            self.engine.refresh(time_ms("now", now))
        except UsageError as error:
            self.engine.problem = str(error)

    @property
    def problem(self) -> str | None:
        """Why nothing may be entered now, in words; always None for the past."""
        return self.engine.problem if self.engine.live else None

    def add_to(self, frame: pd.DataFrame, pair: str) -> pd.DataFrame:
        """
        :param frame: candles as Freqtrade has them: ``date`` (of the open, UTC), ``high``, ``low``,
            ``close``
        :param pair: such as ``BTC/USDT:USDT``
        :return: the same with the columns ``liq_*``; live, while there is a problem, or when it is
            too late to enter by it, the newest candle is no candidate
        :raises UsageError: the candles are not those of the timeframe, or the pair is none
        """
        check_pair(pair)
        check_frame(frame, self.engine.timeframe_ms)
        made = self.engine.columns(self.engine.indicators(frame, pair), pair, self._rules)
        if self.engine.live and len(made) and not self._may_enter_by(made, pair):
            for name in _OF_A_DECISION:
                made[name] = [*made[name].to_numpy()[:-1], 0]
        return made

    def _may_enter_by(self, made: pd.DataFrame, pair: str) -> bool:
        """Of the newest candle. Its gates are those of LiqTrend's own last look."""
        if self.problem is not None:
            return False
        opened = made["date"].iloc[-1].timestamp()
        close_ms = round(opened * 1000) + self.engine.timeframe_ms
        return False not in of_time(self.engine, pair, close_ms, self.engine.now_ms).values()

    def waves(self, frame: pd.DataFrame) -> pd.DataFrame:
        """
        :param frame: with the columns of ``add_to``
        :return: a row for each wave, the oldest first: ``start`` and ``end`` (closes of its first
            minute and of its last candle, UTC), ``direction``, ``strength``, ``z`` and ``purity``
            (the largest), ``usd`` (of the largest segment), ``seen``, ``level`` (the surest)
        :raises UsageError: the frame is none that ``add_to`` made with this timeframe
        """
        check_frame(frame, self.engine.timeframe_ms, ("date", *_OF_WAVES))
        length = pd.Timedelta(milliseconds=self.engine.timeframe_ms)
        rows = frame[frame["liq_strength"] > Strength.NONE]
        waves = [
            {
                "start": pd.Timestamp(int(wave["liq_wave"].iloc[0]), unit="ms", tz="UTC"),
                "end": wave["date"].iloc[-1] + length,
                "direction": direction_word(int(wave["liq_sign"].iloc[0])),
                "strength": Strength(int(wave["liq_strength"].max())).word,
                "z": wave["liq_z"].max(),
                "purity": wave["liq_purity"].max(),
                "usd": (wave["liq_long_usd"] + wave["liq_short_usd"]).max(),
                "seen": bool(wave["liq_seen"].iloc[0]),
                "level": int(wave["liq_level"].max()),
            }
            for _, wave in rows.groupby(["liq_wave", "liq_sign"])
        ]
        return pd.DataFrame(waves, columns=_WAVE)

    def features(self, pair: str, start: Time, end: Time, quiet: bool = True) -> pd.DataFrame:
        """
        :param start: first close; without a zone it is UTC; so is ``end``, the last one
        :param quiet: also minutes in whose segment there was no liquidation; without them a year
            of a coin that has few takes a fraction of the time
        :return: a row for each minute that closes in the span, in ``close`` (UTC); minutes that
            nothing happened in may be left out. Missing numbers are NaN
        :raises UsageError: a live bot has no past; nothing is known of the pair; a time is none,
            or lies before 2017 or after 2100; the span is none, or too long
        """
        source = self._past()
        check_pair(pair)
        from_ms, to_ms = span_ms(start, end, MOST_DAYS)
        coin = source.coin(pair)
        first_ms, last_ms = -(-from_ms // MINUTE_MS) * MINUTE_MS, minute_of(to_ms)
        if first_ms > last_ms:
            return _feature_frame(FeatureRows.empty())
        return _feature_frame(source.rows(coin, first_ms, last_ms, quiet=quiet))

    def verdicts(self, pair: str, start: Time, end: Time) -> pd.DataFrame:
        """
        :return: what was judged for candles that close in the span, a row for each verdict, by
            ``available_at``, the time (UTC) from which on it could be known
        :raises UsageError: as ``features`` has it; a span of any length between is taken
        """
        source = self._past()
        check_pair(pair)
        rows = source.verdicts(source.coin(pair), *span_ms(start, end))
        frame = pd.DataFrame(list(rows), columns=list(_VERDICT))
        for name in _TIMES:
            frame[name] = pd.to_datetime(frame[name], unit="ms", utc=True)
        return frame.rename(columns=_TIMES)

    def end(self) -> None:
        """No more reading; for a strategy's ``ft_bot_cleanup``, and not needed elsewhere."""
        if self._watch is not None:
            self._watch.end()
        if isinstance(self.engine.source, LiveSource):
            self.engine.source.end()

    def _keep(self, **more: Any) -> None:
        if self._watch is not None:
            self._watch.ask(self._told | more)

    def _positions(self) -> dict[str, Any]:
        """Of a bot of the whole market, whose list has them beside its places."""
        try:
            return {HOLDS: sorted(self._book.open_pairs())} if self._told.get(READS) else {}
        except Exception:
            logger.debug("The open positions are not known", exc_info=True)
            return {}

    def _past(self) -> HistorySource:
        source = self.engine.source
        if not isinstance(source, HistorySource):
            raise UsageError("a live bot has no past; add_to has the candles that it has")
        return source


_OF_WAVES = (
    *("liq_strength", "liq_wave", "liq_sign", "liq_z", "liq_purity", "liq_long_usd"),
    *("liq_short_usd", "liq_seen", "liq_level"),
)
_WAVE = ["start", "end", "direction", "strength", "z", "purity", "usd", "seen", "level"]
_VERDICT = (
    *("base_asset", "direction", "wave_start_ms", "close_ms", "strength", "aligned", "judge"),
    *("news", "action", "confidence", "liq_note", "trend_note", "news_note", "action_reason"),
    *("available_at", "expires_at"),
)
# Names of the columns that are times, in the store and here.
_TIMES = {
    "wave_start_ms": "wave_start",
    "close_ms": "close",
    "available_at": "available_at",
    "expires_at": "expires_at",
}


def _feature_frame(rows: FeatureRows) -> pd.DataFrame:
    # Where nobody listened a zero would say that it was quiet.
    known = rows.state != State.UNCOVERED
    return pd.DataFrame(
        {
            "close": pd.to_datetime(rows.close_ms, unit="ms", utc=True),
            "long_usd": np.where(known, rows.long_usd, np.nan),
            "short_usd": np.where(known, rows.short_usd, np.nan),
            "count": np.where(known & rows.has_counts, rows.count, np.nan),
            "z": rows.z,
            "robust_z": rows.robust_z,
            "percentile": rows.percentile,
            "purity": np.where(known, purity(rows.long_usd, rows.short_usd), np.nan),
            "state": np.array([state.name.lower() for state in State], dtype=object)[rows.state],
        }
    )
