"""
Headlines about a coin: where they come from, and what of them is let through.

Import from the modules; this package imports nothing, so that the process that reads a feed starts
quickly.
"""
