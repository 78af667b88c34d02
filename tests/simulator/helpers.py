"""Reading the simulator's frames as the sidecar would."""

from collections.abc import Iterable

from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import Market, MarketTable
from liq_provider.simulator.market import SimulatedMarket, TapeRow
from liq_provider.simulator.symbols import SymbolSpec
from liq_provider.venues import VENUES

START_MS = 1_795_350_017_000  # 17 s into a minute


def tables(market: SimulatedMarket) -> dict[str, MarketTable]:
    """What the sidecar knows of each venue's contracts."""
    return {
        venue: MarketTable(venue, [_known(venue, spec) for spec in market.symbols.values()])
        for venue in VENUES
    }


def _known(venue: str, spec: SymbolSpec) -> Market:
    if venue not in ("gate", "okx"):
        return Market(venue, spec.id_on(venue), spec.pair, spec.okx_base)
    pair = f"{spec.okx_base}/{spec.quote}:{spec.quote}"
    return Market(venue, spec.id_on(venue), pair, spec.okx_base, float(spec.ct_val))


def read_tape(market: SimulatedMarket, rows: Iterable[TapeRow]) -> list[Liquidation]:
    """Read frames with the production parsers; nothing in them may be misunderstood."""
    known = tables(market)
    found: list[Liquidation] = []
    for row in rows:
        parsed = VENUES[row.venue].parse(row.frame, known[row.venue], row.received_ms)
        assert parsed.understood
        assert not parsed.dropped
        found += parsed.liquidations
    return found
