"""
Colours, which are never the only sign: symbols, dashes, signs of numbers and words say the same.

Blue and orange are Okabe and Ito's, told apart by colour-blind eyes; price stays neutral.
"""

from dataclasses import dataclass
from typing import Literal

ThemeName = Literal["light", "dark"]


@dataclass(frozen=True, slots=True)
class Theme:
    """
    CSS colours.

    :param up: short positions that were liquidated, and LONG
    :param down: long positions that were liquidated, and SHORT
    :param heat: from little to much
    """

    paper: str
    text: str
    dim: str
    grid: str
    up_fill: str
    down_fill: str
    wick: str
    up: str
    down: str
    z: str
    unknown: str
    heat: tuple[str, str, str]


THEMES: dict[ThemeName, Theme] = {
    "light": Theme(
        paper="#ffffff",
        text="#1c2026",
        dim="#5b626d",
        grid="#e6e9ed",
        up_fill="#ffffff",
        down_fill="#4a515c",
        wick="#4a515c",
        up="#0072b2",
        down="#d55e00",
        z="#1c2026",
        unknown="rgba(110,116,126,0.28)",
        heat=("rgba(204,121,167,0.15)", "rgba(170,50,130,0.65)", "rgba(90,0,80,0.95)"),
    ),
    "dark": Theme(
        paper="#14171b",
        text="#d8dce2",
        dim="#98a0ab",
        grid="#2a2f37",
        up_fill="#14171b",
        down_fill="#b4bac4",
        wick="#b4bac4",
        up="#56b4e9",
        down="#f0932b",
        z="#d8dce2",
        unknown="rgba(150,158,170,0.30)",
        heat=("rgba(140,60,120,0.25)", "rgba(214,90,170,0.75)", "rgba(255,205,235,0.98)"),
    ),
}
