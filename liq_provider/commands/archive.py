"""``export``, and ``import`` of what it made."""

import argparse
from pathlib import Path

from liq_provider.commands.support.context import (
    Context,
    context_of,
    pair_of,
    parse_time,
    writer_of,
)
from liq_provider.commands.support.progress import file_progress
from liq_provider.config import simulated_marks
from liq_provider.core.clock import machine_ms
from liq_provider.core.durations import FOREVER_MS
from liq_provider.errors import UsageError
from liq_provider.history.archive import MANIFEST, TABLES, is_export
from liq_provider.history.export import Wanted
from liq_provider.history.export import export as write_export
from liq_provider.history.restore import Restored, restore
from liq_provider.store.database import open_engine


def import_exports(arguments: argparse.Namespace) -> int:
    folders = [Path(name) for name in arguments.files]
    for folder in folders:
        if not is_export(folder):
            raise UsageError(
                f"{folder}: holds no {MANIFEST}; name the folders that `liq-provider export` "
                "made, and nothing else beside them"
            )
    for option in ("pair", "bar", "venue", "covered"):
        if getattr(arguments, option) is not None:
            raise UsageError(f"--{option} is not for exports, which say all that themselves")
    context = context_of(arguments)
    with writer_of(context) as writer:
        writer.refuse_if_stale()
        for folder in folders:
            with file_progress(0) as told:
                done = restore(writer, folder, machine_ms(), again=arguments.again, told=told)
            _print_restored(folder, done, context)
    return 0


def _print_restored(folder: Path, done: Restored, context: Context) -> None:
    counts = {name: count for name, count in done.rows.items() if count and name != "coverage"}
    said = simulated_marks.mark(done.manifest.simulated, context.settings.venues.enabled)
    if said:
        print(f"{folder}: {said}")
    new = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    print(f"{folder}: {new or 'nothing'} new, {done.known:,} rows were there before")
    print(f"  known is what was known there, in {done.rows['coverage']:,} span(s)")
    if done.skipped:
        print(f"  {done.skipped} of its files were read before (--again reads them anyway)")


def export(arguments: argparse.Namespace) -> int:
    """The store as Parquet files, by day."""
    from_ms = parse_time(arguments.from_time, "--from") if arguments.from_time else 0
    to_ms = parse_time(arguments.to_time, "--to") if arguments.to_time else FOREVER_MS
    if to_ms <= from_ms:
        raise UsageError("--to must be after --from")
    pairs = [pair_of(text) for text in arguments.pair or ()]
    context = context_of(arguments)
    context.reader()  # refuses where there is no store
    engine = open_engine(context.store_url, read_only=True)
    folder = Path(arguments.directory)
    wanted = Wanted(pairs, from_ms, to_ms)
    try:
        now_ms = machine_ms()
        with file_progress(0) as told:
            made = write_export(
                engine, folder, wanted, now_ms, lambda table, rows: told(Path(table), rows)
            )
    finally:
        engine.dispose()
    sums = {table: sum(made.rows[name] for name in made.files(table)) for table in TABLES}
    counts = ", ".join(f"{count:,} {table}" for table, count in sums.items())
    print(f"{folder}: {counts}; in {len(made.rows):,} file(s)")
    said = simulated_marks.mark(made.simulated, context.settings.venues.enabled)
    if said:
        print(f"{folder}: {said}")
    return 0
