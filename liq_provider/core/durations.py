"""Lengths of time, above all in milliseconds, the unit of every timestamp."""

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

DAY_S = DAY_MS // 1000

# Later than every timestamp, and still an integer of every database.
FOREVER_MS = 2**62
