"""A whole market of contracts, as many as a real exchange lists."""

from collections.abc import Sequence
from itertools import cycle

from liq_provider.simulator.symbols import DEMO_SYMBOLS, SymbolSpec, tick_for

# From a coin that costs a fraction of a cent to one that costs thousands.
_PRICES = (0.001234, 0.02345, 0.3456, 4.567, 56.78, 678.9, 7_890.0)
_DAILY = 200.0
_MEDIAN_USD = 1_500.0
_DEAR_USD = 10.0


def many_symbols(bases: Sequence[str], daily: float = _DAILY) -> tuple[SymbolSpec, ...]:
    """
    :param bases: their names; those of the demo's contracts are these
    :param daily: background liquidations of one coin in a day
    """
    known = {spec.base: spec for spec in DEMO_SYMBOLS}
    return tuple(
        known.get(base) or _invented(base, price, daily)
        for base, price in zip(bases, cycle(_PRICES), strict=False)
    )


def _invented(base: str, price: float, daily: float) -> SymbolSpec:
    step = "0.001" if price > _DEAR_USD else "1"
    return SymbolSpec(
        *(base, price, tick_for(price), step, "1"),
        liquidations_day=daily,
        median_usd=_MEDIAN_USD,
    )
