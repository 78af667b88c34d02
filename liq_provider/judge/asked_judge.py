"""
Whom the sidecar asks about a wave. Whoever it is stands behind one protocol: the matrix
(``matrix_judge``), a language model (``model``), or a judge of another package (``added_judges``).

What a ``Judge`` has an opinion about is a case, and he knows nothing of anybody else. Here he is
asked: in his turn, once among the sidecars of a store, and capped by the matrix.
"""

from typing import Any, Protocol

from liq_provider.core.arrays import FloatArray
from liq_provider.judge.guarded_answer import GuardedAnswer
from liq_provider.judge.verdict import Facts
from liq_provider.news.desk import NewsSet


class AskedJudge(Protocol):
    """Answers questions about waves."""

    @property
    def name(self) -> str:
        """What its verdicts bear."""
        ...

    @property
    def called(self) -> str:
        """It, in words."""
        ...

    @property
    def reads_news(self) -> bool:
        """Whether headlines are looked for; who reads none must not judge after a doubt."""
        ...

    @property
    def ahead_per_minute(self) -> int:
        """How many questions a minute may be asked before a minute is settled."""
        ...

    def prepare(self) -> None:
        """Load what the first question would otherwise wait for. May block."""
        ...

    def ahead_at_once(self) -> int:
        """:return: how many may be asked early at the same time; 0 if there is no use in it"""
        ...

    async def judge(
        self,
        facts: Facts,
        candles: FloatArray,
        news: NewsSet,
        until_ms: int | None = None,
        *,
        early: bool = False,
    ) -> GuardedAnswer:
        """
        :param until_ms: what has not been asked by then is not asked any more
        :param early: the minute that it is about is not settled yet
        :raises ModelFailure: no usable answer
        """
        ...

    def report(self) -> dict[str, Any] | None:
        """:return: what the status page shows of it; None: there is nothing to tell"""
        ...

    async def close(self) -> None:
        """Give up what is being asked, and put on record what was."""
        ...
