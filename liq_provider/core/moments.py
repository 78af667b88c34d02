"""Times as people read them: always with their date, always UTC."""

from datetime import UTC, datetime

# From 2017 to 2100: of what lies outside nothing can be known, or it is in another unit.
EARLIEST_MS = 1_483_228_800_000
LATEST_MS = 4_102_444_800_000


def moment(ms: int) -> str:
    """
    >>> moment(1_795_802_700_000)
    '2026-11-27 18:05 UTC'
    """
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def duration(ms: int) -> str:
    """
    >>> duration(200), duration(42_000), duration(18_180_000), duration(334_800_000)
    ('0.2 s', '42 s', '5 h 3 min', '3 d 21 h')
    """
    if ms < 9_950:
        return f"{ms / 1000:.1f} s"
    seconds = round(ms / 1000)
    if seconds < 120:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"
