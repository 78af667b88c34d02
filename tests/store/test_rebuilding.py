"""What pruning does to the record of a model judge, and to what it may still cost."""

from liq_provider.config.sections import LlmSettings
from liq_provider.core.durations import DAY_MS
from liq_provider.judge.budget import Budget, Spent
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.store.helpers import MINUTE, T0, headline, model_call

NOW = T0 + 12 * 3_600_000
CUT = T0 - 2 * DAY_MS


def filled(writer: Writer) -> None:
    """Questions and headlines on both sides of the cut, by a word that each text holds."""
    for word, when_ms in (("distant", CUT - 30 * DAY_MS), ("old", CUT - 1), ("kept", CUT)):
        prompt, answer = f'[{{"content": "{word} prompt"}}]', f"{word} answer"
        writer.put_model_call(model_call(when_ms, prompt=prompt, answer=answer, detail=word))
        writer.put_news([headline(when_ms, title=f"{word} title", summary=word)])


def texts(reader: Reader) -> str:
    calls = reader.model_calls(0, NOW)
    return repr([*calls, *reader.news("BTC", 0, NOW)])


def test_prompts_answers_and_headlines_older_than_the_cut_vanish(
    writer: Writer, reader: Reader
) -> None:
    filled(writer)
    assert "distant prompt" in texts(reader) and "old title" in texts(reader)
    deleted = writer.prune(CUT + 30_000)  # a cut is that of its minute
    assert (deleted["model_calls"], deleted["news"]) == (2, 2)
    left = texts(reader)
    assert "distant" not in left and "old" not in left
    assert all(f"kept {what}" in left for what in ("prompt", "answer", "title"))


def test_a_budget_survives_a_cut_before_its_day(writer: Writer, reader: Reader) -> None:
    filled(writer)
    for n in range(3):
        writer.put_model_call(model_call(NOW - n * MINUTE, charged_tokens=1_000, cost_usd=0.5))
    # Not of this UTC day any more, but of those that a start reads.
    writer.put_model_call(model_call(NOW - DAY_MS + MINUTE))
    prices = {"price_in_usd": 1.0, "price_out_usd": 1.0}
    settings = LlmSettings.model_validate(prices | {"budget": {"calls_per_day": 3}})

    def report() -> dict[str, object]:
        """Of a sidecar that starts now."""
        past = [Spent(*row) for row in reader.model_spending(NOW - DAY_MS)]
        return Budget(settings, NOW, past).report(NOW)

    before = report()
    assert before["reached"] == ["calls_per_day"]
    writer.prune(NOW - DAY_MS)
    assert report() == before
