"""A loopback exchange for demo, replay and tests. Everything it serves is labelled synthetic.

Freqtrade, ccxt and our own feeds talk to it unmodified: only URLs change. Import from the
modules; this package imports nothing, so that ``liq-provider --help`` stays quick.
"""
