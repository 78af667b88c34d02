"""Tracebacks in the logs: none is expected, whatever breaks."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from chaos.ledger import Line

# The line that says what was raised: the first one after the frames that is not indented.
_RAISED = re.compile(r"^Traceback .*\n(?:[ \t].*\n)*(\S.*)$", re.MULTILINE)
_SHOWN = 120


def tracebacks(logs: Sequence[Path]) -> list[Line]:
    """:return: one line, with each kind of exception and how often it was logged"""
    kinds: Counter[str] = Counter()
    for log in logs:
        if log.exists():
            for raised in _RAISED.findall(log.read_text(errors="replace")):
                kinds[f"{log.stem}: {raised[:_SHOWN]}"] += 1
    examples = tuple(f"{count} x {kind}" for kind, count in kinds.most_common(8))
    total = sum(kinds.values())
    return [Line("tracebacks in the logs", str(total), total == 0, examples)]
