"""Files into the store: liquidations, and the coverage that the files can claim."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from liq_provider.coverage import Interval
from liq_provider.errors import ImportRefused
from liq_provider.history.formats import BadRow, read
from liq_provider.liquidation import MINUTE_MS, Liquidation, base_asset_of, minute_of
from liq_provider.markets import Market, MarketTable
from liq_provider.store.booking import Incoming
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from liq_provider.venues import VENUES

_BATCH = 20_000
_KEPT_BAD_ROWS = 20


@dataclass(slots=True)
class ImportReport:
    """
    :param kept: liquidations that were new
    :param duplicates: liquidations that the store had already, or that a file repeats
    :param bad: rows that could not be used
    :param bad_rows: the first of them
    :param booked: kept ones by how they were booked (event, arrival, late, future, small)
    :param notional_usd: of the kept ones that were read, per venue
    """

    files: int = 0
    kept: int = 0
    duplicates: int = 0
    bad: int = 0
    bad_rows: list[BadRow] = field(default_factory=list)
    booked: Counter[str] = field(default_factory=Counter)
    covered: dict[str, list[Interval]] = field(default_factory=dict)


class _Spans:
    """The minutes in which a venue had rows, and from them the spans without long holes."""

    def __init__(self) -> None:
        self._minutes: dict[str, set[int]] = {}
        self._ends: dict[str, list[int]] = {}

    def add(self, item: Liquidation) -> None:
        self._minutes.setdefault(item.venue, set()).add(minute_of(item.event_ms))
        ends = self._ends.setdefault(item.venue, [item.event_ms, item.event_ms])
        ends[0] = min(ends[0], item.event_ms)
        ends[1] = max(ends[1], item.event_ms)

    def covered(self, max_gap_ms: int) -> dict[str, list[Interval]]:
        """From first to last row; a hole of more than ``max_gap_ms`` is unknown."""
        return {
            venue: _without_holes(sorted(minutes), self._ends[venue], max_gap_ms)
            for venue, minutes in self._minutes.items()
        }


def _without_holes(minutes: Sequence[int], ends: Sequence[int], max_gap_ms: int) -> list[Interval]:
    spans = []
    start = minutes[0]
    for before, after in zip(minutes, [*minutes[1:], None], strict=True):
        if after is None or after - (before + MINUTE_MS) > max_gap_ms:
            spans.append(Interval(max(start, ends[0]), min(before + MINUTE_MS, ends[1] + 1)))
            start = after if after is not None else 0
    return spans


def import_files(
    writer: Writer,
    reader: Reader,
    paths: Iterable[Path],
    format_name: str,
    *,
    max_gap_ms: int = 10 * MINUTE_MS,
    covered: Interval | None = None,
    now_ms: int = 0,
) -> ImportReport:
    """
    Import recordings of one format. Idempotent: what is there already is only counted.

    :param max_gap_ms: a hole without a row on any pair that is longer is left unknown
    :param covered: the recording's own statement of its coverage, instead of the rule above
    :param now_ms: when the coverage became known
    :raises ImportRefused: a file cannot be read at all; what was imported before stays
    """
    report, spans = ImportReport(), _Spans()
    markets = known_markets(reader)
    settled = _settled_live(reader)
    for path in paths:
        if not path.is_file():
            raise ImportRefused(f"{path}: no such file")
        report.files += 1
        batch: list[Incoming] = []
        for record in read(path, format_name, markets):
            if isinstance(record, BadRow):
                report.bad += 1
                if len(report.bad_rows) < _KEPT_BAD_ROWS:
                    report.bad_rows.append(record)
                continue
            for item in record:
                spans.add(item)
                batch.append(Incoming(item))
            if len(batch) >= _BATCH:
                _store(writer, batch, settled, report)
                batch = []
        _store(writer, batch, settled, report)
    report.covered = spans.covered(max_gap_ms)
    if covered is not None:
        report.covered = {venue: [covered] for venue in report.covered}
    for venue, intervals in report.covered.items():
        writer.cover(venue, intervals, "import", now_ms)
    return report


def _store(
    writer: Writer,
    batch: list[Incoming],
    settled: Mapping[str, Sequence[Interval]],
    report: ImportReport,
) -> None:
    if not batch:
        return
    done = writer.import_batch(batch, settled)
    report.kept += done.inserted
    report.duplicates += done.duplicates
    report.booked.update(done.booked)


def _settled_live(reader: Reader) -> dict[str, list[Interval]]:
    """Per venue the live-covered spans up to the watermark, whose minutes are final."""
    watermark_ms = int(reader.states(["watermark_ms"]).get("watermark_ms") or 0)
    if not watermark_ms:
        return {}
    spans = reader.coverage(tuple(VENUES), 0, watermark_ms, ("live",))
    return {
        venue: [Interval(i.start_ms, min(i.end_ms, watermark_ms)) for i in intervals]
        for venue, intervals in spans.items()
    }


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
