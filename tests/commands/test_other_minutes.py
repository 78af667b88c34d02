"""Minutes made with another ``min_event_usd`` are another series: every command says so."""

import json
from pathlib import Path

import pytest

from liq_provider.cli import main
from liq_provider.commands.doctor import _store
from liq_provider.commands.support.context import Context
from liq_provider.config.settings import Settings, resolve_store
from tests.commands.test_history import import_, recording

PAIR = "BTC/USDT:USDT"
SAID = "liq_provider.min_event_usd: 700, but the store's minutes were made with 0; set it to that"


@pytest.fixture
def changed(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of minutes that hold every order, and settings that leave the small ones out."""
    import_(recording(workplace / "r.csv"))
    monkeypatch.setenv("LIQ_PROVIDER__MIN_EVENT_USD", "700")
    return workplace


@pytest.mark.parametrize(
    "command",
    [
        ["features", "--pair", PAIR],
        ["explain", "--pair", PAIR, "--at", "2026-01-01T09:02"],
        ["plot", "--pair", PAIR],
        ["study", "--pair", PAIR],
        ["judge", "--pair", PAIR, "--at", "2026-01-01T09:02", "--dry"],
    ],
    ids=lambda command: command[0],
)
def test_what_computes_from_them_refuses(
    changed: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    capsys.readouterr()
    assert main(command) == 2
    said = capsys.readouterr().err
    assert SAID in said
    assert "liq-provider rebuild" in said


def test_status_names_them_as_the_reason(changed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["status"]) == 1
    assert SAID in " ".join(capsys.readouterr().out.split())
    assert main(["status", "--json"]) == 1
    whole = json.loads(capsys.readouterr().out)["readiness"]["whole"]
    assert whole["condition"] == "blocked" and SAID in whole["reason"]


def test_doctor_names_the_key_and_the_remedy(changed: Path) -> None:
    settings = Settings(min_event_usd=700)
    finding = next(_store(Context({}, settings, resolve_store(settings, changed), changed)))
    assert (finding.level, finding.what) == ("error", "liq_provider.min_event_usd")
    assert "liq-provider rebuild" in finding.remedy


def test_after_a_rebuild_nothing_is_said(changed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rebuild"]) == 0
    assert main(["features", "--pair", PAIR]) == 0
    assert SAID not in capsys.readouterr().err
