"""The table in ``docs/venues.md`` says what the files say."""

import re
from pathlib import Path

from liq_provider.venues import VENUES

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
