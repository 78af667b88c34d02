"""The exchanges whose liquidation feeds are understood, one file each; see ``base``."""

from liq_provider.venues.base import Parsed, Venue
from liq_provider.venues.registry import NO_PUBLIC_FEED, VENUES

__all__ = ["NO_PUBLIC_FEED", "VENUES", "Parsed", "Venue"]
