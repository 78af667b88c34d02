"""Files into the store: liquidations, and the coverage that the files can claim."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from liq_provider.coverage import Interval, merge
from liq_provider.errors import ImportRefused
from liq_provider.history.bars import read_bars
from liq_provider.history.days import DayFile
from liq_provider.history.formats import DAY_FORMATS, FORMATS, PER_MARKET, day_of, read
from liq_provider.history.recognise import recognise
from liq_provider.history.rows import BadRow
from liq_provider.liquidation import MINUTE_MS, Liquidation, base_asset_of, minute_of
from liq_provider.markets import Market, MarketTable
from liq_provider.store.bars import BarsStored, put_bars
from liq_provider.store.booking import Incoming
from liq_provider.store.imports import Imported, find, note
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from liq_provider.venues import VENUES

_BATCH = 20_000
_KEPT_BAD_ROWS = 20

_Source = tuple[str, str]  # venue and coin; the coin is empty for the whole venue
Progress = Callable[[Path, int], None]


def silent(path: Path, rows: int) -> None:
    """Progress that nobody watches."""


def sha256_of(path: Path) -> str:
    """:return: the digest of a file's content"""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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

    def note(self, row: BadRow) -> None:
        """Count a row that could not be used; the first ones are kept."""
        self.bad += 1
        if len(self.bad_rows) < _KEPT_BAD_ROWS:
            self.bad_rows.append(row)


class _Spans:
    """
    When a venue had rows, by minute, and from that the spans without long holes.

    :param per_coin: each coin of a venue for itself
    """

    def __init__(self, *, per_coin: bool) -> None:
        self._per_coin = per_coin
        self._seen: dict[_Source, dict[int, tuple[int, int]]] = {}

    def add(self, item: Liquidation) -> None:
        source = (item.venue, item.base_asset if self._per_coin else "")
        minutes = self._seen.setdefault(source, {})
        first, last = minutes.get(minute_of(item.event_ms), (item.event_ms, item.event_ms))
        minutes[minute_of(item.event_ms)] = (min(first, item.event_ms), max(last, item.event_ms))

    def known(self, source: _Source, interval: Interval) -> None:
        """An earlier import of the same recording covered this."""
        minutes = self._seen.setdefault(source, {})
        first, last = minutes.get(minute_of(interval.start_ms), (interval.start_ms, 0))
        minutes[minute_of(interval.start_ms)] = (
            min(first, interval.start_ms),
            max(last, interval.end_ms - 1),
        )

    def covered(self, max_gap_ms: int) -> dict[_Source, list[Interval]]:
        """From first to last row; a hole of more than ``max_gap_ms`` is unknown."""
        return {source: _without_holes(seen, max_gap_ms) for source, seen in self._seen.items()}


def _without_holes(seen: Mapping[int, tuple[int, int]], max_gap_ms: int) -> list[Interval]:
    spans: list[Interval] = []
    for minute_ms in sorted(seen):
        first, last = seen[minute_ms]
        if spans and first - spans[-1].end_ms < max_gap_ms:
            spans[-1] = Interval(spans[-1].start_ms, max(last + 1, spans[-1].end_ms))
        else:
            spans.append(Interval(first, last + 1))
    return spans


