"""``import``, ``fill``, ``rebuild`` and ``prune``: the past in the store."""

import argparse
import glob
import math
import re
from contextlib import closing, suppress
from pathlib import Path

import requests
from sqlalchemy.engine import make_url

from liq_provider.commands.archive import import_exports
from liq_provider.commands.support.context import (
    context_of,
    one_of,
    pair_of,
    parse_time,
    show_time,
    writer_of,
)
from liq_provider.commands.support.progress import file_progress
from liq_provider.config import simulated_marks
from liq_provider.core.clock import machine_ms
from liq_provider.core.coins import base_asset_of_pair
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import DAY_MIN, DAY_MS, HOUR_MS, MINUTE_MS
from liq_provider.errors import ImportRefused, UsageError
from liq_provider.exchange.venue_rest import fetch_of
from liq_provider.history.archive import is_export
from liq_provider.history.bad_row import BadRow
from liq_provider.history.bar_formats import BAR_FORMATS
from liq_provider.history.fill import GapReport, fill_coins, is_fillable
from liq_provider.history.importer import (
    BarReport,
    ImportReport,
    import_bars,
    import_files,
    in_short,
)
from liq_provider.history.order_formats import FORMATS
from liq_provider.history.recognise import recognise
from liq_provider.sidecar.sidecar_lock import SidecarLock
from liq_provider.store.pruning import newest_ms
from liq_provider.store.reader import Reader
from liq_provider.store.simulated_spans import note_simulated
from liq_provider.store.writer import Writer
from liq_provider.venues import VENUES

_SHOWN_SPANS = 5
_MAX_DAYS = 36_500


def import_(arguments: argparse.Namespace) -> int:
    """Exit status 1 if any row was bad."""
    if not 0 <= arguments.max_gap < math.inf:
        raise UsageError("--max-gap must be a number of minutes")
    if arguments.format is not None:
        one_of("--format", arguments.format, [*FORMATS, *BAR_FORMATS, "parquet"])
    if arguments.format == "parquet" or any(is_export(Path(name)) for name in arguments.files):
        return import_exports(arguments)
    paths = _paths(arguments.files)
    if arguments.venue is not None and arguments.format not in (None, "frames"):
        raise UsageError("--venue is for frames only")
    bars = _bar_files(paths, arguments)
    for option, given in (("--pair", arguments.pair), ("--bar", arguments.bar)):
        if given is not None and not bars:
            raise UsageError(f"{option} is for bars ({', '.join(BAR_FORMATS)}) only")
    context = context_of(arguments)
    rows = [path for path in paths if not any(path in group for group in bars.values())]
    status = 0
    with writer_of(context) as writer, closing(Reader(context.store_url)) as reader:
        writer.refuse_if_stale()
        if rows:
            status = _import_rows(writer, reader, rows, arguments)
        for source, group in bars.items():
            status = max(status, _import_bars(writer, group, source, arguments))
    return status


def _bar_files(paths: list[Path], arguments: argparse.Namespace) -> dict[str, list[Path]]:
    """:return: the files with bars, by their vendor"""
    if arguments.format is not None or arguments.venue is not None:
        return {arguments.format: paths} if arguments.format in BAR_FORMATS else {}
    by_format: dict[str, list[Path]] = {}
    for path in paths:
        # What is not recognised is refused later, with the rows.
        with suppress(ImportRefused):
            name = recognise(path)
            if name in BAR_FORMATS:
                by_format.setdefault(name, []).append(path)
    return by_format


def _import_rows(
    writer: Writer, reader: Reader, paths: list[Path], arguments: argparse.Namespace
) -> int:
    with file_progress(len(paths)) as progress:
        report = import_files(
            writer,
            reader,
            paths,
            arguments.format,
            max_gap_ms=round(arguments.max_gap * MINUTE_MS),
            covered=_interval(arguments.covered),
            now_ms=machine_ms(),
            venue=arguments.venue,
            again=arguments.again,
            progress=progress,
        )
    _print(report)
    return 1 if report.bad or report.refused else 0


def _paths(names: list[str]) -> list[Path]:
    """Files as they are, the files below folders, and what patterns match, each once."""
    paths: dict[Path, None] = {}
    for name in names:
        path = Path(name)
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.is_file())
        elif path.is_file() or not glob.has_magic(name):
            inside = [path]
        else:
            root = Path(path.anchor)
            inside = sorted(root.glob(str(path.relative_to(root)) if path.anchor else name))
        files = [file for file in inside if not _is_aside(file)]
        if not files:
            raise UsageError(
                f"{name}: holds no file" if path.is_dir() else f"{name}: matches nothing"
            )
        paths.update(dict.fromkeys(files))
    for path in paths:
        if path.exists() and not path.is_file():
            raise UsageError(f"{path}: is no file; what a pipe says must be saved as one first")
        if not path.is_file():
            raise UsageError(f"{path}: no such file")
    return list(paths)


