"""Who may look."""

import pytest

from liq_provider.dashboard.auth import DAYS, Door
from liq_provider.dashboard.page_server import door_of
from liq_provider.errors import SettingsError

TOKEN = "planted-token-of-the-page"
NOW = 1_795_000_000.0


def test_a_pass_admits_until_it_ends_and_not_after_the_token_was_changed() -> None:
    door = Door(TOKEN)
    granted = door.pass_for(NOW)
    assert door.admits(granted, None, NOW)
    assert door.admits(granted, None, NOW + DAYS * 86_400 - 1)
    assert not door.admits(granted, None, NOW + DAYS * 86_400 + 1)
    assert not Door("another-token").admits(granted, None, NOW)
    # A restart of the sidecar is no reason to log in again.
    assert Door(TOKEN).admits(granted, None, NOW)


@pytest.mark.parametrize(
    "cookie", [None, "", "x", ".", "9999999999.", "9999999999.00", "٣.x", "9" * 5_000 + ".a"]
)
def test_what_is_no_pass_admits_nobody(cookie: str | None) -> None:
    assert not Door(TOKEN).admits(cookie, None, NOW)


def test_a_pass_cannot_be_made_to_last_longer() -> None:
    until, _, signature = Door(TOKEN).pass_for(NOW).partition(".")
    assert not Door(TOKEN).admits(f"{int(until) + 1}.{signature}", None, NOW)


def test_the_token_itself_admits_programs() -> None:
    door = Door(TOKEN)
    assert door.admits(None, TOKEN) and door.is_token(f" {TOKEN}\n")
    assert not door.admits(None, TOKEN + "x") and not door.admits(None, "")


def test_without_a_token_there_is_no_login() -> None:
    assert Door(None).admits(None, None) and not Door(None).locked
    assert not Door(None).is_token("")


def test_the_network_is_refused_without_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIQ_PROVIDER_TOKEN", raising=False)
    for host in ("0.0.0.0", "::", "192.168.0.7", "trader.example"):
        with pytest.raises(SettingsError, match=r"dashboard\.host.*LIQ_PROVIDER_TOKEN"):
            door_of(host)
    assert door_of("127.0.0.1")[0].locked is False
    monkeypatch.setenv("LIQ_PROVIDER_TOKEN", TOKEN)
    assert door_of("0.0.0.0")[0].locked is True
    assert door_of("127.0.0.1")[0].locked is True


def test_a_short_token_is_refused_where_the_network_may_guess(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIQ_PROVIDER_TOKEN", "short")
    with pytest.raises(SettingsError, match="at least 16"):
        door_of("0.0.0.0")
    assert door_of("127.0.0.2")[1][-1] == "127.0.0.2"
