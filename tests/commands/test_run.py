"""``run``: what a sidecar's process is made of."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

# A sidecar, and a viewer of its page who opens a pair; it tells what is loaded instead of serving.
OF_A_SIDECAR = """
import sys
from argparse import Namespace
from liq_provider.commands import run

def tell(config):
    import numpy as np
    from liq_provider.dashboard import page_server
    from liq_provider.plot import figure, view
    from liq_provider.sidecar.service import Sidecar
    from plotly.graph_objects import Figure, Scatter
    Sidecar(config, make_page=run._make_page)
    Figure(Scatter(x=np.arange(3), y=np.arange(3.0))).to_json()
    print(*sys.modules)
    return 0

run._run_alone, run._leave = tell, sys.exit
run.run(Namespace(config_from_stdin=True, foreground=True))
"""


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What a sidecar of Binance with its page has loaded."""
    base: Path = tmp_path_factory.mktemp("sidecar")
    config = {"base_dir": str(base), "exchange": {"name": "binance"}}
    done = subprocess.run(
        [sys.executable, "-c", OF_A_SIDECAR],
        input=json.dumps(config),
        cwd=base,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.processes
def test_a_sidecar_with_its_page_loads_no_frames(modules: set[str]) -> None:
    assert not modules & {"pandas", "pyarrow", "freqtrade", "talib"}
    assert "liq_provider.dashboard.page_server" in modules


@pytest.mark.processes
def test_a_sidecar_loads_no_exchange_but_its_own(modules: set[str]) -> None:
    assert {"ccxt.binance", "ccxt.base.errors"} <= modules
    assert not modules & {"ccxt.kraken", "ccxt.zaif", "ccxt.okx"}