def _is_aside(file: Path) -> bool:
    """:return: whether it is no data: hidden, or what an archive publishes to check a download"""
    return file.name.startswith(".") or file.suffix.upper() == ".CHECKSUM"


def _import_bars(
    writer: Writer, paths: list[Path], source: str, arguments: argparse.Namespace
) -> int:
    report = import_bars(
        writer,
        paths,
        source,
        pair=None if arguments.pair is None else pair_of(arguments.pair),
        bar_min=None if arguments.bar is None else _minutes(arguments.bar),
        now_ms=machine_ms(),
    )
    _print_bars(report, source)
    return 1 if report.bad or report.refused else 0


def _minutes(text: str) -> int:
    length = re.fullmatch(r"(\d+)(m|h|d)", text)
    minutes = int(length[1]) * {"m": 1, "h": 60, "d": DAY_MIN}[length[2]] if length else 0
    if not minutes or DAY_MIN % minutes:
        raise UsageError(f"--bar {text!r}: write the length of a bar, such as 5m, 1h or 1d")
    return minutes


def _print_bars(report: BarReport, source: str) -> None:
    for (base, bar_min), done in sorted(report.stored.items()):
        span = report.spans[base, bar_min]
        possible = (span.end_ms - span.start_ms) // (bar_min * MINUTE_MS)
        print(
            f"{base}: {done.kept:,} bars of {bar_min} min kept, {done.duplicates:,} duplicates, "
            f"{done.restated:,} restated, from {source}, "
            f"{show_time(span.start_ms)} .. {show_time(span.end_ms)} ({possible:,} would be whole)"
        )
    print(f"{report.bad:,} bad rows in {report.files} file(s)")
    _print_refused(report.refused)
    _print_bad(report.bad_rows, report.bad)
    print(
        "Bars are sums of whole intervals, in USD as the vendor says: backtests and the study use "
        f"them with liq_provider.backtest_source {source!r}, live trading never does."
    )


def _print_refused(refused: list[str]) -> None:
    for said in in_short(refused).splitlines() if refused else ():
        print(f"  {said}" if said.startswith("...") else f"  refused: {said}")


def _print_bad(rows: list[BadRow], total: int) -> None:
    """Rows of one file with the same reason on one line."""
    lines: dict[tuple[Path, str], list[int]] = {}
    for bad in rows:
        lines.setdefault((bad.path, bad.reason), []).append(bad.line)
    for (path, reason), (first, *others) in lines.items():
        also = f" (and lines {', '.join(map(str, others))})" if others else ""
        print(f"  {path}:{first}: {reason}{also}")
    if total > len(rows):
        print(f"  ... and {total - len(rows):,} more")


def _interval(text: str | None) -> Interval | None:
    if text is None:
        return None
    start, dots, end = text.partition("..")
    if not dots:
        raise UsageError(f"--covered {text!r}: write FROM..TO")
    span = Interval(parse_time(start, "--covered"), parse_time(end, "--covered"))
    if span.end_ms <= span.start_ms:
        raise UsageError(f"--covered {text!r}: TO must be after FROM")
    return span


def _print(report: ImportReport) -> None:
    print(
        f"{report.kept:,} liquidations kept, {report.duplicates:,} duplicates, "
        f"{report.bad:,} bad rows in {report.files} file(s)"
    )
    if report.simulated:
        names = ", ".join(sorted(report.simulated))
        print(f"  SIMULATED, as the files say: {names}; the store is marked for good")
    if report.skipped == report.files and not report.refused:
        print("  nothing to do: all was imported before (--again reads it anyway)")
    elif report.skipped:
        print(f"  {report.skipped} of the files were read before and not read again (--again does)")
    _print_refused(report.refused)
    aside = {how: count for how, count in report.booked.items() if how != "event"}
    for how, count in sorted(aside.items()):
        print(f"  {count:,} of them {_BOOKED[how]}")
    _print_bad(report.bad_rows, report.bad)
    for venue, spans in report.covered.items():
        hours = sum(span.end_ms - span.start_ms for span in spans) / HOUR_MS
        coins = report.coins.get(venue)
        of = f" of {', '.join(sorted(coins))} (other coins stay unknown)" if coins else ""
        print(f"{venue}: {hours:.1f} h known{of}, in {len(spans)} span(s)")
        for span in spans[:_SHOWN_SPANS]:
            print(f"  {show_time(span.start_ms)} .. {show_time(span.end_ms)}")
        if len(spans) > _SHOWN_SPANS:
            print(f"  ... and {len(spans) - _SHOWN_SPANS} more")


