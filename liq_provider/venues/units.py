"""
From an exchange's units to ours. The same few operations serve one order of a feed and a column of
a file, so that both give the same bits.
"""

from typing import Literal, TypeVar

from liq_provider.core.arrays import FloatArray

Unit = Literal["contracts", "base", "quote"]

Values = TypeVar("Values", float, FloatArray)


def in_our_units(
    price: Values, amount: Values, contract_size: Values, *, linear: bool, unit: Unit = "contracts"
) -> tuple[Values, Values]:
    """
    :param price: quote units per base unit
    :param contract_size: see ``Market``; it tells only of contracts
    :param unit: what the amount counts; contracts of size 1 are base units. Dollars are the quote
        of all markets that are recorded, also of those that are settled in the coin
    :return: quantity in base units, and what it is worth

    >>> in_our_units(50.0, 3.0, 0.1, linear=True, unit="base")
    (3.0, 150.0)
    """
    if unit == "quote":
        return amount / price, amount
    if unit == "base":
        return amount, amount * price
    if linear:
        quantity = amount * contract_size
        return quantity, quantity * price
    notional_usd = amount * contract_size
    return notional_usd / price, notional_usd
