"""Where studies of a store lie."""

from pathlib import Path

import pytest

from liq_provider.study.study_folder import study_dir


@pytest.mark.parametrize(
    ("store", "folder"),
    [
        ("sqlite:////home/u/user_data/liq_provider.sqlite", "user_data/study"),
        ("sqlite:////home/u/user_data/demo/liq_provider.sqlite", "user_data/demo/study"),
        ("sqlite:////var/lib/liq_provider.sqlite", "user_data/study"),
        ("postgresql+psycopg://u@host/liqtrend", "user_data/study"),
    ],
)
def test_a_study_of_a_demo_does_not_pass_for_another(store: str, folder: str) -> None:
    assert study_dir(store, Path("/home/u")) == Path("/home/u") / folder
