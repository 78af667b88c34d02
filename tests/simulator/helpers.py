"""Reading the simulator's frames as the sidecar would."""

from collections.abc import Iterable
from dataclasses import replace

from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import MarketTable
from liq_provider.simulator.market import SimulatedMarket, TapeRow
from liq_provider.venues import VENUES

START_MS = 1_795_350_017_000  # 17 s into a minute


def tables(market: SimulatedMarket) -> dict[str, MarketTable]:
    """What the sidecar knows of each venue's contracts."""
    return {
        name: venue.table(
            replace(venue.dialect.market(spec), market_id=spec.id_on(name))
            for spec in market.symbols.values()
        )
        for name, venue in VENUES.items()
    }


def read_tape(market: SimulatedMarket, rows: Iterable[TapeRow]) -> list[Liquidation]:
    """Read frames with the production parsers; nothing in them may be misunderstood."""
    known = tables(market)
    orders: list[Liquidation] = []
    for row in rows:
        parsed = VENUES[row.venue].parse(row.frame, known[row.venue], row.received_ms)
        assert parsed.understood
        assert not parsed.dropped
        orders += parsed.liquidations
    return orders
