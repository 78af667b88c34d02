"""What is left of a model's answer, whether this sidecar asked or another one of its store."""

import json
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from liq_provider.errors import ModelFailure
from liq_provider.judge.docket import read_answer, read_verdict
from liq_provider.judge.guard import Guarded
from liq_provider.judge.rules import liq_note, reason_note, trend_note
from liq_provider.judge.verdict import Facts, Verdict
from liq_provider.store.refusals import AGAINST_BEFORE
from liq_provider.store.shared_questions import Claim


@dataclass(frozen=True, slots=True)
class Judgement:
    """
    What is left of one answer after the guard; a verdict when its minute is settled.

    :param asked: the facts that it was asked about
    :param call_id: of the question in ``model_calls``; empty if it was not to a model
    :param knowledge_cutoff: of the model, if the user states it
    """

    asked: Facts
    guarded: Guarded
    news_key: str
    call_id: str
    knowledge_cutoff: date | None = None

    def verdict(self, facts: Facts, judge: str, available_at: int, expires_at: int) -> Verdict:
        """
        :param facts: of the settled minute; strength and alignment must be those asked about
        """
        said = self.guarded
        liq, trend, on_news, reason = said.notes
        if self.asked.details != facts.details:
            # Asked while the minute ran: the numbers in its words are not those that count.
            liq = trend = ""
            if any(character.isdigit() for character in reason):
                reason = reason_note(facts, said.news)
        record: dict[str, Any] = {"call_id": self.call_id} if self.call_id else {}
        if self.knowledge_cutoff is not None:
            record["knowledge_cutoff"] = self.knowledge_cutoff.isoformat()
        return Verdict(
            facts=replace(facts, details={**facts.details, **record}),
            judge=judge,
            news=said.news,
            action=said.action,
            confidence=said.confidence,
            liq_note=liq or liq_note(facts),
            trend_note=trend or trend_note(facts),
            news_note=on_news,
            action_reason=reason or "the model gave no reason",
            available_at=available_at,
            expires_at=expires_at,
            news_key=self.news_key,
            downgrade=said.downgrade,
            guard=said.changes,
        )


def heard(found: Claim, facts: Facts, knowledge_cutoff: date | None) -> Judgement:
    """
    What another sidecar was answered.

    :raises ModelFailure: nothing that can be used
    """
    row = found.row
    if found.kind == "vetoed":
        raise ModelFailure(AGAINST_BEFORE, "another sidecar heard that news is against the wave")
    if found.kind == "failed":
        raise ModelFailure(row["outcome"], row["detail"], row["call_id"])
    judged = found.kind == "judged"
    guarded, details = read_verdict(row) if judged else read_answer(row["answer"])
    call_id = json.loads(row["inputs"]).get("call_id", "") if judged else row["call_id"]
    return Judgement(
        replace(facts, details=details), guarded, row["news_key"], call_id, knowledge_cutoff
    )
