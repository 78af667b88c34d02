"""What the commands share: the configuration, which is what Freqtrade makes of it."""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from freqtrade.configuration.directory_operations import create_datadir

from liq_provider.commands.support.context import context_of, read_config
from liq_provider.errors import SettingsError


@pytest.mark.parametrize("exchange", ["binance", "Binance", "OKX"])
@pytest.mark.parametrize("key", [{}, {"datadir": "elsewhere"}])
@pytest.mark.parametrize("given", [None, "there"])
def test_candles_are_where_freqtrade_has_them(
    tmp_path: Path, exchange: str, key: dict[str, str], given: str | None
) -> None:
    config: dict[str, Any] = {
        "user_data_dir": str(tmp_path / "mine"),
        "exchange": {"name": exchange},
        **key,
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    asked = None if given is None else str(tmp_path / given)
    context = context_of(argparse.Namespace(config=[str(path)], datadir=asked))
    assert context.datadir == create_datadir(config, asked)


def test_what_the_environment_sets_wins_over_the_files(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = workplace / "a.json"
    path.write_text('{"exchange": {"name": "binance", "password": "x"}}')
    assert read_config([str(path)])["exchange"] == {"name": "binance", "password": "x"}
    monkeypatch.setenv("FREQTRADE__EXCHANGE__PASSWORD", "1234")
    assert read_config([str(path)])["exchange"] == {"name": "binance", "password": "1234"}


def test_without_a_file_there_is_nothing(workplace: Path) -> None:
    assert read_config(None) == {}
    (workplace / "config.json").write_text('{"x": 1}')
    assert read_config(None)["x"] == 1


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["{"], "Parse error"),
        (["[]"], "must hold one object"),
        (['{"a": {"x": 1}}', '{"a": 5}', '{"a": {"x": 2}}'], "a value in another"),
        (['{"add_config_files": ["a0.json"]}'], "Config loop detected"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_error(
    workplace: Path, texts: list[str], said: str
) -> None:
    paths = []
    for number, text in enumerate(texts):
        path = workplace / f"a{number}.json"
        path.write_text(text)
        paths.append(str(path))
    with pytest.raises(SettingsError, match=said):
        read_config(paths)


def test_a_file_that_is_missing_is_named(workplace: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.json"):
        read_config(["none.json"])
    with pytest.raises(SettingsError, match="is a directory"):
        read_config(["user_data"])


@pytest.mark.processes
def test_status_loads_nothing_that_it_has_no_use_for(workplace: Path) -> None:
    (workplace / "user_data" / "config.json").write_text(json.dumps({"bot_name": "A"}))
    code = (
        "import sys\n"
        "from liq_provider.cli import main\n"
        "main(['status'])\n"
        "heavy = {'pandas', 'pyarrow', 'ccxt', 'freqtrade', 'talib', 'aiohttp', 'requests'}\n"
        "heavy |= {'sqlalchemy.dialects.postgresql', 'alembic', 'psycopg'}\n"
        "heavy |= {'liq_provider.store.writer', 'liq_provider.judge.decisions'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "There is no store at" in done.stderr
    assert done.stdout.strip() == "HEAVY []"
