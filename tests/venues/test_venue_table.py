"""The table in ``docs/venues.md`` says what the files say."""

import re
from pathlib import Path

from liq_provider.venues import VENUES
from liq_provider.venues.registry import price_words

PAGE = Path(__file__).parents[2] / "docs" / "venues.md"


def test_what_the_page_says_of_a_venue_is_what_its_file_says() -> None:
    table = PAGE.read_text().partition("## Add one")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in re.findall(r"^\|.*\|$", table, re.MULTILINE)[2:]
    ]
    told = [row[0] for row in rows]
    assert len(told) >= 4
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
        for venue in VENUES.values()
        if venue.title in told
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
