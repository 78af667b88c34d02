"""Venues that are found, and what is stated as one and is none."""

from pathlib import Path

import pytest

from liq_provider.errors import UsageError
from liq_provider.venues import registry
from tests.plugins import install


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import no_such_module", "cannot be loaded (ModuleNotFoundError: No module named "),
        ("raise SystemExit('bye')", "cannot be loaded (SystemExit: bye)"),
        ("def make(:", "cannot be loaded (SyntaxError: "),
        ("other = 1", "cannot be loaded (AttributeError: "),
        ("make = None", "cannot be loaded (TypeError: it states nothing)"),
        ("make = 7", "what it states is no Venue of that name"),
        ("from liq_provider.venues.okx import VENUE as make", "what it states is no Venue of"),
        ("raise ValueError('a\\nb' * 1_000)", "cannot be loaded (ValueError: a b"),
    ],
)
def test_a_package_that_cannot_be_used_is_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, why: str
) -> None:
    install(monkeypatch, tmp_path, "liqtrend.venues", "broken", code)
    venues, unusable = registry.scan()
    assert venues.keys() == registry.VENUES.keys(), "the others are there all the same"
    assert list(unusable) == ["broken"] and unusable["broken"].startswith(why)
    assert len(unusable["broken"]) < 400 and "\n" not in unusable["broken"]
    monkeypatch.setattr(registry, "UNUSABLE", unusable)
    with pytest.raises(UsageError, match=r"^venue broken: .*uninstall what adds it"):
        registry.refuse_unusable()


def test_a_package_may_take_no_name_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "from liq_provider.venues.okx import VENUE as make"
    install(monkeypatch, tmp_path, "liqtrend.venues", "okx", code)
    assert registry.scan()[1] == {"okx": "there is another one of that name"}


def test_a_user_who_will_not_wait_for_it_is_obeyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, tmp_path, "liqtrend.venues", "slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        registry.scan()


def test_nothing_is_refused_where_all_is_well() -> None:
    assert registry.UNUSABLE == {}
    registry.refuse_unusable()
