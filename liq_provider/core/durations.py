"""Lengths of time, above all in milliseconds, the unit of every timestamp."""

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

HOUR_S = HOUR_MS // 1000
DAY_S = DAY_MS // 1000

DAY_MIN = DAY_MS // MINUTE_MS

# Later than every timestamp, and still an integer of every database.
FOREVER_MS = 2**62
