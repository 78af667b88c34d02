"""
The whole of LiqTrend on a bad day: real processes, random faults, and a ledger at the end.

Nothing in the product imports from here. ``python -m chaos --minutes 10 --seed 1`` starts a
simulated exchange that notes every order it sends, sidecars, a store and the real bot, breaks
them by a seeded plan, lets them recover, and compares what was sent with what is stored, called
known, and traded on.
"""
