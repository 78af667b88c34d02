"""An export read back into an empty store gives the same store."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from liq_provider.cli import main
from liq_provider.core.coverage import Interval
from liq_provider.errors import ImportRefused
from liq_provider.history.archive import MANIFEST, TABLES
from liq_provider.history.export import Wanted, export
from liq_provider.history.restore import restore
from liq_provider.store import schema
from liq_provider.store.bar_rows import put_bars
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.bot.helpers import verdict
from tests.store.helpers import MINUTE, T0, headline, incoming, model_call, order

DAY = 86_400_000
ALL = Wanted()
KEPT = ("minutes", *TABLES)


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
    writer.put_verdicts([verdict(3, 9)])
    writer.put_model_call(model_call(T0 + 9))
    writer.put_model_call(
        model_call(T0 + DAY, prompt_tokens=None, answer_tokens=None, cost_usd=None, outcome="empty")
    )
    writer.put_news([headline(T0 + 5), headline(T0 + DAY), headline(T0 + 5, base_asset="ETH")])
    return writer


def content(writer: Writer) -> dict[str, list[tuple[object, ...]]]:
    content = {}
    for name in KEPT:
        table = schema.table(name)
        with writer.engine.connect() as connection:
            query = select(table).order_by(*table.primary_key)
            content[name] = [tuple(row) for row in connection.execute(query)]
    return content


@pytest.mark.parametrize("at_once", [2, 20_000])
def test_a_round_trip_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("liq_provider.history.export._AT_ONCE", at_once)
    monkeypatch.setattr("liq_provider.history.restore._AT_ONCE", at_once)
    original = filled(tmp_path / "a.sqlite")
    made = export(original.engine, tmp_path / "out", ALL, T0)
    assert sum(count for name, count in made.rows.items() if "liquidations" in name) == 12
    copy = store(tmp_path / "b.sqlite")
    first = restore(copy, tmp_path / "out", T0)
    assert (first.rows["liquidations"], first.known, first.skipped) == (12, 0, 0)
    assert content(copy) == content(original)
    again = restore(copy, tmp_path / "out", T0)
    assert (again.rows["liquidations"], again.skipped) == (0, len(made.files("liquidations")))
    anyway = restore(copy, tmp_path / "out", T0, again=True)
    assert (anyway.rows["liquidations"], anyway.skipped) == (0, 0)
    assert content(copy) == content(original)
    original.close()
    copy.close()


def test_there_is_one_folder_a_day_that_other_tools_read(tmp_path: Path) -> None:
    writer = filled(tmp_path / "a.sqlite")
    export(writer.engine, tmp_path / "out", ALL, T0)
    writer.close()
    exported = pd.read_parquet(tmp_path / "out" / "liquidations")
    assert len(exported) == 12
    assert exported["notional_usd"].sum() == pytest.approx(1_200 + 36 / 7)
    days = pd.to_datetime(exported["event_ms"], unit="ms").dt.strftime("%Y-%m-%d")
    assert (exported["day"].astype(str) == days).all()
    assert exported["minute_ms"].isna().sum() == 2  # one late, one filled


def test_a_span_claims_nothing_outside_of_it(tmp_path: Path) -> None:
    """A feed's coverage is one long row: it must neither be lost nor claim what is left out."""
    original = filled(tmp_path / "a.sqlite")
    wanted = Wanted(from_ms=T0 + DAY + 17, to_ms=T0 + 2 * DAY)
    export(original.engine, tmp_path / "out", wanted, T0)
    copy = store(tmp_path / "b.sqlite")
    assert restore(copy, tmp_path / "out", T0).rows["liquidations"] == 4
    reader = Reader(f"sqlite:///{tmp_path / 'b.sqlite'}")
    assert reader.coverage(["bybit"], 0, 2**60) == {"bybit": [Interval(T0 + DAY, T0 + 2 * DAY)]}
    # The rest of it joins without a seam.
    for number, span in enumerate([(0, T0 + DAY), (T0 + 2 * DAY, T0 + 9 * DAY)]):
        export(original.engine, tmp_path / f"{number}", Wanted((), *span), T0)
        restore(copy, tmp_path / f"{number}", T0)
    assert reader.coverage(["bybit"], 0, 2**60) == {"bybit": [Interval(T0, T0 + 3 * DAY)]}
    assert {n: v for n, v in content(copy).items() if n != "coverage"} == {
        n: v for n, v in content(original).items() if n != "coverage"
    }
    original.close()
    copy.close()


