"""Markets of the simulated exchanges: real names with realistic ticks and contract values."""

import math
from dataclasses import dataclass
from decimal import Decimal

from liq_provider.venues import VENUES
from liq_provider.venues.dialect import plain


@dataclass(frozen=True, slots=True)
class SymbolSpec:
    """
    One perpetual swap, which every venue lists under a name of its own.

    :param base: such as ``1000PEPE``
    :param price: price at the beginning of the history, in quote per base
    :param tick: price step, as the venue writes it
    :param step: quantity step in base units, as the venue writes it
    :param ct_val: coins (``PEPE``, not ``1000PEPE``) in a contract, where contracts are counted
    :param volatility: standard deviation of one minute's log return
    :param liquidations_day: background liquidations a day, all venues together
    :param median_usd: median size of a background liquidation
    :param quote: quote and settle currency
    :param multiplier: coins in one base unit (1000 for ``1000PEPE``)
    :param ids: the venue's own symbol where it does not follow the naming rule
    """

    base: str
    price: float
    tick: str
    step: str
    ct_val: str
    volatility: float = 0.0005
    liquidations_day: float = 200.0
    median_usd: float = 1_500.0
    quote: str = "USDT"
    multiplier: int = 1
    ids: tuple[tuple[str, str], ...] = ()

    @property
    def symbol(self) -> str:
        """:return: base and quote in one word, which names the market inside the simulator"""
        return f"{self.base}{self.quote}"

    @property
    def pair(self) -> str:
        """:return: Freqtrade's pair, such as ``BTC/USDT:USDT``"""
        return f"{self.base}/{self.quote}:{self.quote}"

    @property
    def coin(self) -> str:
        """:return: the base without its multiplier"""
        return self.base.removeprefix("1000") if self.multiplier == 1000 else self.base

    def id_on(self, venue: str) -> str:
        """:return: the symbol that a venue uses for this market"""
        own = dict(self.ids).get(venue)
        return VENUES[venue].dialect.market(self).market_id if own is None else own

    @property
    def tick_digits(self) -> int:
        """:return: digits after the decimal point in prices"""
        return digits_of(self.tick)

    @property
    def step_digits(self) -> int:
        """:return: digits after the decimal point in quantities"""
        return digits_of(self.step)

    def contracts(self, quantity: float) -> str:
        """
        :param quantity: in base units
        :return: contracts; exact, so that times ``ct_val`` they give the quantity back
        """
        coins = Decimal(repr(quantity)) * self.multiplier
        return plain(coins / Decimal(self.ct_val))


def digits_of(step: str) -> int:
    """
    >>> digits_of("0.010"), digits_of("1"), digits_of("1e-7")
    (2, 0, 7)
    """
    exponent = Decimal(step).normalize().as_tuple().exponent
    return max(0, -int(exponent))


def tick_for(price: float) -> str:
    """
    A tick of about one hundredth of a percent, for symbols whose real tick is not known.

    >>> tick_for(97_000.0), tick_for(0.0123)
    ('1', '0.000001')
    """
    exponent = math.floor(math.log10(price)) - 4
    return plain(Decimal(1).scaleb(min(exponent, 0)))


DEMO_SYMBOLS: tuple[SymbolSpec, ...] = (
    SymbolSpec("BTC", 97_250.0, "0.10", "0.001", "0.01", 0.0004, 420, 6_000.0),
    SymbolSpec("ETH", 3_420.0, "0.01", "0.001", "0.1", 0.0005, 380, 4_500.0),
    SymbolSpec("SOL", 188.5, "0.0100", "0.01", "1", 0.0006, 300, 2_500.0),
    SymbolSpec("XRP", 2.412, "0.0001", "0.1", "100", 0.0006, 260, 2_000.0),
    SymbolSpec("DOGE", 0.3512, "0.000010", "1", "1000", 0.0006, 260, 1_800.0),
    SymbolSpec("ADA", 0.9544, "0.00010", "1", "100", 0.0006, 200, 1_400.0),
    SymbolSpec("AVAX", 38.42, "0.0010", "1", "1", 0.0006, 180, 1_300.0),
    SymbolSpec("LINK", 21.87, "0.001", "0.01", "1", 0.0006, 180, 1_300.0),
    SymbolSpec("LTC", 109.6, "0.01", "0.001", "1", 0.0005, 160, 1_200.0),
    SymbolSpec(
        "1000PEPE", 0.01942, "0.0000001", "1", "10000000", 0.0007, 240, 1_600.0, multiplier=1000
    ),
    SymbolSpec("SUI", 4.218, "0.000100", "0.1", "1", 0.0006, 220, 1_500.0),
    SymbolSpec("NEAR", 5.163, "0.0010", "1", "10", 0.0006, 150, 1_200.0),
    SymbolSpec("DOT", 7.031, "0.001", "0.1", "1", 0.0006, 150, 1_200.0),
    SymbolSpec("UNI", 13.24, "0.0010", "1", "1", 0.0006, 150, 1_200.0),
    SymbolSpec("ARB", 0.7461, "0.000100", "0.1", "10", 0.0006, 160, 1_200.0),
    SymbolSpec("OP", 1.843, "0.0001000", "0.1", "1", 0.0006, 150, 1_200.0),
)
