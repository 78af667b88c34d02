"""What a store does when it cannot serve: one clear error, and nothing overwritten."""

import hashlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import text

from liq_provider.errors import StoreBusy, StoreTooNew, StoreUnusable
from liq_provider.measure.waves import Thresholds, waves_of
from liq_provider.store import database as engine_module
from liq_provider.store import schema
from liq_provider.store.database import check_revision, migrate, open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.bot.helpers import stored
from tests.store.helpers import T0, headline, incoming


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def digests(directory: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


def make_store(path: Path) -> None:
    writer = Writer(open_engine(url_of(path)))
    writer.append([incoming()])
    writer.close()


# -- migrations


def test_migrating_from_nothing_gives_the_declared_tables(store_url: str) -> None:
    engine = open_engine(store_url)
    migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
    migrate(engine)
    assert check_revision(engine, must_be_current=True) == schema.REVISION
    engine.dispose()


def test_features_and_waves_of_an_older_store_stay_and_do_not_say_how_they_began(
    store_url: str,
) -> None:
    engine = open_engine(store_url)
    config = Config()
    scripts = Path(engine_module.__file__).parent / "migrations"
    config.set_main_option("script_location", str(scripts))
    row = stored("BTC", T0, 9.0, 0.98)
    del row["steady"]
    wave = {
        **{"base_asset": "BTC", "direction": "SHORT", "start_ms": T0, "pair": "BTC/USDT:USDT"},
        **{"last_ms": T0, "minutes": 1, "strength": "strong", "peak_z": 9.0, "peak_usd": 1e6},
        "available_at": T0,
    }
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
        for table, values in (("features", row), ("waves", wave)):
            names = ", ".join(values)
            slots = ", ".join(f":{name}" for name in values)
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({slots})"), values)
    migrate(engine)
    engine.dispose()
    reader = Reader(store_url)
    rows = reader.features(["BTC"], T0, T0)["BTC"]
    assert rows.z.tolist() == [9.0]
    assert rows.steady.tolist() == [False]
    assert np.isnan(rows.percentile).all() and np.isnan(rows.before_long_usd).all()
    waves = waves_of(rows, Thresholds(), 5)
    assert (waves.start_ms.tolist(), waves.seen.tolist()) == ([T0], [False])
    (older,) = reader.waves(0)
    assert older["seen"] is None
    reader._engine.dispose()


def test_a_migration_that_fails_leaves_nothing_behind(path: Path) -> None:
    engine = open_engine(url_of(path))
    with engine.begin() as connection:
        # Enough for the first tables only.
        connection.execute(text("PRAGMA max_page_count=12"))
    with pytest.raises(StoreUnusable, match="free space"):
        migrate(engine)
    engine.dispose()
    with closing(sqlite3.connect(path)) as plain:
        assert plain.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    make_store(path)


def test_a_newer_store_is_left_as_it_is(path: Path) -> None:
    make_store(path)
    with closing(sqlite3.connect(path)) as plain:
        # As somebody may have copied it: not in WAL mode.
        plain.execute("UPDATE alembic_version SET version_num = '9999'")
        plain.commit()
        plain.execute("PRAGMA journal_mode=DELETE")
    before = digests(path.parent)
    with pytest.raises(StoreTooNew, match=rf"schema 9999.*knows up to {schema.REVISION}"):
        Writer(open_engine(url_of(path)))
    with pytest.raises(StoreTooNew):
        Reader(url_of(path)).states(["x"])
    assert digests(path.parent) == before


def test_a_newer_postgresql_store_is_refused(postgres_url: str) -> None:
    Writer(open_engine(postgres_url)).close()
    engine = open_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreTooNew):
        Writer(engine)
    assert engine.pool.checkedin() == 0, "a writer that did not come to be leaves nothing open"  # type: ignore[attr-defined]


