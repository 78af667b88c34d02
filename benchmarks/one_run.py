"""
One run of one contestant, in a process of its own; its figures are the last line of its output.

    python -m benchmarks.one_run benchmarks.rows.appending:liqtrend FOLDER SIZE
"""

import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.contest import Measured


def main(call: str, folder: str, size: str) -> None:
    """Whatever a call prints itself is on other lines."""
    module, _, function = call.partition(":")
    made = getattr(importlib.import_module(module), function)(Path(folder), int(size))
    print()
    print(json.dumps(asdict(made) if isinstance(made, Measured) else None))


if __name__ == "__main__":
    main(*sys.argv[1:])
