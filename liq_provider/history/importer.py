"""Files into the store: liquidations, and the coverage that the files can claim."""

import gc
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from liq_provider.core.coverage import Interval, merge
from liq_provider.core.durations import FOREVER_MS, MINUTE_MS
from liq_provider.core.markets import MarketTable
from liq_provider.core.order_columns import MarketNames, OrderColumns
from liq_provider.errors import ImportRefused, UsageError
from liq_provider.history.bad_row import BadRow
from liq_provider.history.bar_formats import read_bars
from liq_provider.history.column_reading import read_at_once
from liq_provider.history.days import DayFile
from liq_provider.history.order_batches import OrderBatches
from liq_provider.history.order_formats import DAY_FORMATS, FORMATS, PER_MARKET, day_of
from liq_provider.history.recognise import recognise
from liq_provider.history.spans import Source, Spans
from liq_provider.store.bar_rows import BarsStored, put_bars
from liq_provider.store.imported_files import Imported, find, note
from liq_provider.store.reader import Reader
from liq_provider.store.simulated_spans import note_simulated
from liq_provider.store.writer import Writer
from liq_provider.venues import VENUES

_BATCH = 20_000
_KEPT_BAD_ROWS = 20
_SHOWN_REFUSED = 10

Progress = Callable[[Path, int], None]


def in_short(refused: Sequence[str]) -> str:
    """:return: what was said of the first files that were refused, and of how many more"""
    more = len(refused) - _SHOWN_REFUSED
    return "\n".join([*refused[:_SHOWN_REFUSED], *([f"... and {more:,} more"] if more > 0 else [])])


def silent(path: Path, rows: int) -> None:
    """Progress that nobody watches."""


