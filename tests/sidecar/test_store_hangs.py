"""A real sidecar whose PostgreSQL server is stopped in mid-flight, and asked to end meanwhile."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.recorder import Recorder, recorder
from tests.sidecars import until
from tests.store import postgres

# The bounds are 5 s each; what is on top is for a machine that does other things as well.
SLACK_S = 6.0


@dataclass
class Run:
    """What a story left; times are in seconds."""

    sent: int = 0
    to_disk_s: list[float] = field(default_factory=list)
    to_end_s: list[float] = field(default_factory=list)
    exit_codes: list[int] = field(default_factory=list)
    spooled_at_the_end: int = 0
    drained: bool = False
    orders: list[tuple[str, float]] = field(default_factory=list)
    log: str = ""


def make_database(server: str, name: str) -> str:
    engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"{server}/{name}"


async def play(base_dir: Path, server: str) -> Run:
    run = Run()
    async with recorder(base_dir, make_database(server, "hung")) as sidecar:
        await story(run, sidecar, server)
        run.sent, run.to_end_s, run.log = sidecar.sent, sidecar.ends_s, sidecar.log
    return run


async def story(run: Run, sidecar: Recorder, server: str) -> None:
    await sidecar.start()
    sidecar.send(10)
    await sidecar.all_stored()
    # Hung, and back.
    with postgres.stopped(server):
        sidecar.send(15)
        run.to_disk_s.append(await sidecar.on_disk(30))
        sidecar.send(5)
        run.to_disk_s.append(await sidecar.on_disk(40))
    await sidecar.all_stored()
    await until(lambda: not sidecar.files.spool.exists(), "the spool is empty")
    run.drained = True
    # Hung, and asked to end.
    with postgres.stopped(server):
        sidecar.send(15)
        run.to_disk_s.append(await sidecar.on_disk(30))
        sidecar.send(10)
        await asyncio.sleep(1.5)  # an exchange gathers orders for up to a second
        run.exit_codes.append(await sidecar.end())
        # Hung when it starts, and asked to end again.
        await sidecar.start()
        sidecar.send(5)
        await asyncio.sleep(1.5)
        run.exit_codes.append(await sidecar.end())
        run.spooled_at_the_end = sidecar.spooled()
    await sidecar.start()
    await sidecar.all_stored()
    run.orders = sidecar.orders()
    run.exit_codes.append(await sidecar.end())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with postgres.server() as server:
        yield asyncio.run(play(tmp_path_factory.mktemp("hung"), server))


def test_what_waits_for_a_hung_server_is_on_disk_within_seconds(run: Run) -> None:
    assert max(run.to_disk_s) < 5 + SLACK_S, run.to_disk_s


def test_a_sidecar_ends_within_seconds_although_its_server_hangs(run: Run) -> None:
    assert max(run.to_end_s) < 5 + SLACK_S, run.to_end_s
    assert run.exit_codes == [0, 0, 0]
    assert run.spooled_at_the_end == 60
    assert "Traceback" not in run.log


def test_a_server_that_goes_on_is_given_what_waited(run: Run) -> None:
    assert run.drained


def test_every_order_that_was_sent_is_stored_exactly_once(run: Run) -> None:
    assert len(run.orders) == len(set(run.orders)) == run.sent
