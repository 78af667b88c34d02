"""Freqtrade's REST API with keys that everybody knows."""

from pathlib import Path
from typing import Any

import pytest
from freqtrade.configuration.load_config import load_config_file

from liq_provider.commands.doctor import examine
from liq_provider.commands.support.api_server import api_remarks
from liq_provider.commands.support.context import Context
from liq_provider.config.settings import Settings

OWN = {"enabled": True, "password": "correct horse", "jwt_secret_key": "x" * 32}


def keys(**changes: Any) -> list[str]:
    remarks = api_remarks({"api_server": OWN | changes})
    return [key.removeprefix("api_server.") for key, _, _ in remarks]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, []),
        ({"jwt_secret_key": ""}, ["jwt_secret_key"]),
        ({"jwt_secret_key": "somethingRandomSomethingRandom123"}, ["jwt_secret_key"]),
        ({"jwt_secret_key": "x" * 31}, ["jwt_secret_key"]),
        ({"password": ""}, ["password"]),
        ({"ws_token": ["hZ-y58LXyX_HZ8O1cJzVyN6ePWrLpNQv4Q", "mine"]}, ["ws_token"]),
        ({"ws_token": "sercet_Ws_t0ken"}, ["ws_token"]),
        ({"jwt_secret_key": None, "password": None}, ["jwt_secret_key", "password"]),
        ({"enabled": False, "jwt_secret_key": ""}, []),
    ],
)
def test_keys_that_strangers_know_are_named(changes: dict[str, Any], named: list[str]) -> None:
    assert keys(**changes) == named


def test_the_remedy_makes_a_key_and_no_remark_shows_one() -> None:
    (remark,) = api_remarks({"api_server": OWN | {"jwt_secret_key": "x" * 31}})
    assert "FREQTRADE__API_SERVER__JWT_SECRET_KEY" in remark[2]
    assert "secrets.token_urlsafe(32)" in remark[2]
    assert "x" * 31 not in " ".join(remark)


def test_the_default_that_freqtrade_would_use_is_among_them() -> None:
    from freqtrade.config_schema.config_schema import CONF_SCHEMA

    published = CONF_SCHEMA["properties"]["api_server"]["properties"]["jwt_secret_key"]["default"]
    assert keys(jwt_secret_key=published) == ["jwt_secret_key"]


def test_doctor_asks_for_a_key_where_the_example_is_just_turned_on(tmp_path: Path) -> None:
    config = load_config_file(str(Path(__file__).parents[3] / "config.json.example"))
    config["api_server"] |= {"enabled": True, "password": "correct horse"}
    config.pop("exchange")
    context = Context(config, Settings(), f"sqlite:///{tmp_path / 's.sqlite'}", tmp_path)
    findings = (one for one in examine(context) if one.what == "api_server.jwt_secret_key")
    assert next(findings).level == "warning"
