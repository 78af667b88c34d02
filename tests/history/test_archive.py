"""An export read back into an empty store gives the same store."""

from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import select

from liq_provider.cli import main
from liq_provider.coverage import Interval
from liq_provider.errors import ImportRefused
from liq_provider.history.archive import export, import_archive
from liq_provider.store import schema
from liq_provider.store.bars import put_bars
from liq_provider.store.engine import open_engine
from liq_provider.store.writer import Writer
from tests.bot.helpers import verdict
from tests.store.helpers import MINUTE, T0, incoming, order

DAY = 86_400_000
KEPT = ("liquidations", "minutes", "coverage", "bars", "verdicts", "waves", "markets")


def store(path: Path) -> Writer:
    return Writer(open_engine(f"sqlite:///{path}"))


def filled(path: Path) -> Writer:
    """Booked, late and filled orders of three days, and what else there is."""
    writer = store(path)
    writer.append(
        [incoming(T0 + n * DAY // 4 + n, notional_usd=100.0 + n / 7) for n in range(9)]
        + [incoming(T0 + 1, received_ms=T0 + 30 * MINUTE)]
        + [incoming(T0 + 55_000, received_ms=T0 + 65_000, position_side="short")]
    )
    writer.cover("bybit", [Interval(T0, T0 + 3 * DAY)], "live", T0 + 5)
    gap = Interval(T0 - 10 * MINUTE, T0)
    writer.fill("bybit", "BTC", gap, [order(T0 - 3 * MINUTE)], T0 + DAY)
    bar = {
        "base_asset": "BTC",
        "source": "coinglass",
        "bar_min": 60,
        "start_ms": T0 // 3_600_000 * 3_600_000,
        "market": "",
        "pair": "BTC/USDT:USDT",
        "long_usd": 0.1 + 0.2,
        "short_usd": 0.0,
        "available_at": T0,
    }
    put_bars(writer.engine, [bar])
    writer.put_verdict(verdict(3, 9))
    return writer


def content(writer: Writer) -> dict[str, list[tuple[object, ...]]]:
    found = {}
    for name in KEPT:
        table = schema.metadata.tables[name]
        with writer.engine.connect() as connection:
            query = select(table).order_by(*table.primary_key)
            found[name] = [tuple(row) for row in connection.execute(query)]
    return found


def test_a_round_trip_changes_nothing(tmp_path: Path) -> None:
    original = filled(tmp_path / "a.sqlite")
    moved = export(original, tmp_path / "out", 0, 2**62)
    copy = store(tmp_path / "b.sqlite")
    assert import_archive(copy, tmp_path / "out").rows == moved.rows
    assert content(copy) == content(original)
    assert sum(import_archive(copy, tmp_path / "out").rows.values()) == 0, "idempotent"
    assert content(copy) == content(original)
    days = sorted(path.name for path in (tmp_path / "out" / "liquidations").iterdir())
    assert days == sorted(
        {f"day={pd.Timestamp(T0 + n * DAY // 4, unit='ms'):%Y-%m-%d}" for n in range(9)}
        | {f"day={pd.Timestamp(T0 - 3 * MINUTE, unit='ms'):%Y-%m-%d}"}
    )
    original.close()
    copy.close()


def test_other_tools_read_it(tmp_path: Path) -> None:
    writer = filled(tmp_path / "a.sqlite")
    export(writer, tmp_path / "out", 0, 2**62)
    writer.close()
    found = pd.read_parquet(tmp_path / "out" / "liquidations")
    assert len(found) == 12
    assert found["notional_usd"].sum() == pytest.approx(1_200 + 36 / 7)


def test_the_commands_move_a_span(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "user_data").mkdir()
    filled(tmp_path / "user_data" / "liq_provider.sqlite").close()
    assert main(["export", "out", "--from", str(T0 + DAY), "--to", str(T0 + 2 * DAY)]) == 0
    assert "4 liquidations" in capsys.readouterr().out
    command = ["import", "out", "--format", "parquet", "--store", "sqlite:///other.sqlite"]
    assert main(command) == 0
    assert "4 liquidations" in capsys.readouterr().out
    assert main(["import", "user_data", "--format", "parquet"]) == 2
    assert "user_data: is no export" in capsys.readouterr().err


def test_a_damaged_or_foreign_file_is_refused(tmp_path: Path) -> None:
    writer = filled(tmp_path / "a.sqlite")
    export(writer, tmp_path / "out", 0, 2**62)
    path = next((tmp_path / "out" / "liquidations").glob("*/rows.parquet"))
    copy = store(tmp_path / "b.sqlite")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ImportRefused, match="is damaged or no Parquet file"):
        import_archive(copy, tmp_path / "out")
    pd.DataFrame({"event_ms": [1]}).to_parquet(path)
    with pytest.raises(ImportRefused, match="was exported with schema none"):
        import_archive(copy, tmp_path / "out")
    writer.close()
    copy.close()
