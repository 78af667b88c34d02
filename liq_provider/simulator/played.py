"""One venue of the simulated market, as the venue's own file sees it."""

from collections.abc import Callable, Collection, Sequence

from liq_provider.simulator.market import SimulatedMarket
from liq_provider.venues.dialect import Contract
from liq_provider.venues.frame import Frame


class Played:
    """
    :param name: of the venue
    :param clock_ms: the simulator's time
    """

    def __init__(self, name: str, market: SimulatedMarket, clock_ms: Callable[[], int]) -> None:
        self._name = name
        self._market = market
        self._clock_ms = clock_ms

    def now_ms(self) -> int:
        """:return: the simulator's time"""
        return self._clock_ms()

    def listed(self) -> Collection[tuple[str, Contract]]:
        """:return: all markets with their names on this exchange"""
        return [(spec.id_on(self._name), spec) for spec in self._market.symbols.values()]

    def lists(self, market_id: str) -> bool:
        """:return: whether there is such a market"""
        return self._market.spec_of(self._name, market_id) is not None

    def frames(self, from_ms: int, to_ms: int) -> Sequence[Frame]:
        """:return: what was sent to all in ``[from_ms, to_ms)``, heard or not, by time"""
        return [row.frame for row in self._market.tape_of(self._name, from_ms, to_ms)]
