"""
The figures in a model's words: each must follow from what it was told.

A model that makes up a number sounds as sure as one that read it. So a note with a number that is
in none of its inputs, nor a share, percentage, difference of prices or count of them, is replaced
as a whole by the sentence that says what was measured. How it was rounded does not matter.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from liq_provider.judge.guard import NOTES, Guarded
from liq_provider.judge.verdict import Facts
from liq_provider.judge.wave_facts import liq_note, news_note, reason_note, trend_note

_SCALES = {
    **dict.fromkeys(("k", "thousand"), 1e3),
    **dict.fromkeys(("m", "mn", "mm", "mio", "million", "millions"), 1e6),
    **dict.fromkeys(("b", "bn", "billion", "billions"), 1e9),
}
_WORDS = {
    word: float(number)
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve".split()
    )
}
_SCALE = "|".join(sorted(_SCALES, key=len, reverse=True))
# Not within a name or a word (1000PEPE, Q3, v2): those are no figures.
_FIGURE = re.compile(
    rf"(?<![\w.,])(?P<number>\d{{1,3}}(?:[,_']\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
    rf"(?:\s?(?P<scale>{_SCALE})\b)?\s?(?P<percent>%|percent\b|per cent\b|pct\b)?"
    rf"(?:[-\s]{{0,2}}(?P<after>[a-z]+))?",
    re.IGNORECASE,
)
_SPELLED = re.compile(
    rf"\b(?P<number>{'|'.join(_WORDS)})[\s-](?P<scale>thousand|million|billion)s?\b"
    rf"|\b(?P<share>{'|'.join(_WORDS)})\s(?:percent|per cent)\b",
    re.IGNORECASE,
)
# "two venues", "the last 5 candles": a way to speak, not a measurement.
_COUNTED = re.compile(
    r"(?:venue|exchange|headline|article|source|item|stor(?:y|ie)|report|candle|bar|minute|hour|"
    r"day|step|side|reason|th|st|nd|rd|of|out)s?\Z",
    re.IGNORECASE,
)
# "z is 9" is about z, and about nothing else that is 9.
_NAMED = re.compile(
    r"\b(z|purity)(?:[-\s]?score)?[\s:=~]*(?:(?:of|is|at|was|about|around|only)\s+)*\Z",
    re.IGNORECASE,
)
_MOST_COUNTED = 10
_MEASURED = "$€=<>~"  # what stands before a measurement
_NUMBER_IN_TEXT = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class KnownFigures:
    """
    :param plain: figures that were told, or follow
    :param percent: shares and changes, in percent
    :param named: those that a word before a figure speaks of, and no others
    """

    plain: set[float] = field(default_factory=set)
    percent: set[float] = field(default_factory=set)
    named: dict[str, "KnownFigures"] = field(default_factory=dict)

    @classmethod
    def of(
        cls, told: Mapping[str, Any], details: Mapping[str, Any] | None = None
    ) -> "KnownFigures":
        """
        :param told: see ``prompt.data``
        :param details: what that was made from, which is a little more exact
        """
        known, liquidations = cls(named={"z": cls(), "purity": cls()}), told["liquidations"]
        for exact in (liquidations, details or {}):
            known._plain(*(v for v in exact.values() if isinstance(v, int | float)))
        known.named["z"]._plain(liquidations.get("z"))
        known.named["purity"]._shares(liquidations)
        known._shares(liquidations)
        known._money(liquidations)
        known._candles(told["candles"])
        news = told["news"] if isinstance(told["news"], list) else []
        known._plain(len(news))
        for headline in news:
            known._plain(headline["age_min"], headline["age_min"] / 60)
            for figure in _in_text(
                f"{headline['title']} {headline['source']} {headline['summary']}"
            ):
                known.plain.add(figure)
                known.percent.add(figure)
        return known

    def holds(self, figure: "_Figure") -> bool:
        """:return: whether it is one of them, rounded or cut off"""
        where = self.named.get(figure.about, self)
        known = where.percent if figure.percent else where.plain
        least, below = figure.value - figure.step * 0.501, figure.value + figure.step * 0.999
        return any(least <= abs(value) < below for value in known)

    def _plain(self, *values: float | None) -> None:
        self.plain.update(v for v in values if v is not None and math.isfinite(v))

    def _share(self, *values: float | None) -> None:
        known = [v for v in values if v is not None and math.isfinite(v)]
        self.plain.update(known)
        self.percent.update(100 * v for v in known)

    def _shares(self, told: Mapping[str, Any]) -> None:
        purity = told.get("purity")
        self._share(purity, None if purity is None else 1 - purity)
        total = told.get("notional_usd")
        for name in ("long_usd", "short_usd"):
            if total and told.get(name) is not None:
                self._share(told[name] / total)

    def _money(self, told: Mapping[str, Any]) -> None:
        count, total = told.get("count"), told.get("notional_usd")
        self._plain(total / count if total and count else None)
        long_usd, short_usd = told.get("long_usd"), told.get("short_usd")
        if long_usd and short_usd:
            self._plain(long_usd / short_usd, short_usd / long_usd, abs(long_usd - short_usd))

    def _candles(self, told: Mapping[str, Any]) -> None:
        change, noise = told.get("trend_change"), told.get("trend_noise")
        self._share(change, noise, change / noise if change and noise else None)
        self._plain(*_in_text(str(told["timeframe"])))
        rows = [[float(value) for value in row.split()] for row in told["last"]]
        self._plain(len(rows), *(value for row in rows for value in row))
        if not rows:
            return
        opens, highs, lows, closes = (
            [row[column] for row in rows if len(row) > column] for column in range(4)
        )
        if not (opens and closes and min(*opens, *lows, *closes) > 0):
            return
        last = closes[-1]
        starts = [opens[0], *closes, max(highs), min(lows)]
        self._share(*(last / start - 1 for start in starts))
        self._share(min(lows) / max(highs) - 1, max(highs) / min(lows) - 1)
        self._plain(*(abs(last - start) for start in starts), max(highs) - min(lows))


@dataclass(frozen=True, slots=True)
class _Figure:
    """
    :param step: that its last digit stands for
    :param about: what the words before it say that it is, if they do
    """

    text: str
    value: float
    step: float
    percent: bool
    about: str = ""


def invented(text: str, known: KnownFigures, names: tuple[str, ...] = ()) -> str | None:
    """
    :param names: such as a pair's, whose digits are no figures
    :return: the first figure that does not follow from what is known
    """
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(re.escape(name), " ", text, flags=re.IGNORECASE)
    for readings in _figures(text):
        if not any(known.holds(reading) for reading in readings):
            return readings[0].text
    return None


def measured(guarded: Guarded, facts: Facts, told: Mapping[str, Any]) -> Guarded:
    """
    :param told: what the judge was told, see ``prompt.data``
    :return: without notes that hold a figure of its own making
    """
    known = KnownFigures.of(told, facts.details)
    names = (facts.symbol, facts.base_asset, facts.symbol.split("/")[0])
    instead = {
        "liq_note": liq_note(facts),
        "trend_note": trend_note(facts),
        "news_note": news_note(len(told["news"]) if isinstance(told["news"], list) else None),
        "action_reason": reason_note(facts, guarded.news),
    }
    notes, changes = [], list(guarded.changes)
    for name, note in zip(NOTES, guarded.notes, strict=True):
        figure = invented(note, known, names)
        notes.append(note if figure is None else instead[name])
        if figure is not None:
            changes.append(f"{name} {REPLACED}: {figure} is in none of its inputs")
    liq, trend, news, reason = notes
    return replace(guarded, notes=(liq, trend, news, reason), changes=tuple(changes))


REPLACED = "replaced by what was measured"


def replaced(guarded: Guarded) -> int:
    """:return: how many of its notes ``measured`` replaced"""
    begins = tuple(f"{name} {REPLACED}: " for name in NOTES)
    return sum(change.startswith(begins) for change in guarded.changes)


def _figures(text: str) -> Iterator[list[_Figure]]:
    """Each with what it may mean: 5m is a timeframe, or five millions."""
    for match in _FIGURE.finditer(text):
        written = match["number"]
        value, step = _read(written)
        percent, after = bool(match["percent"]), match["after"] or ""
        small = value <= _MOST_COUNTED and value == int(value) and "." not in written
        before = text[: match.start()].rstrip()[-1:] or " "
        bare = small and not (percent or match["scale"] or before in _MEASURED)
        if bare and _COUNTED.match(after):
            continue
        shown = match[0] if not after else match[0][: match.start("after") - match.start()]
        name = _NAMED.search(text, 0, match.start())
        about = "" if name is None else name[1].lower()
        read = _Figure(shown.strip(" -"), value, step, percent, about)
        if not match["scale"]:
            yield [read]
            continue
        scale = _SCALES[match["scale"].lower()]
        scaled = replace(read, value=value * scale, step=step * scale)
        yield [scaled, read] if match["scale"].lower() == "m" else [scaled]
    for match in _SPELLED.finditer(text):
        if match["share"]:
            yield [_Figure(match[0], _WORDS[match["share"].lower()], 1.0, True)]
        else:
            scale = _SCALES[match["scale"].lower()]
            value = _WORDS[match["number"].lower()] * scale
            yield [_Figure(match[0], value, scale, False)]


def _read(written: str) -> tuple[float, float]:
    """:return: the number, and what its last digit that counts stands for"""
    digits = re.sub(r"[,_']", "", written)
    value = float(digits)
    if "." in digits:
        return value, 10.0 ** -len(digits.split(".")[1])
    zeros = len(digits) - len(digits.rstrip("0")) if value else 0
    # 1,600,000 is rounded; 10 and 100 are mostly meant as they are.
    return value, 10.0**zeros if zeros > 2 else 1.0


def _in_text(text: str) -> Iterator[float]:
    """Figures of a headline, also with the million that follows them."""
    for match in _NUMBER_IN_TEXT.finditer(text):
        yield float(match[0].replace(",", ""))
    for readings in _figures(text):
        yield from (reading.value for reading in readings)
