"""Times as users write them, and which time is the newest."""

import csv
import io
import time
from argparse import Namespace
from pathlib import Path

import pytest

from liq_provider.cli import main
from liq_provider.commands.doctor import _store
from liq_provider.commands.support.context import context_of, parse_time
from liq_provider.core.markets import Market
from liq_provider.errors import UsageError
from liq_provider.store.database import open_engine
from liq_provider.store.writer import Writer
from tests.store.helpers import MINUTE, T0, incoming

BTC = "BTC/USDT:USDT"
YEAR_MS = 365 * 86_400_000


@pytest.fixture
def store(workplace: Path) -> list[str]:
    """Three minutes with orders, and one order that a venue dated a year ahead."""
    url = f"sqlite:///{workplace / 'store.sqlite'}"
    writer = Writer(open_engine(url))
    orders = [incoming(T0 + n * MINUTE) for n in range(3)]
    writer.append([*orders, incoming(T0 + YEAR_MS, received_ms=T0 + MINUTE)])
    writer.close()
    return ["--store", url]


def test_the_default_span_ends_with_what_is_known_not_with_an_order_from_the_future(
    store: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["features", *store, "--pair", BTC]) == 0
    closes = [row["close"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))]
    ends = [
        time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime((T0 + n * MINUTE) / 1000)) for n in (1, 2, 3)
    ]
    assert closes == ends


def test_the_default_span_ends_with_the_settled_watermark_also_after_a_quiet_time(
    store: list[str], workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = Writer(open_engine(store[1]))
    writer.put_state("computed_ms", T0 + 60 * MINUTE, T0)
    writer.close()
    assert main(["features", *store, "--pair", BTC]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 61


def test_doctor_shows_no_order_from_the_future_as_the_newest(store: list[str]) -> None:
    finding = next(_store(context_of(Namespace(config=None, store=store[1]))))
    newest = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime((T0 + 2 * MINUTE) / 1000))
    assert finding.found.endswith(f".. {newest} UTC")


@pytest.mark.parametrize(
    "text", ["9" * 20, "9" * 5_000, "123456789012", "2016-12-31", "2101-01-01"]
)
@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["explain", "--pair", BTC], "--at"),
        (["judge", "--dry", "--pair", BTC], "--at"),
        (["features", "--pair", BTC], "--from"),
        (["features", "--pair", BTC], "--to"),
        (["plot", "--pair", BTC], "--from"),
        (["verdicts"], "--from"),
        (["export", "out"], "--to"),
        (["fill"], "--from"),
    ],
)
def test_a_time_of_which_nothing_can_be_known_is_refused_with_its_option(
    store: list[str],
    command: list[str],
    option: str,
    text: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*command, *store, option, text]) == 2
    said = capsys.readouterr().err
    assert f"{option} '{text}' is " in said
    assert "Traceback" not in said and len(said.splitlines()) == 1


@pytest.mark.parametrize("text", ["yesterday", "²" * 12, "1234567890", ""])
def test_what_is_no_time_says_how_one_is_written(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--from .* is no time; write 2026-03-10T05:09 "):
        parse_time(text, "--from")


def test_a_decision_of_the_future_is_not_explained(
    store: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["explain"], ["judge", "--dry"]):
        assert main([*command, *store, "--pair", BTC, "--at", "2099-01-01"]) == 2
        assert "--at '2099-01-01' lies in the future: it is 20" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["explain", "features", "plot"])
def test_a_store_without_liquidations_has_no_default_span(
    workplace: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{workplace / 'empty.sqlite'}"
    writer = Writer(open_engine(url))
    writer.put_markets("okx", [Market("okx", "BTC-USDT-SWAP", BTC, "BTC")])
    writer.close()
    assert main([command, "--store", url, "--pair", BTC]) == 2
    assert "the store holds no liquidations yet" in capsys.readouterr().err
