"""The command line itself."""

import subprocess
import sys

import pytest

from liq_provider import __version__
from liq_provider.cli import main


@pytest.mark.processes
def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from liq_provider.cli import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "except SystemExit:\n"
        "    pass\n"
        "heavy = {'numpy', 'pandas', 'sqlalchemy', 'ccxt', 'freqtrade', 'pydantic', 'websockets'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("HEAVY []")


def test_version_is_the_package_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.processes
def test_a_pipe_that_closes_early_is_no_error() -> None:
    command = f"{sys.executable} -m liq_provider.cli --help | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stderr == ""
