"""How a coin is written in headlines."""

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from liq_provider.core.coins import base_asset_of

# Symbols that are words or too short: alone in a headline they mean nothing.
_AMBIGUOUS = frozenset(
    "A AI ALT APE API ARC ARK ATOM BAN BAT BIG BIO BLUR BOME CAT CORE DASH DEFI DENT DOT EDU ENA "
    "FLOW FUN GAS GLM GMT GOAT HIGH HIVE HOOK HOT ID IN IO IP JOE JUP KEY LINK LIT MAGIC MASK ME "
    "MINA MOVE NEAR NOT OM ONE OP ORDER PEOPLE PHA POND PORTAL PROM PUMP QUICK RARE RED REEF SAND "
    "SEI SKY SPELL STEEM STORM STRK SUN SUPER SYN TIA TON TRADE TRUMP TRUTH USUAL WAVES WIF WIN "
    "WOO ZEN ZETA".split()
)


@dataclass(frozen=True, slots=True)
class Spelling:
    """
    :param symbol: such as PEPE, also for 1000PEPE
    :param name: such as Bitcoin; empty if it is not known
    """

    symbol: str
    name: str

    @property
    def ambiguous(self) -> bool:
        """Is the bare symbol too common a word to tell the coin?"""
        return len(self.symbol) < 3 or self.symbol in _AMBIGUOUS

    def query(self) -> str:
        """:return: for a search engine"""
        words = [f'"{self.name}"'] if self.name else []
        words.append(f'"{self.symbol} crypto"' if self.ambiguous else self.symbol)
        return " OR ".join(words) + " crypto"

    def in_text(self, text: str) -> bool:
        """:return: whether a text speaks of the coin"""
        if re.search(rf"\${re.escape(self.symbol)}\b", text):
            return True
        if self.name and re.search(rf"\b{re.escape(self.name)}\b", text, re.IGNORECASE):
            return True
        # As written on exchanges; "near" or "link" is a word, LINK may be one in capitals, too.
        return not self.ambiguous and bool(re.search(rf"\b{re.escape(self.symbol)}\b", text))


@cache
def _names() -> dict[str, str]:
    text = (files("liq_provider.news") / "names.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def spelling_of(base_asset: str) -> Spelling:
    """
    :param base_asset: as in features, where 1000PEPE is PEPE; or as in a pair
    """
    symbol = base_asset_of(base_asset)
    return Spelling(symbol, _names().get(symbol, ""))
