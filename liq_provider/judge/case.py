"""
What any judge is told, and what is left of what it says.

A model, and a judge that another package adds, are asked for an opinion about a case; whoever it
is, the guard caps it by the matrix, and its words hold measured figures only. How they are asked is
told in ``asked_judge``.
"""

from dataclasses import dataclass, replace
from typing import Protocol

from liq_provider.core.arrays import FloatArray
from liq_provider.judge import invented_figures, prompt
from liq_provider.judge.guard import Guarded, Opinion, guard
from liq_provider.judge.verdict import Facts
from liq_provider.news.desk import NewsSet


@dataclass(frozen=True, slots=True)
class Case:
    """
    One wave, as a judge is told it.

    :param facts: measured; no opinion changes them
    :param candles: of that pair, closed, oldest first; a row each of open, high, low, close
        and volume
    :param timeframe: of the candles, such as ``1m``
    :param news: of the coin
    :param asked_ms: now, milliseconds since 1970
    """

    facts: Facts
    candles: FloatArray
    timeframe: str
    news: NewsSet
    asked_ms: int

    def copy(self) -> "Case":
        """:return: the same, of which nothing that may be written to is shared"""
        facts = replace(self.facts, details=dict(self.facts.details))
        return replace(self, facts=facts, candles=self.candles.copy())


class Judge(Protocol):
    """Has an opinion about waves."""

    async def opinion(self, case: Case) -> Opinion:
        """
        :param case: about one wave; several may be asked about at the same time
        :return: about the same symbol and direction
        :raises JudgeError: there is none
        """
        ...


def capped(opinion: Opinion, case: Case) -> Guarded:
    """
    :return: what is left of the opinion
    :raises ModelFailure: it is about another symbol or direction
    """
    news = case.news
    guarded = guard(
        opinion,
        case.facts,
        news_found=news.found,
        steered=news.steered,
        uncarried=news.uncarried,
    )
    told = prompt.data(case.facts, case.candles, case.timeframe, news, case.asked_ms)
    return invented_figures.measured(guarded, case.facts, told)
