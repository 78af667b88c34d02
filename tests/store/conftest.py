"""Stores on both databases."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from liq_provider.store.booked_minute import BookingRules
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.store import postgres

_NUMBERS = itertools.count()

MakeWriter = Callable[..., Writer]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Address of a running server."""
    with postgres.server() as address:
        yield address


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """A new, empty database."""
    name = f"liq_{next(_NUMBERS)}"
    engine = create_engine(f"{postgres_server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"{postgres_server}/{name}"


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place for a store, on each database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.sqlite'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def open_writer(store_url: str) -> Iterator[MakeWriter]:
    """Opens writers that are closed at the end."""
    opened = []

    def make(rules: BookingRules | None = None, min_event_usd: float = 0.0) -> Writer:
        opened.append(Writer(open_engine(store_url), rules, min_event_usd))
        return opened[-1]

    yield make
    for writer in opened:
        writer.close()


@pytest.fixture
def writer(open_writer: MakeWriter) -> Writer:
    return open_writer()


@pytest.fixture
def reader(store_url: str, writer: Writer) -> Iterator[Reader]:
    reader = Reader(store_url)
    yield reader
    reader.close()
