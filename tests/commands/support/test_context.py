"""What the commands share is what Freqtrade makes of the same configuration."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
from freqtrade.configuration.directory_operations import create_datadir

from liq_provider.commands.support.context import context_of


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
