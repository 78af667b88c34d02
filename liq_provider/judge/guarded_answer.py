"""What is left of a judge's answer, whether this sidecar asked or another one of its store."""

import json
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from liq_provider.errors import ModelFailure
from liq_provider.judge.guard import Guarded
from liq_provider.judge.matrix import Action, Confidence, News
from liq_provider.judge.verdict import Facts, Verdict
from liq_provider.judge.wave_facts import liq_note, reason_note, trend_note
from liq_provider.store.shared_questions import Claim
from liq_provider.store.vetoes import AGAINST_BEFORE


@dataclass(frozen=True, slots=True)
class GuardedAnswer:
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
            action_reason=reason or "no reason was given",
            available_at=available_at,
            expires_at=expires_at,
            news_key=self.news_key,
            downgrade=said.downgrade,
            guard=said.changes,
        )


def heard(claim: Claim, facts: Facts, knowledge_cutoff: date | None) -> GuardedAnswer:
    """
    What another sidecar was answered.

    :raises ModelFailure: nothing that can be used
    """
    row = claim.row
    if claim.kind == "vetoed":
        raise ModelFailure(AGAINST_BEFORE, "another sidecar heard that news is against the wave")
    if claim.kind == "failed":
        raise ModelFailure(row["outcome"], row["detail"], row["call_id"])
    judged = claim.kind == "judged"
    guarded, details = _read_verdict(row) if judged else _read_answer(row["answer"])
    call_id = json.loads(row["inputs"]).get("call_id", "") if judged else row["call_id"]
    return GuardedAnswer(
        replace(facts, details=details), guarded, row["news_key"], call_id, knowledge_cutoff
    )


def written(guarded: Guarded, asked: Facts) -> str:
    """:return: an answer for the other sidecars, as JSON"""
    return json.dumps(
        {
            "news": guarded.news.value,
            "action": guarded.action.value,
            "confidence": guarded.confidence.word,
            "downgrade": guarded.downgrade,
            "changes": guarded.changes,
            "notes": guarded.notes,
            "details": dict(asked.details),
        }
    )


def _read_answer(text: str) -> tuple[Guarded, dict[str, Any]]:
    """:return: what ``written`` wrote, with the numbers that it was asked about"""
    told = json.loads(text)
    return _guarded(told, told["changes"], told["notes"]), told["details"]


def _read_verdict(row: Any) -> tuple[Guarded, dict[str, Any]]:
    """:return: the same of a row of ``verdicts``"""
    notes = (row["liq_note"], row["trend_note"], row["news_note"], row["action_reason"])
    details = json.loads(row["inputs"])
    for own in ("call_id", "knowledge_cutoff"):
        details.pop(own, None)
    return _guarded(row, json.loads(row["guard"]), notes), details


def _guarded(told: Any, changes: Any, notes: Any) -> Guarded:
    liq, trend, news, reason = notes
    return Guarded(
        News(told["news"]),
        Action(told["action"]),
        Confidence.of(told["confidence"]),
        int(told["downgrade"]),
        tuple(changes),
        (liq, trend, news, reason),
    )