_BOOKED = {
    "arrival": "counted in the minute of their arrival",
    "late": "count in no minute: too late, or that minute was settled live",
    "future": "count in no minute: their time lies in the future",
    "small": "count in no minute: below min_event_usd",
}


def fill(arguments: argparse.Namespace) -> int:
    """Exit status 1 if a gap could not be filled."""
    context = context_of(arguments)
    reader, now_ms = context.reader(), machine_ms()
    to_ms = parse_time(arguments.to_time, "--to") if arguments.to_time else now_ms
    from_ms = parse_time(arguments.from_time, "--from") if arguments.from_time else to_ms - DAY_MS
    enabled = context.settings.venues.enabled
    for venue in enabled:
        if not is_fillable(venue):
            print(f"{venue}: publishes no history, its gaps stay unknown")
    span, left = Interval(from_ms, to_ms), 0
    coins = [base_asset_of_pair(pair) for pair in arguments.pair or ()]
    for venue in (name for name in enabled if is_fillable(name)):
        with writer_of(context) as writer, requests.Session() as session:
            if venue in simulated_marks.fed_from_here(context.settings):
                note_simulated(writer.engine, venue, span, now_ms)
            fetch = fetch_of(VENUES[venue], context.settings.venues.of(venue), session)
            wanted = coins or sorted(reader.active(from_ms - DAY_MS, to_ms))
            if not reader.markets(venue):
                print(f"{venue}: no market list in the store yet; start the sidecar once")
            for report in fill_coins(writer, reader, venue, wanted, span, now_ms, fetch):
                left += _print_gap(report)
    return 1 if left else 0


def _print_gap(report: GapReport) -> int:
    name = f"{report.venue} {report.base_asset}"
    gap = f"{show_time(report.gap.start_ms)} .. {show_time(report.gap.end_ms)}"
    if report.filled is None:
        print(f"{name}: {gap} stays unknown, the venue's history does not prove it")
        return 1
    filled = sum(span.end_ms - span.start_ms for span in report.filled.spans)
    missing = report.gap.end_ms - report.gap.start_ms - filled
    print(
        f"{name}: {gap}: {filled // MINUTE_MS} min filled, {report.filled.orders:,} liquidations"
        + (f", {missing // MINUTE_MS} min stay unknown" if missing else "")
    )
    return int(missing > 0)


def rebuild(arguments: argparse.Namespace) -> int:
    """Minutes from liquidations, with the configured ``min_event_usd``."""
    context = context_of(arguments)
    if SidecarLock(context.files).running():
        raise UsageError("a sidecar is running on this store; stop it first (liq-provider stop)")
    context.reader()  # refuses where there is no store
    with writer_of(context) as writer:
        rows = writer.rebuild()
    print(f"{rows:,} minutes made anew, min_event_usd {context.settings.min_event_usd:g}")
    return 0


def prune(arguments: argparse.Namespace) -> int:
    """Delete the distant past, in short steps beside a sidecar that writes."""
    context = context_of(arguments)
    days = context.settings.keep_days if arguments.days is None else arguments.days
    if days is None:
        raise UsageError("say --days, or set liq_provider.keep_days")
    if not 0 < days < _MAX_DAYS:
        raise UsageError("--days must be positive, and no more than there can be")
    now_ms = machine_ms()
    before_ms = now_ms - round(days * DAY_MS)
    context.reader()  # refuses where there is no store
    is_file = make_url(context.store_url).get_backend_name() == "sqlite"
    with writer_of(context) as writer:
        if not arguments.clock_is_right:
            _refuse_if_ahead(now_ms, newest_ms(writer.engine))
        deleted = writer.prune(
            before_ms, alone=is_file and not SidecarLock(context.files).running()
        )
    for table, count in deleted.items():
        print(f"{table}: {count:,} rows deleted")
    return 0


def _refuse_if_ahead(now_ms: int, newest: int | None) -> None:
    """What is deleted by a wrong clock is gone for good."""
    if newest is not None and now_ms - newest > DAY_MS:
        raise UsageError(
            f"this machine's clock says {show_time(now_ms)}, the newest in the store is of "
            f"{show_time(newest)}; nothing is deleted. If the clock is right, say --clock-is-right"
        )
