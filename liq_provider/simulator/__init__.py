"""A loopback exchange for demo, replay and tests. Everything it serves is labelled synthetic.

Freqtrade, ccxt and our own feeds talk to it unmodified: only URLs change. Import from the
modules; this package imports nothing, so that ``liq-provider --help`` stays quick.
"""

HOST = "127.0.0.1"  # never anything else: what is served here must not be taken for real
DEFAULT_PORT = 18_900
