"""A short run of ``make chaos``: real processes, a kill, a freeze and frames of garbage."""

import json
from pathlib import Path

import pytest

from chaos.ledger import Line
from chaos.run import Options, Run, balances
from chaos.schedule import Fault, Setup

pytestmark = pytest.mark.processes

FAULTS = (
    Fault(-1, "kill", "a", 0.5),
    Fault(18, "freeze", "a", 3),
    Fault(30, "garbage", "okx", 5),
)


def figure(lines: list[Line], name: str) -> int:
    """A line's number."""
    return next(int(line.value.replace(",", "")) for line in lines if line.name == name)


def test_what_was_sent_is_stored_known_and_traded_on_as_it_happened(tmp_path: Path) -> None:
    # Loops are only measured here: on a machine that runs other tests they say little.
    options = Options(
        *(3, 1.0, tmp_path / "run", Setup("sqlite", ("a",)), FAULTS),
        loop_s=30,
        aligned=True,
        settled_min=0,
    )
    lines = Run(options).run()
    assert balances(lines), [line for line in lines if line.ok is False]
    # A ledger of nothing would balance, too.
    assert figure(lines, "stored") > 30
    assert figure(lines, "coin-minutes that are known") > 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["kinds"] == {"kill": 1, "freeze": 1, "garbage": 1}