def test_an_order_that_counts_in_the_next_day_is_in_both_days(tmp_path: Path) -> None:
    midnight = (T0 // DAY + 1) * DAY
    original = store(tmp_path / "a.sqlite")
    original.append([incoming(midnight - 2_000, received_ms=midnight + 5_000)])
    original.cover("bybit", [Interval(midnight - DAY, midnight + DAY)], "live", T0)
    export(original.engine, tmp_path / "out", Wanted(from_ms=midnight), T0)
    copy = store(tmp_path / "b.sqlite")
    restore(copy, tmp_path / "out", T0)
    assert content(copy)["minutes"] == content(original)["minutes"] != []
    original.close()
    copy.close()


def test_of_coins_that_are_left_out_nothing_is_known(tmp_path: Path) -> None:
    original = filled(tmp_path / "a.sqlite")
    original.append([incoming(T0, pair="ETH/USDT:USDT", base_asset="ETH", market_id="ETHUSDT")])
    export(original.engine, tmp_path / "out", Wanted(["BTC/USDT:USDT"]), T0)
    copy = store(tmp_path / "b.sqlite")
    assert restore(copy, tmp_path / "out", T0).rows["liquidations"] == 12
    reader = Reader(f"sqlite:///{tmp_path / 'b.sqlite'}")
    grids = reader.grids(["BTC", "ETH"], ["bybit"], T0, T0 + DAY)
    assert grids["BTC"].covered.all() and not grids["ETH"].covered.any()
    original.close()
    copy.close()


def test_what_was_settled_live_stays_final_in_a_copy(tmp_path: Path) -> None:
    original = filled(tmp_path / "a.sqlite")
    original.settle(T0 + DAY, {}, T0 + DAY)
    export(original.engine, tmp_path / "out", ALL, T0)
    copy = store(tmp_path / "b.sqlite")
    restore(copy, tmp_path / "out", T0)
    before = content(copy)["minutes"]
    assert copy.import_batch([incoming(T0 + 5, price=7.0)]).booked == {"late": 1}
    assert content(copy)["minutes"] == before
    original.close()
    copy.close()


def test_a_minute_that_was_settled_here_is_not_changed_by_a_copy_of_another_store(
    tmp_path: Path,
) -> None:
    other = filled(tmp_path / "a.sqlite")
    export(other.engine, tmp_path / "out", ALL, T0)
    here = store(tmp_path / "b.sqlite")
    here.cover("bybit", [Interval(T0, T0 + 3 * MINUTE)], "live", T0)
    here.settle(T0 + 3 * MINUTE, {}, T0 + 3 * MINUTE)
    restore(here, tmp_path / "out", T0)
    booked = {row[1] for row in content(here)["minutes"] if not row[6]}
    assert booked and min(booked) >= T0 + 3 * MINUTE
    assert len(content(here)["liquidations"]) == 12
    other.close()
    here.close()


def column(path: Path, table: str, name: str) -> list[Any]:
    """What a folder holds of one column; nothing if the table is not in it."""
    files = sorted((path / table).glob("*/*.parquet"))
    values: list[Any] = []
    for file in files:
        with pq.ParquetFile(file) as parquet:
            values += parquet.read()[name].to_pylist()
    return values


def test_questions_and_headlines_go_with_their_coins(tmp_path: Path) -> None:
    original = filled(tmp_path / "a.sqlite")
    original.put_model_call(model_call(T0 + 10, base_asset="ETH", answer="ü\n{}"))
    wanted = Wanted(["ETH/USDT:USDT"])
    export(original.engine, tmp_path / "out", wanted, T0)
    copy = store(tmp_path / "b.sqlite")
    done = restore(copy, tmp_path / "out", T0)
    assert (done.rows["model_calls"], done.rows["news"]) == (1, 1)
    for name in ("model_calls", "news"):
        column = schema.table(name).c.keys().index("base_asset")
        assert content(copy)[name] == [
            row for row in content(original)[name] if row[column] == "ETH"
        ]
    original.close()
    copy.close()


def test_a_span_has_the_questions_of_its_verdicts_and_what_could_be_read_in_it(
    tmp_path: Path,
) -> None:
    first, last = T0, T0 + 10 * MINUTE
    original = store(tmp_path / "a.sqlite")
    asked = {
        "before": model_call(first - 1, "before"),
        "asked before, for a wave of the span": model_call(first - 1, "0", wave_start_ms=first),
        "inside": model_call(first, "1"),
        "asked later, about a wave of the span": model_call(last, "2", wave_start_ms=last - 1),
        "about an old wave": model_call(last - 1, "3", wave_start_ms=first - DAY),
        "after": model_call(last, "after", wave_start_ms=last),
    }
    for row in asked.values():
        original.put_model_call(row)
    seen = {
        "forgotten": headline(first - 1, published_ms=first - 8 * DAY),
        "read before, too": headline(first - 1, "0"),
        "inside": headline(first, "1"),
        "after": headline(last, published_ms=first),
    }
    original.put_news(list(seen.values()))
    export(original.engine, tmp_path / "out", Wanted(from_ms=first, to_ms=last), T0)
    original.close()
    assert sorted(column(tmp_path / "out", "model_calls", "call_id")) == ["0", "1", "2", "3"]
    assert sorted(column(tmp_path / "out", "news", "item_id")) == ["0", "1"]


def test_an_export_from_before_there_were_models_is_read(tmp_path: Path) -> None:
    original = filled(tmp_path / "a.sqlite")
    export(original.engine, tmp_path / "out", ALL, T0)
    path = tmp_path / "out" / MANIFEST
    manifest = json.loads(path.read_text())
    younger = ("model_calls/", "news/")
    manifest["rows"] = {k: v for k, v in manifest["rows"].items() if not k.startswith(younger)}
    path.write_text(json.dumps(manifest | {"revision": "0002"}))
    for name in younger:
        shutil.rmtree(tmp_path / "out" / name)
    copy = store(tmp_path / "b.sqlite")
    done = restore(copy, tmp_path / "out", T0)
    assert (done.rows["liquidations"], done.rows["model_calls"], done.rows["news"]) == (12, 0, 0)
    assert content(copy)["verdicts"] == content(original)["verdicts"] != []
    original.close()
    copy.close()


def test_an_export_from_before_minutes_of_verdicts_were_kept_is_read(tmp_path: Path) -> None:
    original = filled(tmp_path / "a.sqlite")
    made = export(original.engine, tmp_path / "out", ALL, T0)
    (name,) = made.files("verdicts")
    older = pq.ParquetFile(tmp_path / "out" / name).read().drop_columns(["confirmed"])
    pq.write_table(older, tmp_path / "out" / name)
    copy = store(tmp_path / "b.sqlite")
    assert restore(copy, tmp_path / "out", T0).rows["verdicts"] == 1
    assert [
        row["confirmed"] for row in Reader(f"sqlite:///{tmp_path}/b.sqlite").verdicts(0, T0 * 2)
    ] == [None]
    original.close()
    copy.close()


@pytest.mark.parametrize("spoilt", ["", "[]", "{}", "[[2, 1]]", "[[1, 2], [2, 3]]", "[[1, null]]"])
def test_minutes_of_a_verdict_that_cannot_be_are_refused(tmp_path: Path, spoilt: str) -> None:
    original = filled(tmp_path / "a.sqlite")
    made = export(original.engine, tmp_path / "out", ALL, T0)
    (name,) = made.files("verdicts")
    rewritten(confirmed=spoilt)(tmp_path / "out" / name)
    copy = store(tmp_path / "b.sqlite")
    with pytest.raises(ImportRefused, match="row 1: confirmed is"):
        restore(copy, tmp_path / "out", T0)
    original.close()
    copy.close()


@pytest.mark.parametrize(
    ("column", "spoilt"),
    [
        ("inputs", ""),
        ("inputs", "x"),
        ("inputs", "[]"),
        ("guard", "{}"),
        ("guard", "[1"),
        ("news", "maybe"),
        ("strength", "x"),
        ("action", "buy"),
        ("confidence", ""),
    ],
)
def test_a_verdict_that_nobody_could_read_is_refused(
    tmp_path: Path, column: str, spoilt: str
) -> None:
    original = filled(tmp_path / "a.sqlite")
    made = export(original.engine, tmp_path / "out", ALL, T0)
    (name,) = made.files("verdicts")
    rewritten(**{column: spoilt})(tmp_path / "out" / name)
    copy = store(tmp_path / "b.sqlite")
    with pytest.raises(ImportRefused, match=f"row 1: {column} is"):
        restore(copy, tmp_path / "out", T0)
    original.close()
    copy.close()


def test_long_texts_are_moved_a_few_at_a_time(tmp_path: Path) -> None:
    original = store(tmp_path / "a.sqlite")
    with original.engine.begin() as connection:
        rows = [model_call(T0 + n) for n in range(1_200)]
        connection.execute(schema.model_calls.insert(), rows)
    made = export(original.engine, tmp_path / "out", ALL, T0)
    (name,) = made.files("model_calls")
    groups = pq.ParquetFile(tmp_path / "out" / name).metadata
    assert [groups.row_group(n).num_rows for n in range(groups.num_row_groups)] == [1_000, 200]
    copy = store(tmp_path / "b.sqlite")
    assert restore(copy, tmp_path / "out", T0).rows["model_calls"] == 1_200
    assert content(copy)["model_calls"] == content(original)["model_calls"]
    original.close()
    copy.close()


def test_an_opened_hold_out_stays_opened(tmp_path: Path) -> None:
    original = filled(tmp_path / "a.sqlite")
    columns = schema.holdouts.c
    row = dict(zip(columns.keys(), ["BTC", "minutes", T0, T0 + DAY, T0, "{}"], strict=True))
    with original.engine.begin() as connection:
        connection.execute(schema.holdouts.insert(), [row])
    export(original.engine, tmp_path / "out", ALL, T0)
    copy = store(tmp_path / "b.sqlite")
    restore(copy, tmp_path / "out", T0)
    assert content(copy)["holdouts"] == content(original)["holdouts"] != []
    original.close()
    copy.close()


def test_the_commands_move_a_span(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "user_data").mkdir()
    filled(tmp_path / "user_data" / "liq_provider.sqlite").close()
    command = ["export", "out", "--from", str(T0 + DAY), "--to", str(T0 + 2 * DAY)]
    assert main([*command, "--pair", "BTC/USDT:USDT"]) == 0
    assert "4 liquidations" in capsys.readouterr().out
    assert main(["import", "out", "--store", "sqlite:///other.sqlite"]) == 0
    assert "out: 4 liquidations" in capsys.readouterr().out
    assert main(["import", "out", "--store", "sqlite:///other.sqlite"]) == 0
    assert "files were read before" in capsys.readouterr().out
    assert main(["import", "user_data", "--format", "parquet"]) == 2
    assert f"user_data: holds no {MANIFEST}" in capsys.readouterr().err
    assert main(["import", "out/liquidations"]) == 2
    assert f"is Parquet; import the folder with {MANIFEST}" in capsys.readouterr().err
    assert main(["import", "out", "--pair", "BTC/USDT:USDT"]) == 2
    assert "--pair is not for exports" in capsys.readouterr().err
    assert main(["export", "out"]) == 2
    assert "out: exists and is not empty" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


Spoil = Callable[[Path], object]


def rewritten(**changes: object) -> Spoil:
    def spoil(path: Path) -> None:
        table = pq.ParquetFile(path).read()
        for name, value in changes.items():
            column = table.schema.get_field_index(name)
            field = table.schema.field(column)
            values = [*table[name].to_pylist()[:-1], value]
            table = table.set_column(column, field, pa.array(values, field.type))
        pq.write_table(table, path)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "is damaged or no Parquet file"),
        (lambda path: path.write_bytes(b""), "is damaged or no Parquet file"),
        (lambda path: path.unlink(), "is missing from the export"),
        (
            lambda path: pd.DataFrame({"event_ms": [1]}).to_parquet(path),
            "columns are not those of liquidations",
        ),
        (rewritten(position_side="both"), r"row \d: position_side is 'both'"),
        (rewritten(price=-1.0), r"row \d: price is -1.0"),
        (rewritten(notional_usd=float("nan")), r"row \d: notional_usd is nan"),
        (rewritten(event_ms=T0 // 1000), r"row \d: event_ms is"),
        (
            lambda path: pq.write_table(pq.ParquetFile(path).read().slice(1), path),
            "rows, the export says",
        ),
    ],
)
def test_a_damaged_or_changed_file_is_refused_and_nothing_is_claimed(
    tmp_path: Path, spoil: Spoil, reason: str
) -> None:
    writer = filled(tmp_path / "a.sqlite")
    export(writer.engine, tmp_path / "out", ALL, T0)
    writer.close()
    path = sorted((tmp_path / "out" / "liquidations").glob("*/*.parquet"))[1]
    spoil(path)
    copy = store(tmp_path / "b.sqlite")
    with pytest.raises(ImportRefused, match=rf"part\.parquet: .*{reason}"):
        restore(copy, tmp_path / "out", T0)
    assert content(copy)["coverage"] == []
    copy.close()


