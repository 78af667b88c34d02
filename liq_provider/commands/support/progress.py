"""Progress of long work, on a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def file_progress(files: int) -> Iterator[Callable[[Path, int], None]]:
    """A bar on a terminal, nothing in a pipe or a log."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    ) as bar:
        task = bar.add_task("", total=files or None)
        seen: dict[Path, None] = {}

        def told(path: Path, rows: int) -> None:
            seen[path] = None
            bar.update(task, completed=len(seen) - 1, description=f"{path.name}: {rows:,}")

        yield told
