"""The table in ``docs/venues.md`` says what the files say."""

import pkgutil
import re
from pathlib import Path

from liq_provider import venues
from liq_provider.venues import VENUES
from liq_provider.venues.base import Venue
from liq_provider.venues.registry import price_words

PAGE = Path(__file__).parents[2] / "docs" / "venues.md"
# Where a file is dropped in place to see whether that is enough, the page knows nothing of it.
EXAMPLES = {path.stem for path in (Path(__file__).parent / "dropped").glob("*.py")}


def own_venues() -> list[Venue]:
    """Those of a file of ours, and of no other package."""
    files = {module.name for module in pkgutil.iter_modules(venues.__path__)}
    return [venue for name, venue in VENUES.items() if name in files - EXAMPLES]


def test_each_venue_of_ours_is_in_the_page_with_what_its_file_says() -> None:
    table = PAGE.read_text().partition("## Add one")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in re.findall(r"^\|.*\|$", table, re.MULTILINE)[2:]
    ]
    assert len(rows) >= 4
    assert rows == [
        [
            venue.title,
            "yes" if venue.default_on else "no",
            f"the {venue.price_kind}",
            venue.evidence,
            venue.sampled,
            "no" if venue.history is None else "yes",
            f"{venue.quiet_alone_s / 60:g} min",
        ]
        for venue in own_venues()
    ]


def test_at_which_price_a_venue_counts_is_told_in_words() -> None:
    assert price_words(["okx", "gate", "bybit", "gone"]) == (
        "Prices: Bybit and OKX where the position's margin was gone; "
        "Gate the order's, which may have been filled better. "
        "Side and amount: Gate measured by others, not documented."
    )
    assert price_words(["gone"]) is None
    for name in VENUES:
        assert VENUES[name].title in str(price_words([name]))
