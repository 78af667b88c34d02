"""``run``: what a sidecar's process is made of."""

import subprocess
import sys

import pytest

# As a sidecar and a viewer of its page do it, in that order.
OF_A_PICTURE = """
import numpy as np
import liq_provider.commands.run
import liq_provider.dashboard.page_server
from liq_provider.plot import figure, view
from plotly.graph_objects import Figure, Scatter
Figure(Scatter(x=np.arange(3), y=np.arange(3.0))).to_json()
"""


def loaded(code: str, names: tuple[str, ...]) -> list[str]:
    """Which of these modules a process of its own has loaded after some code."""
    code += f"\nimport sys\nprint(*(name for name in {names!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.processes
def test_a_sidecar_with_its_page_loads_no_frames() -> None:
    assert loaded(OF_A_PICTURE, ("pandas", "pyarrow", "freqtrade", "talib")) == []
