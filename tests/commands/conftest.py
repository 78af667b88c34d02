"""Where commands are run."""

from pathlib import Path

import pytest


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to work in, as after a first install."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "user_data").mkdir()
    return tmp_path
