"""Venues that are found, and what is stated as one and is none."""

import re
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
    with pytest.raises(UsageError, match=r"^venue broken of example\d+ 1.2: .*uninstall what"):
        registry.refuse_unusable()


def test_a_package_may_take_no_name_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "from liq_provider.venues.okx import VENUE as make"
    install(monkeypatch, tmp_path, "liqtrend.venues", "okx", code)
    assert registry.scan()[1] == {"okx": "there is another one of that name"}


MADE = """
from dataclasses import replace
from liq_provider.venues.okx import VENUE
play = replace(VENUE.dialect, prefix="/mine")
address = VENUE.endpoints[0]
make = replace(VENUE, name="odd", **{{"dialect": play}} | dict({changed}))
"""


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ("endpoints=()", "endpoints: there are none"),
        ("endpoints=None", "endpoints: should be a valid tuple"),
        ("endpoints=None, dialect=None, addresses=None", "endpoints: should be a valid tuple"),
        ("dialect=None", "dialect: should be "),
        ("addresses=None", "addresses: should be "),
        ("session=None", "session: should be callable"),
        ("title=None", "title: should be a valid string"),
        ("title=' '", "title: is empty"),
        ("evidence='sworn'", "evidence: should be 'documented', 'measured' or 'argued'"),
        ("price_kind='free'", "price_kind: should be 'fill', 'bankruptcy', 'order' or 'mark'"),
        ("quiet_alone_s='x'", "quiet_alone_s: should be a valid number"),
        ("quiet_alone_s=float('nan')", "quiet_alone_s: should be a finite number"),
        ("quiet_alone_s=0", "quiet_alone_s: must be above 0"),
        ("quiet_beside_s=-1.0", "quiet_beside_s: must not be negative"),
        ("max_age_s=-1.0", "max_age_s: must not be negative"),
        ("latency_ms=-1", "latency_ms: must not be negative"),
        ("heartbeat=replace(VENUE.heartbeat, every_s=0.0)", "heartbeat.every_s: must be above 0"),
        ("heartbeat=replace(VENUE.heartbeat, every_s=None)", "heartbeat.every_s: should be a "),
        ("endpoints=(replace(address, url='https://x/'),)", "endpoints.0.url: must begin with"),
        ("endpoints=(replace(address, url=7),)", "endpoints.0.url: should be a valid string"),
        ("endpoints=(address, replace(address, most_markets=-1))", "endpoints.1.most_markets: "),
        ("markets=replace(VENUE.markets, ccxt_id='')", "markets: states neither ccxt_id nor "),
        ("dialect=replace(play, bucket_ms=0)", "dialect.bucket_ms: must be above 0"),
        ("dialect=replace(play, delay_ms=-1)", "dialect.delay_ms: must not be negative"),
        ("dialect=replace(play, prefix='mine')", "dialect.prefix: must be a path such as /mine"),
        ("dialect=VENUE.dialect", "dialect.prefix: /"),
    ],
)
def test_a_venue_with_a_field_that_cannot_be_is_refused_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str, why: str
) -> None:
    install(monkeypatch, tmp_path, "liqtrend.venues", "odd", MADE.format(changed=changed))
    venues, unusable = registry.scan()
    assert venues.keys() == registry.VENUES.keys()
    assert unusable["odd"].startswith(why) and "\n" not in unusable["odd"]
    monkeypatch.setattr(registry, "UNUSABLE", unusable)
    with pytest.raises(UsageError) as refused:
        registry.refuse_unusable()
    assert re.match(rf"venue odd of example\d+ 1\.2: {re.escape(why)}", str(refused.value))


def test_a_venue_with_the_name_of_a_module_here_is_checked_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = MADE.format(changed="title=' '").replace('"odd"', '"base"')
    install(monkeypatch, tmp_path, "liqtrend.venues", "base", code)
    assert registry.scan()[1] == {"base": "title: is empty"}


def test_the_same_venue_with_paths_of_its_own_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, tmp_path, "liqtrend.venues", "odd", MADE.format(changed=""))
    venues, unusable = registry.scan()
    assert unusable == {} and "odd" in venues


def test_of_two_with_the_same_paths_in_the_simulator_the_second_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("odd", "odder"):
        code = MADE.format(changed="").replace('"odd"', f'"{name}"')
        install(monkeypatch, tmp_path, "liqtrend.venues", name, code)
    venues, unusable = registry.scan()
    assert "odd" in venues and list(unusable) == ["odder"]
    assert unusable["odder"].endswith(" is a path of odd in the simulator")


def test_a_user_who_will_not_wait_for_it_is_obeyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, tmp_path, "liqtrend.venues", "slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        registry.scan()


def test_nothing_is_refused_where_all_is_well() -> None:
    assert registry.UNUSABLE == {}
    registry.refuse_unusable()


@pytest.mark.parametrize("name", sorted(registry.VENUES))
def test_what_this_package_states_can_be_used(name: str) -> None:
    others = {other: venue for other, venue in registry.VENUES.items() if other != name}
    assert registry._fault_beside(registry.VENUES[name], others) is None