def test_headlines_of_a_store_without_origins_are_kept(path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    engine = open_engine(url_of(path))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        names = ", ".join(headline())
        places = ", ".join(f":{name}" for name in headline())
        connection.execute(text(f"INSERT INTO news ({names}) VALUES ({places})"), headline())
    engine.dispose()
    make_store(path)
    reader = Reader(url_of(path))
    (kept,) = reader.news("BTC", 0, T0)
    reader.close()
    assert kept == headline() | {"origins": None}


def test_the_database_of_another_program_is_left_as_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as plain:
        plain.execute("CREATE TABLE trades (id INTEGER)")
        plain.commit()
    before = digests(path.parent)
    with pytest.raises(StoreUnusable, match="another program"):
        Writer(open_engine(url_of(path)))
    assert digests(path.parent) == before


def test_a_file_that_is_no_database_is_left_as_it_is(path: Path) -> None:
    path.write_bytes(b"this is a text file, and long enough to be looked at\n" * 100)
    before = digests(path.parent)
    with pytest.raises(StoreUnusable, match=r"not a database.*liq_provider\.store"):
        Writer(open_engine(url_of(path)))
    with pytest.raises(StoreUnusable, match="not a database"):
        Reader(url_of(path)).states(["x"])
    assert digests(path.parent) == before


def test_readers_wait_for_the_sidecar_to_make_a_store(path: Path) -> None:
    with pytest.raises(StoreUnusable, match=r"liq_provider\.store"):
        Reader(url_of(path)).states(["x"])
    assert not path.exists()
    path.touch()
    with pytest.raises(StoreUnusable, match="not set up yet"):
        Reader(url_of(path)).states(["x"])


# -- unwritable, locked, full


@pytest.mark.parametrize("name", ["/proc/liqtrend/store.sqlite", "/proc/store.sqlite"])
def test_a_directory_that_cannot_be_written_is_named_with_its_remedy(name: str) -> None:
    with pytest.raises(StoreUnusable, match=r"directory of liq_provider\.store"):
        Writer(open_engine(f"sqlite:///{name}"))


def test_a_file_in_the_place_of_the_directory(path: Path) -> None:
    path.touch()
    with pytest.raises(StoreUnusable, match=r"directory of liq_provider\.store"):
        Writer(open_engine(url_of(path / "store.sqlite")))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_is_read_only(path: Path) -> None:
    make_store(path)
    path.chmod(0o400)
    with pytest.raises(StoreUnusable, match=r"directory of liq_provider\.store"):
        Writer(open_engine(url_of(path)))


def test_a_locked_store_is_busy_after_the_timeout(path: Path) -> None:
    make_store(path)
    writer = Writer(open_engine(url_of(path), busy_timeout_s=0.1))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy, match="locked by another process"):
            writer.append([incoming(T0 + 1)])
        other.execute("ROLLBACK")
    assert writer.append([incoming(T0 + 1)]).inserted == 1
    writer.close()


def test_a_locked_postgresql_table_is_busy_after_the_timeout(postgres_url: str) -> None:
    writer = Writer(open_engine(postgres_url, busy_timeout_s=0.1))
    other = open_engine(postgres_url)
    with other.begin() as connection:
        connection.execute(text("LOCK TABLE liquidations IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(StoreBusy):
            writer.append([incoming()])
    assert writer.append([incoming()]).inserted == 1
    writer.close()
    other.dispose()


def test_a_postgresql_server_that_is_away_is_told_without_a_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGPASSWORD", "topsecret")
    with pytest.raises(StoreUnusable) as caught:
        Writer(open_engine("postgresql+psycopg://liq@127.0.0.1:1/liq"))
    assert "topsecret" not in str(caught.value)


def test_a_full_disk_loses_nothing_that_was_committed(path: Path) -> None:
    make_store(path)
    writer = Writer(open_engine(url_of(path)))
    with writer.engine.connect() as connection:
        connection.execute(text("PRAGMA max_page_count=1"))  # as many as there are already
    many = [incoming(T0 + 1 + n) for n in range(5_000)]
    with pytest.raises(StoreUnusable, match=r"full.*free space"):
        writer.append(many)
    writer.close()
    reader = Reader(url_of(path))
    assert reader.count("liquidations") == reader.count("minutes") == 1
    later = Writer(open_engine(url_of(path)))
    assert later.append(many).inserted == 5_000
    later.close()


def test_a_damaged_file_is_told_with_its_remedy(path: Path) -> None:
    make_store(path)
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)
    with (
        pytest.raises(StoreUnusable, match="damaged"),
        closing(Writer(open_engine(url_of(path)))) as writer,
    ):
        writer.append([incoming(T0 + 1)])