def import_files(
    writer: Writer,
    reader: Reader,
    paths: Sequence[Path],
    format_name: str | None = None,
    *,
    max_gap_ms: int = 10 * MINUTE_MS,
    covered: Interval | None = None,
    now_ms: int = 0,
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
    :param again: read files that were read before, too
    :param progress: is told the file and how many rows of it were read
    :raises ImportRefused: no file can be read; what was imported before stays
    """
    job = _Job(writer, reader, max_gap_ms, covered, now_ms, progress)
    for path in paths:
        try:
            if not path.is_file():
                raise ImportRefused(f"{path}: no such file")
            job.take(path, format_name or recognise(path), again=again)
        except ImportRefused as error:
            job.report.refused.append(str(error))
    if job.report.refused and not job.report.files:
        raise ImportRefused("\n".join(job.report.refused))
    return job.report


class _Job:
    """One import of several files."""

    def __init__(
        self,
        writer: Writer,
        reader: Reader,
        max_gap_ms: int,
        covered: Interval | None,
        now_ms: int,
        progress: Progress,
    ) -> None:
        self.report = ImportReport()
        self._writer, self._reader = writer, reader
        self._max_gap_ms, self._covered, self._now_ms = max_gap_ms, covered, now_ms
        self._progress = progress
        self._markets = known_markets(reader)
        self._spans = {name: _Spans(per_coin=name in PER_MARKET) for name in FORMATS}

    def take(self, path: Path, format_name: str, *, again: bool) -> None:
        day = day_of(path, format_name, self._markets)
        key = Imported(
            sha256_of(path), f"{format_name} {self._max_gap_ms} {self._covered} {day}", path.name
        )
        before = None if again else find(self._writer.engine, key)
        if before is not None:
            self.report.files += 1
            self.report.skipped += 1
            self.report.duplicates += before
            self._recall(format_name)
            return
        bad, orders = self.report.bad, self._read(path, format_name, day)
        self.report.files += 1
        self._cover(format_name, day)
        if self.report.bad == bad:
            note(self._writer.engine, key, orders, self._now_ms)

    def _read(self, path: Path, format_name: str, day: DayFile | None) -> int:
        """:return: liquidations in the file"""
        batch: list[Incoming] = []
        bad, orders = self.report.bad, 0
        # A day file's rows do not say what it covers, its name does.
        spans = self._spans[format_name] if day is None else _Spans(per_coin=False)
        for record in read(path, format_name, self._markets, self._now_ms or None):
            if isinstance(record, BadRow):
                self.report.note(record)
                continue
            for item in record:
                spans.add(item)
                batch.append(Incoming(item))
            if len(batch) >= _BATCH:
                orders += len(batch)
                _store(self._writer, batch, self.report)
                self._progress(path, orders)
                batch = []
        orders += len(batch)
        if not orders and self.report.bad > bad:
            first = self.report.bad_rows[-1] if self.report.bad_rows else ""
            raise ImportRefused(f"{path}: no row of it is a liquidation; the last: {first}")
        _store(self._writer, batch, self.report)
        self._progress(path, orders)
        return orders

    def _cover(self, format_name: str, day: DayFile | None) -> None:
        if day is not None:
            self._claim((day.venue, day.base_asset), [day.span])
            return
        for source, found in self._spans[format_name].covered(self._max_gap_ms).items():
            self._claim(source, found if self._covered is None else [self._covered])

    def _claim(self, source: _Source, intervals: list[Interval]) -> None:
        (venue, base), report = source, self.report
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

    :param stored: by coin and length of the bars in minutes
    :param spans: of them, first open and last close
    """

    files: int = 0
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

    :raises ImportRefused: a file holds no such bars; what was imported before stays
    """
    report = BarReport()
    for path in paths:
        found = read_bars(path, source, pair, bar_min, writer.rules.settle_ms, now_ms)
        report.files += 1
        report.bad += len(found.bad)
        report.bad_rows += found.bad[: _KEPT_BAD_ROWS - len(report.bad_rows)]
        for (base, length), rows in found.bars.items():
            if rows:
                first = min(row["start_ms"] for row in rows)
                last = max(row["start_ms"] for row in rows) + length * MINUTE_MS
                done = put_bars(writer.engine, rows)
                report.take((base, length), done, Interval(first, last))
    return report


def _store(writer: Writer, batch: list[Incoming], report: ImportReport) -> None:
    done = writer.import_batch(batch)
    report.kept += done.inserted
    report.duplicates += done.duplicates
    report.booked.update(done.booked)


def known_markets(reader: Reader) -> dict[str, MarketTable]:
    """
    :return: market tables for reading history: what ships with the package, and over it what
        the store knows
    """
    tables = {}
    for venue, bundled in bundled_markets().items():
        markets = {market.market_id: market for market in [*bundled, *reader.markets(venue)]}
        tables[venue] = MarketTable(venue, markets.values())
    return tables


def bundled_markets() -> dict[str, MarketTable]:
    """:return: tables of the few contract sizes that were verified and ship with the package"""
    sizes = json.loads(files("liq_provider.history").joinpath("contracts.json").read_text())
    return {
        venue: MarketTable(
            venue,
            [_bundled_market(venue, name, size) for name, size in sizes.get(venue, {}).items()],
        )
        for venue in VENUES
    }


def _bundled_market(venue: str, market_id: str, contract_size: float) -> Market:
    base, quote, _ = market_id.split("-")
    return Market(
        venue, market_id, f"{base}/{quote}:{quote}", base_asset_of(base), float(contract_size)
    )