@pytest.mark.parametrize(
    "changes", [{"cost_usd": -9.0}, {"charged_tokens": -9}, {"requests": -9}, {"asked_ms": 2**60}]
)
def test_no_import_refills_a_budget(tmp_path: Path, changes: dict[str, object]) -> None:
    writer = filled(tmp_path / "a.sqlite")
    made = export(writer.engine, tmp_path / "out", ALL, T0)
    writer.close()
    rewritten(**changes)(tmp_path / "out" / made.files("model_calls")[0])
    copy = store(tmp_path / "b.sqlite")
    with pytest.raises(ImportRefused, match=rf"row 1: {next(iter(changes))} is"):
        restore(copy, tmp_path / "out", T0)
    assert content(copy)["model_calls"] == []
    copy.close()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is no manifest"),
        ("[]", "is no manifest"),
        ('{"revision": "0002"}', "is no manifest"),
        ('"revision": "9999"', "newer LiqTrend"),
        ('"../../x/part.parquet": 1', "is no file of an export"),
    ],
)
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    writer = filled(tmp_path / "a.sqlite")
    export(writer.engine, tmp_path / "out", ALL, T0)
    path = tmp_path / "out" / MANIFEST
    whole = path.read_text()
    if "9999" in text:
        text = whole.replace(f'"revision": "{schema.REVISION}"', text)
    elif ".." in text:
        text = whole.replace('"rows": {', '"rows": {' + text + ",")
    path.write_text(text)
    with pytest.raises(ImportRefused, match=reason):
        restore(writer, tmp_path / "out", T0)
    writer.close()
