"""What a model may cost."""

import pytest

from liq_provider.config.sections import BudgetSettings, LlmSettings
from liq_provider.core.durations import DAY_MS
from liq_provider.errors import ModelFailure
from liq_provider.judge.breaker import Breaker
from liq_provider.judge.budget import Budget, Spent
from liq_provider.store.shared_questions import Totals

T = 20_000 * DAY_MS + 3_600_000


def settings(**budget: float) -> LlmSettings:
    return LlmSettings.model_validate(
        {"price_in_usd": 1.0, "price_out_usd": 4.0, "max_answer_tokens": 500, "budget": budget}
    )


def refused(budget: Budget, now_ms: int = T, size: int = 2_000) -> str:
    with pytest.raises(ModelFailure, match="over budget") as failure:
        budget.reserve(size, now_ms)
    return failure.value.detail


def test_calls_are_counted_by_minute_hour_and_day() -> None:
    budget = Budget(settings(calls_per_minute=2, calls_per_hour=3, calls_per_day=4), T)
    for at in (T, T + 1):
        budget.settle(budget.reserve(10, at), (1, 1))
    assert "calls_per_minute (2)" in refused(budget, T + 2)
    budget.settle(budget.reserve(10, T + 61_000), (1, 1))
    assert "calls_per_hour (3)" in refused(budget, T + 200_000)
    budget.settle(budget.reserve(10, T + 3_700_000), (1, 1))
    assert "calls_per_day (4)" in refused(budget, T + 3_900_000)
    budget.reserve(10, T + DAY_MS)


def test_calls_at_the_same_time_cannot_overspend_together() -> None:
    budget = Budget(settings(tokens_per_day=3_500), T)
    held = [budget.reserve(2_000, T), budget.reserve(2_000, T)]  # 1,500 tokens each at most
    assert "tokens_per_day" in refused(budget)
    for item in held:
        budget.settle(item, (100, 100))
    budget.reserve(2_000, T)


def test_a_sidecar_on_its_own_and_a_store_refuse_by_one_rule(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    budget, asked = Budget(settings(calls_per_hour=9), T), []

    def reached(totals: Totals, limits: BudgetSettings, tokens: int, usd: float) -> str:
        asked.append((totals, limits.calls_per_hour, tokens, usd))
        return "usd_per_day"

    budget.settle(budget.reserve(2_000, T), (1_000, 500))
    budget.reserve(2_000, T)
    monkeypatch.setattr(Totals, "reached", reached)
    assert "usd_per_day" in refused(budget)
    ((totals, *further),) = asked
    # One that is paid, and one that runs and may take as much as the next.
    assert totals == Totals(2, 2, 2, 3_000, pytest.approx(0.006))
    assert further == [9, 1_500, pytest.approx(0.003)]


def test_money_follows_the_prices() -> None:
    budget = Budget(settings(usd_per_day=0.01), T)
    assert budget.settle(budget.reserve(2_000, T), (1_000, 500)) == pytest.approx(0.003)
    assert budget.settle(budget.reserve(2_000, T), None) == pytest.approx(0.003)
    assert budget.settle(budget.reserve(2_000, T), (1_000, 500)) == pytest.approx(0.003)
    assert "usd_per_day" in refused(budget)
    assert budget.report(T)["spent"]["usd_per_day"]["used"] == pytest.approx(0.009)


def test_without_prices_money_is_unknown() -> None:
    budget = Budget(LlmSettings(), T)
    assert budget.settle(budget.reserve(2_000, T), (1_000, 500)) is None
    assert "usd_per_day" not in budget.report(T)["spent"]


def test_a_restart_refills_nothing() -> None:
    past = [Spent(T - 1_000, 1, 900, 0.4), Spent(T - DAY_MS, 1, 5_000, 9.0)]
    budget = Budget(settings(calls_per_minute=1, usd_per_day=0.41), T, past)
    assert "calls_per_minute" in refused(budget)
    assert budget.report(T)["spent"]["tokens_per_day"]["used"] == 900
    assert budget.report(T)["reached"] == ["calls_per_minute"]


def test_repeated_requests_count_after_a_restart_as_they_did_before() -> None:
    budget = Budget(settings(calls_per_minute=4, calls_per_day=100), T)
    for _ in range(3):
        budget.settle(budget.reserve(10, T - 1_000), (1, 1))
    past = Spent(T - 1_000, 3, 6, 1.5e-5)
    again = Budget(settings(calls_per_minute=4, calls_per_day=100), T, [past])
    assert again.report(T) == budget.report(T)
    assert again.this_minute(T) == 3


def test_more_than_a_limit_allows_now_is_remembered_in_full() -> None:
    past = [Spent(T - 1_000, 9, 6, 0)]
    budget = Budget(settings(calls_per_minute=4), T, past)
    assert budget.this_minute(T) == 9
    assert "calls_per_minute" in refused(budget)


def test_the_circuit_opens_tries_once_and_closes() -> None:
    now = [T]
    breaker = Breaker(2, 60, lambda: now[0])
    for _ in range(2):
        breaker.enter()
        breaker.failed()
    assert breaker.state == "open"
    with pytest.raises(ModelFailure, match="circuit open"):
        breaker.enter()
    now[0] += 60_000
    breaker.enter()
    with pytest.raises(ModelFailure, match="circuit open"):
        breaker.enter()  # one at a time
    breaker.failed()
    assert breaker.state == "open"
    now[0] += 60_000
    breaker.enter()
    breaker.succeeded()
    assert breaker.state == "closed"
    breaker.enter()