def sha256_of(path: Path) -> str:
    """
    :return: the digest of a file's content
    :raises ImportRefused: it cannot be read
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ImportRefused(f"{path}: {error.strerror or error}") from None


@dataclass(slots=True)
class ImportReport:
    """
    :param kept: liquidations that were new
    :param duplicates: liquidations that the store had already, or that a file repeats
    :param bad: rows that could not be used
    :param bad_rows: the first of them
    :param files: that were read, or had been read before
    :param skipped: of those, the ones that had been read before
    :param refused: what was said of files that were refused
    :param booked: kept ones by how they were booked (event, arrival, late, future, small)
    :param covered: what is known now, per venue
    :param coins: per venue the coins of which it is known, each over a part of that; a venue
        that is left out is known as a whole
    :param simulated: venues that the files themselves say are simulated
    """

    files: int = 0
    skipped: int = 0
    refused: list[str] = field(default_factory=list)
    kept: int = 0
    duplicates: int = 0
    bad: int = 0
    bad_rows: list[BadRow] = field(default_factory=list)
    booked: Counter[str] = field(default_factory=Counter)
    covered: dict[str, list[Interval]] = field(default_factory=dict)
    coins: dict[str, list[str]] = field(default_factory=dict)
    simulated: set[str] = field(default_factory=set)

    def note(self, row: BadRow) -> None:
        """Count a row that could not be used; the first ones are kept."""
        self.bad += 1
        if len(self.bad_rows) < _KEPT_BAD_ROWS:
            self.bad_rows.append(row)


def import_files(
    writer: Writer,
    reader: Reader,
    paths: Sequence[Path],
    format_name: str | None = None,
    *,
    max_gap_ms: int = 10 * MINUTE_MS,
    covered: Interval | None = None,
    now_ms: int = 0,
    venue: str | None = None,
    again: bool = False,
    progress: Progress = silent,
) -> ImportReport:
    """
    Import recordings. Idempotent: what is there already is only counted, and a file that was
    read to its end before is not read again. After each file the store is consistent.

    :param format_name: one of ``FORMATS``; None to recognise each file
    :param max_gap_ms: a hole without a row on any pair that is longer is left unknown
    :param covered: the recording's own statement of its coverage, instead of the rule above;
        where only some coins were recorded, it is about those
    :param now_ms: when the coverage became known; a row that is younger is a bad one
    :param venue: whose bare frames they are; None if they are no such thing
    :param again: read files that were read before, too
    :param progress: is told the file and how many rows of it were read
    :raises ImportRefused: no file can be read; what was imported before stays
    :raises UsageError: there is no such venue
    """
    if venue is not None and venue not in VENUES:
        raise UsageError(f"{venue!r} is none of the venues: {', '.join(VENUES)}")
    job = _Job(writer, reader, _Options(max_gap_ms, covered, venue), now_ms, progress)
    with _rare_collections():
        for path in paths:
            try:
                if not path.is_file():
                    raise ImportRefused(f"{path}: no such file")
                job.take(path, format_name or _recognised(path, venue), again=again)
            except ImportRefused as error:
                job.report.refused.append(str(error))
    if job.report.refused and not job.report.files:
        raise ImportRefused(in_short(job.report.refused))
    return job.report


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Millions of small objects without cycles: looking for some costs a quarter of the time."""
    before = gc.get_threshold()
    gc.set_threshold(1_000_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _recognised(path: Path, venue: str | None) -> str:
    name = "frames" if venue is not None else recognise(path)
    if name not in FORMATS:
        raise ImportRefused(f"{path}: holds bars of {name}; import them with --format {name}")
    return name


@dataclass(frozen=True, slots=True)
class _Options:
    """What decides, beside its content, what becomes of a file."""

    max_gap_ms: int
    covered: Interval | None
    venue: str | None


class _Job:
    """One import of several files."""

    def __init__(
        self, writer: Writer, reader: Reader, options: _Options, now_ms: int, progress: Progress
    ) -> None:
        self.report = ImportReport()
        self._writer, self._reader = writer, reader
        self._options, self._now_ms = options, now_ms
        self._progress = progress
        self._names = MarketNames()
        self._markets = known_markets(reader)
        gap_ms = options.max_gap_ms
        self._spans = {name: Spans(gap_ms, per_coin=name in PER_MARKET) for name in FORMATS}

    def take(self, path: Path, format_name: str, *, again: bool) -> None:
        """Import one file."""
        day = day_of(path, format_name, self._markets)
        read_as = f"{format_name} {self._options} {day}"
        key = Imported(sha256_of(path), read_as, path.name)
        before = None if again else find(self._writer.engine, key)
        if before is not None:
            self.report.files += 1
            self.report.skipped += 1
            self.report.duplicates += before
            self._recall(format_name)
            return
        # A day file's rows do not say what it covers, its name does.
        spans = self._spans[format_name] if day is None else Spans(FOREVER_MS, per_coin=False)
        bad, orders = self.report.bad, self._read(path, format_name, spans)
        self.report.files += 1
        self._cover(spans, day)
        if self.report.bad == bad:
            note(self._writer.engine, key, orders, self._now_ms)

    def _read(self, path: Path, format_name: str, spans: Spans) -> int:
        """:return: liquidations in the file"""
        batches = OrderBatches(self._names, _BATCH)
        bad, orders = self.report.bad, 0
        last: BadRow | None = None
        now_ms, venue = self._now_ms or None, self._options.venue
        simulated = self.report.simulated
        for record in read_at_once(
            path, format_name, self._markets, self._names, now_ms, venue, simulated
        ):
            if isinstance(record, BadRow):
                self.report.note(record)
                last = record
                # Where a symbol alone tells the coin, one that does not is of another product.
                if record.unknown_of and not self._markets[record.unknown_of].plain:
                    spans.incomplete(record.unknown_of)
                continue
            if isinstance(record, OrderColumns):
                spans.add_columns(record)
            else:
                for order in record:
                    spans.add(order)
            for batch in batches.add(record):
                orders += len(batch)
                self._store(batch)
                self._progress(path, orders)
        rest = batches.rest()
        orders += len(rest)
        if not orders and self.report.bad > bad:
            raise ImportRefused(f"{path}: no row of it is a liquidation; the last: {last}")
        self._store(rest)
        self._progress(path, orders)
        return orders

    def _store(self, batch: OrderColumns) -> None:
        """What is simulated is called so before it is there."""
        for venue in self.report.simulated:
            markets = [name.venue == venue for name in batch.names]
            times = batch.event_ms[np.array(markets, dtype=np.bool_)[batch.market]]
            if len(times):
                span = Interval(int(times.min()), int(times.max()) + 1)
                note_simulated(self._writer.engine, venue, span, self._now_ms)
        done = self._writer.import_columns(batch)
        self.report.kept += done.inserted
        self.report.duplicates += done.duplicates
        self.report.booked.update(done.booked)

    def _cover(self, spans: Spans, day: DayFile | None) -> None:
        if day is not None:
            sources = [(day.venue, day.base_asset)]
            if not day.base_asset and spans.is_incomplete(day.venue):
                sources = spans.sources((day.venue, ""))
            for source in sources:
                self._claim(source, [day.span])
            return
        for source, heard in spans.covered().items():
            stated = self._options.covered
            self._claim(source, heard if stated is None else [stated])

    def _claim(self, source: Source, intervals: list[Interval]) -> None:
        (venue, base), report = source, self.report
        if venue in report.simulated:
            for interval in intervals:
                note_simulated(self._writer.engine, venue, interval, self._now_ms)
        self._writer.cover(venue, intervals, "import", self._now_ms, base)
        report.covered[venue] = merge([*report.covered.get(venue, ()), *intervals])
        if base and base not in report.coins.setdefault(venue, []):
            report.coins[venue].append(base)

    def _recall(self, format_name: str) -> None:
        """So that a hole between two files is judged as if both had been read now."""
        if format_name in DAY_FORMATS:
            return
        for source, intervals in self._reader.imported_spans().items():
            if bool(source[1]) == (format_name in PER_MARKET):
                for interval in intervals:
                    self._spans[format_name].known(source, interval)


@dataclass(slots=True)
class BarReport:
    """
    What became of vendors' bars.

    :param refused: what was said of files that were refused
    :param stored: by coin and length of the bars in minutes
    :param spans: of them, first open and last close
    """

    files: int = 0
    refused: list[str] = field(default_factory=list)
    stored: dict[tuple[str, int], BarsStored] = field(default_factory=dict)
    spans: dict[tuple[str, int], Interval] = field(default_factory=dict)
    bad: int = 0
    bad_rows: list[BadRow] = field(default_factory=list)

    def take(self, key: tuple[str, int], done: BarsStored, span: Interval) -> None:
        """Add what a file brought."""
        before = self.stored.get(key, BarsStored())
        self.stored[key] = BarsStored(
            before.kept + done.kept,
            before.duplicates + done.duplicates,
            before.restated + done.restated,
        )
        old = self.spans.get(key, span)
        self.spans[key] = Interval(min(old.start_ms, span.start_ms), max(old.end_ms, span.end_ms))


def import_bars(
    writer: Writer,
    paths: Iterable[Path],
    source: str,
    *,
    pair: str | None = None,
    bar_min: int | None = None,
    now_ms: int = 0,
) -> BarReport:
    """
    Import a data vendor's bars; see ``read_bars`` for the parameters.

    :raises ImportRefused: no file holds such bars
    """
    report = BarReport()
    for path in paths:
        try:
            read = read_bars(path, source, pair, bar_min, writer.rules.settle_ms, now_ms)
        except ImportRefused as error:
            report.refused.append(str(error))
            continue
        report.files += 1
        report.bad += len(read.bad)
        report.bad_rows += read.bad[: _KEPT_BAD_ROWS - len(report.bad_rows)]
        for (base, length), rows in read.bars.items():
            if rows:
                first = min(row["start_ms"] for row in rows)
                last = max(row["start_ms"] for row in rows) + length * MINUTE_MS
                done = put_bars(writer.engine, rows)
                report.take((base, length), done, Interval(first, last))
    if report.refused and not report.files:
        raise ImportRefused(in_short(report.refused))
    return report


def known_markets(reader: Reader) -> dict[str, MarketTable]:
    """
    :return: market tables for reading history: what ships with the package, and over it what
        the store knows
    """
    tables = {}
    for venue, bundled in bundled_markets().items():
        markets = {market.market_id: market for market in [*bundled, *reader.markets(venue)]}
        tables[venue] = bundled.only(markets.values())
    return tables


def bundled_markets() -> dict[str, MarketTable]:
    """:return: tables of the few contract sizes that were verified and ship with the package"""
    return {name: venue.table(venue.markets.shipped) for name, venue in VENUES.items()}
