"""What a sidecar tells its store about itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from liq_provider.config.settings import Settings
from liq_provider.errors import StoreError
from liq_provider.sidecar.presence import Presence
from liq_provider.sidecar.process_mark import ProcessMark
from liq_provider.store import sidecar_runs
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.store.helpers import T0


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    opened = Writer(open_engine(f"sqlite:///{tmp_path / 'store.sqlite'}"))
    yield opened
    opened.close()


def test_it_says_that_it_is_there_and_hears_that_it_is_to_end(writer: Writer) -> None:
    presence, engine = Presence(writer, Settings(), "mine", T0), writer.engine
    assert not presence.tell({"stored": 1}, T0)
    assert Reader(str(writer.engine.url)).states(["sidecar"]) == {"sidecar": {"stored": 1}}
    (there,) = sidecar_runs.all_runs(writer.engine)
    assert ProcessMark.read(there.mark) == ProcessMark.mine("mine")
    sidecar_runs.ask(writer.engine, ["another"])
    assert not presence.tell({}, T0)
    sidecar_runs.ask(writer.engine, ["mine"])
    assert presence.tell({}, T0)
    presence.leave(is_open=True)
    assert sidecar_runs.all_runs(engine) == []


def test_once_it_left_nobody_opens_the_store_again(writer: Writer) -> None:
    presence = Presence(writer, Settings(), "mine", T0)
    presence.leave(is_open=True)
    with pytest.raises(StoreError):
        writer.put_state("sidecar", {}, T0)


def test_of_a_store_that_is_away_it_takes_no_leave(writer: Writer) -> None:
    presence, engine = Presence(writer, Settings(), "mine", T0), writer.engine
    presence.tell({}, T0)
    presence.leave(is_open=False)
    assert [there.run for there in sidecar_runs.all_runs(engine)] == ["mine"]
    with pytest.raises(StoreError):
        presence.tell({}, T0)
    presence.leave(is_open=True)  # the end goes on without it
