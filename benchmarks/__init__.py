"""
What LiqTrend's work costs, beside those who do the same: ``make bench``.

``rows`` has what is compared, ``peers`` has who knows nothing of LiqTrend and runs in an
environment of its own. Nothing here is imported by the program.
"""
