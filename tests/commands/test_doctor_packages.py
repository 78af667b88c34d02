"""``doctor`` tells what other packages add, and whether it can be used."""

from pathlib import Path

import pytest

from liq_provider.cli import main
from liq_provider.commands.doctor import Finding, _added
from liq_provider.commands.support import added_packages
from liq_provider.config.settings import Settings, load_settings
from liq_provider.venues import registry
from tests.plugins import install

JUDGE = """
class make:
    def __init__(self, settings):
        {more}
    async def opinion(self, case): ...
"""
NEWS = """
class make:
    def __init__(self, settings):
        settings.feeds
    async def find(self, spelling): ...
"""


def settings(**section: object) -> Settings:
    return load_settings({"liq_provider": section}, {})


def told(chosen: Settings | None = None) -> list[Finding]:
    return list(_added(chosen or settings()))


def test_without_any_nothing_is_said() -> None:
    assert told() == []


def test_what_is_installed_and_loads_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    careful = JUDGE.format(more="settings.judge.by")
    install(monkeypatch, tmp_path, "liqtrend.judges", "careful", careful, "my_judge")
    install(monkeypatch, tmp_path, "liqtrend.news", "notes", NEWS, "my_notes")
    assert told() == [
        Finding("ok", "liqtrend.judges careful", "of my_judge 1.2: loads, not chosen"),
        Finding("ok", "liqtrend.news notes", "of my_notes 1.2: loads, not chosen"),
    ]
    chosen = settings(judge={"by": "careful"}, news={"provider": "notes"})
    assert [one.found for one in told(chosen)] == [
        "of my_judge 1.2: loads, judge.by",
        "of my_notes 1.2: loads, news.provider",
    ]


@pytest.mark.parametrize(
    ("code", "why", "chosen_why"),
    [
        ("import no_such", "cannot be loaded (ModuleNotFoundError: No module named 'no_such')", ""),
        ("raise SystemExit('bye')", "cannot be loaded (SystemExit: bye)", ""),
        ("make = 1", "cannot be loaded (TypeError: what it names cannot be called)", ""),
        (
            *("def make(settings): return settings", None),
            "cannot be loaded (TypeError: what it makes has no opinion)",
        ),
        (JUDGE.format(more="1 / 0"), None, "cannot be loaded (ZeroDivisionError: division by zer"),
    ],
)
def test_what_is_broken_is_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, why: str | None, chosen_why: str
) -> None:
    install(monkeypatch, tmp_path, "liqtrend.judges", "careful", code, "my_judge")
    (seen,) = told()
    # Only loaded, as nobody chose it.
    assert (seen.level, seen.found) == (
        ("ok", "of my_judge 1.2: loads, not chosen")
        if why is None
        else ("warning", f"of my_judge 1.2: {why}")
    )
    (seen,) = told(settings(judge={"by": "careful"}))
    assert (seen.level, seen.remedy) == ("error", "mend or uninstall it")
    assert seen.found.startswith(f"of my_judge 1.2: {chosen_why or why}")


def test_one_that_takes_for_ever_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(added_packages, "_LOADS_S", 0.2)
    install(monkeypatch, tmp_path, "liqtrend.news", "slow", "import time; time.sleep(5)", "slow")
    (seen,) = told()
    assert (seen.level, seen.found) == ("warning", "of slow 1.2: does not load within 0.2 s")


def test_a_package_that_does_not_say_who_it_is_is_listed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        install(monkeypatch, tmp_path, "liqtrend.news", "notes", NEWS, name)
        (tmp_path / f"site-{name}" / f"{name}-1.2.dist-info" / "METADATA").unlink()
    (seen,) = told()
    assert seen.found.startswith("of ? ?, ? ?: notes (liqtrend.news) is added by ? and ?, ")


def test_an_entry_point_that_names_nothing_is_told_with_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for group in ("liqtrend.judges", "liqtrend.news"):
        install(monkeypatch, tmp_path, group, "careful", "make = 1", f"my_{group[9:]}")
        info = tmp_path / f"site-my_{group[9:]}" / f"my_{group[9:]}-1.2.dist-info"
        (info / "entry_points.txt").write_text(f"[{group}]\ncareful = not a valid:: value !!\n")
    why = "its entry point must be module:name, and is 'not a valid:: value !!'"
    assert [one.found.partition(": ")[2] for one in told()] == [
        f"cannot be loaded (ValueError: {why})"
    ] * 2


def test_names_that_cannot_be_chosen_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, tmp_path, "liqtrend.judges", "Careful", "make = 1", "a")
    install(monkeypatch, tmp_path, "liqtrend.judges", "matrix", "make = 1", "b")
    install(monkeypatch, tmp_path, "liqtrend.news", "notes", NEWS, "c")
    install(monkeypatch, tmp_path, "liqtrend.news", "notes", NEWS, "d")
    named, ours, twice = told()
    assert named.found.startswith("of a 1.2: is no name: small letters")
    assert ours.found == "of b 1.2: LiqTrend has one of that name, which is used"
    both = "notes (liqtrend.news) is added by c and d, and only one package may add it"
    assert twice.found == f"of c 1.2, d 1.2: {both}"
    assert {one.level for one in (named, ours, twice)} == {"warning"}


def test_a_venue_that_is_none_is_told_first_and_ends_it(
    workplace: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    install(monkeypatch, tmp_path, "liqtrend.venues", "moon", "import no_such", "my_moon")
    unusable = registry.scan()[1]
    # In place, as others have imported it.
    monkeypatch.setitem(registry.UNUSABLE, "moon", unusable["moon"])
    assert main(["doctor"]) == 2
    first, remedy = capsys.readouterr().out.splitlines()
    assert first.startswith("error    liqtrend.venues moon: of my_moon 1.2: cannot be loaded (Mod")
    assert remedy.strip() == "-> mend or uninstall it"
