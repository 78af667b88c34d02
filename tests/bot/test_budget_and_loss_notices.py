"""What the bot says of spent budgets, losses and a replaced store, and that it says it once."""

from typing import Any

import pytest

from liq_provider.bot.budget_and_loss_notices import BudgetAndLossNotices
from liq_provider.config.sections import MessageSettings

DAY_MS = 86_400_000


def notices(**switches: Any) -> BudgetAndLossNotices:
    return BudgetAndLossNotices(MessageSettings(**switches))


def sidecar(unavailable: str | None = None, instead: str = "skip", **used: float) -> dict[str, Any]:
    limits = {"calls_per_minute": 60, "calls_per_day": 2_000, "tokens_per_day": 3_000_000}
    limits["usd_per_day"] = 5
    spent = {name: {"used": used.get(name, 0), "limit": limit} for name, limit in limits.items()}
    model = {"unavailable": unavailable, "budget": {"spent": spent, "reached": []}}
    return {"judge": {"model": model}, "settings": {"on_llm_unavailable": instead}}


def test_a_spent_budget_is_told_once_a_day() -> None:
    own = notices()
    full = sidecar(calls_per_day=2_000)
    message = own.budget(full, 0)
    assert message is not None
    assert message.sendable == (
        "LiqTrend: the model's budget is spent, `llm.budget.calls_per_day` 2,000 of 2,000. "
        "Waves are skipped until midnight UTC."
    )
    assert message.warning
    assert own.budget(full, 1_000) is None
    assert own.budget(sidecar(), DAY_MS) is None
    assert own.budget(full, DAY_MS + 1) is not None


def test_a_question_that_no_longer_fits_is_a_spent_budget() -> None:
    refused = sidecar("over budget", "matrix", tokens_per_day=2_999_500, calls_per_minute=3)
    message = notices().budget(refused, 0)
    assert message is not None
    assert "`llm.budget.tokens_per_day` 2,999,500 of 3,000,000. Waves are judged by the matrix" in (
        message.sendable
    )


def test_a_full_minute_is_told_only_if_a_question_was_refused() -> None:
    own = notices()
    assert own.budget(sidecar(calls_per_minute=60), 0) is None
    message = own.budget(sidecar("over budget", calls_per_minute=60), 0)
    assert message is not None
    assert message.text.endswith("Waves are skipped for up to a minute.")


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"judge": None},
        {"judge": {"name": "matrix", "model": None}},
        sidecar("timeout"),
        sidecar("over budget"),  # that of yesterday
    ],
)
def test_without_a_spent_budget_nothing_is_told(status: dict[str, Any]) -> None:
    assert notices().budget(status, 0) is None


def test_the_budget_can_be_kept_to_the_log() -> None:
    message = notices(budget=False).budget(sidecar(usd_per_day=5.01), 0)
    assert message is not None
    assert not message.send
    assert "5.01 of 5." in message.text


def news(used: int) -> dict[str, Any]:
    calls = {"used": used, "limit": 200}
    budget = {"calls_per_day": calls, "usd": used * 0.005, "reached": used >= 200}
    return {"judge": {"news": {"budget": budget}}}


def test_a_spent_budget_of_the_news_is_told_once_a_day() -> None:
    own = notices()
    assert own.news_budget({}, 0) is None and own.news_budget(news(199), 0) is None
    message = own.news_budget(news(200), 0)
    assert message is not None and message.warning
    assert message.sendable == (
        "LiqTrend: the news is over its budget, `news.budget.calls_per_day` 200 of 200 ($1.00). "
        "News counts as not asked until midnight UTC."
    )
    assert own.news_budget(news(200), 1_000) is None
    assert own.news_budget(news(200), DAY_MS) is not None


def test_losses_are_told_once_a_day_and_a_replaced_store_each_time() -> None:
    own = notices()
    fine = {"started_ms": 1, "lost": 0, "store_replaced": 0}
    assert own.losses({}, 0) is None and own.losses(fine, 0) is None
    assert own.replaced({}) is None and own.replaced(fine) is None
    lost = own.losses(fine | {"lost": 1_200}, 0)
    assert lost is not None and lost.warning
    assert "1,200 liquidations were lost" in lost.sendable
    assert own.losses(fine | {"lost": 5_000}, 1_000) is None
    assert own.losses(fine | {"lost": 5_000}, DAY_MS) is not None
    assert own.losses(fine | {"lost": 7, "started_ms": 2}, DAY_MS) is not None
    first = own.replaced(fine | {"store_replaced": 1})
    assert first is not None and "removed or replaced" in first.sendable
    assert own.replaced(fine | {"store_replaced": 1}) is None
    assert own.replaced(fine | {"store_replaced": 2}) is not None


def test_all_of_them_are_told_in_one_loop() -> None:
    own = notices()
    status = sidecar(calls_per_day=2_000)
    status["judge"] |= news(200)["judge"]
    status |= {"started_ms": 1, "lost": 3, "store_replaced": 1}
    said = [message.text for message in own.all(status, 0)]
    parts = ("model's budget", "news is over", "3 liquidations were lost", "store was removed")
    assert [part in text for part, text in zip(parts, said, strict=True)] == [True] * 4
    assert own.all(status, 1_000) == []
