"""Which pair stands for a coin, for all that a sidecar writes and shows."""

from collections.abc import Mapping, Sequence


class PairOfCoin:
    """
    The bot's exchange's pair by coin, as its list of today has it; empty until that came. Who
    is to read them is given this object, and calls it.
    """

    def __init__(self) -> None:
        self._listed: Mapping[str, str] = {}

    def __call__(self) -> Mapping[str, str]:
        return self._listed

    def update(self, listed: Mapping[str, str]) -> None:
        """:param listed: all of the exchange's, in place of those of before"""
        self._listed = listed


def pair_for_coin(base_asset: str, listed: Sequence[str], names: Mapping[str, str]) -> str:
    """
    :param listed: the venues' pairs of the coin, at least one
    :param names: the bot's exchange's pair by coin
    :return: the pair that stands for the coin
    """
    return names.get(base_asset) or min(listed, key=lambda pair: ("USDT" not in pair, pair))
