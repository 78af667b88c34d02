"""What the bot says, once each, of a budget that is spent, and of what was lost or replaced."""

from collections.abc import Mapping
from typing import Any

from liq_provider.bot.messages import Message, code
from liq_provider.config.sections import MessageSettings
from liq_provider.core.durations import DAY_MS

# How long a limit of the model's budget keeps it silent.
_UNTIL = {
    "calls_per_minute": "for up to a minute",
    "calls_per_hour": "for up to an hour",
}
_TODAY = "until midnight UTC"

# A limit that refuses a question may be short of being reached by as much as that would take.
_NEARLY = 0.9


class BudgetAndLossNotices:
    """All of it is in the sidecar's status."""

    def __init__(self, settings: MessageSettings) -> None:
        self._settings = settings
        self._told: set[tuple[str, int]] = set()

    def all(self, sidecar: Mapping[str, Any], now_ms: int) -> list[Message]:
        """
        :param sidecar: the running sidecar's status
        :return: what was not told yet
        """
        told = (
            self.budget(sidecar, now_ms),
            self.news_budget(sidecar, now_ms),
            self.losses(sidecar, now_ms),
            self.replaced(sidecar),
        )
        return [message for message in told if message is not None]

    def budget(self, sidecar: Mapping[str, Any], now_ms: int) -> Message | None:
        """
        :param sidecar: the running sidecar's status
        :return: a message if the model's budget is spent, once a day for each limit
        """
        judge = sidecar.get("judge") or {}
        model = judge.get("model") or {}
        limit = _spent_limit(model)
        if limit is None or not self._first(limit, now_ms // DAY_MS):
            return None
        known = model["budget"]["spent"][limit]
        instead = (sidecar.get("settings") or {}).get("on_llm_unavailable")
        then = "judged by the matrix" if instead == "matrix" else "skipped"
        return Message(
            f"LiqTrend: the model's budget is spent, {code(f'llm.budget.{limit}', 40)} "
            f"{known['used']:,.10g} of {known['limit']:,.10g}. Waves are {then} "
            f"{_UNTIL.get(limit, _TODAY)}.",
            warning=True,
            send=self._settings.budget,
        )

    def news_budget(self, sidecar: Mapping[str, Any], now_ms: int) -> Message | None:
        """
        :param sidecar: the running sidecar's status
        :return: a message if the day's requests for news are spent, once a day
        """
        news = (sidecar.get("judge") or {}).get("news") or {}
        budget = news.get("budget") or {}
        if not budget.get("reached") or not self._first("news", now_ms // DAY_MS):
            return None
        known = budget["calls_per_day"]
        return Message(
            f"LiqTrend: the news is over its budget, {code('news.budget.calls_per_day', 40)} "
            f"{known['used']:,} of {known['limit']:,} (${budget['usd']:,.2f}). "
            f"News counts as not asked {_TODAY}.",
            warning=True,
            send=self._settings.budget,
        )

    def losses(self, sidecar: Mapping[str, Any], now_ms: int) -> Message | None:
        """
        :param sidecar: the running sidecar's status
        :return: a message if liquidations were lost, once a day for each run of the sidecar
        """
        lost = int(sidecar.get("lost") or 0)
        run = f"lost since {sidecar.get('started_ms')}"
        if not lost or not self._first(run, now_ms // DAY_MS):
            return None
        return Message(
            f"LiqTrend: {lost:,} liquidations were lost: neither store nor disk nor memory took "
            "them. Their minutes are unknown. Free space or see the sidecar's log.",
            warning=True,
            send=self._settings.data,
        )

    def replaced(self, sidecar: Mapping[str, Any]) -> Message | None:
        """
        :param sidecar: the running sidecar's status
        :return: a message if its store became another one, once each time
        """
        times = int(sidecar.get("store_replaced") or 0)
        if not times or not self._first(f"replaced since {sidecar.get('started_ms')}", times):
            return None
        return Message(
            "LiqTrend: the store was removed or replaced, and the sidecar serves the one that is "
            "there now. Entries wait for what that knows.",
            warning=True,
            send=self._settings.data,
        )

    def _first(self, what: str, number: int) -> bool:
        """:return: whether it is told for the first time, of this day or of so many times"""
        first = (what, number) not in self._told
        self._told.add((what, number))
        return first


def _spent_limit(model: Mapping[str, Any]) -> str | None:
    """
    The limit that keeps the model from being asked. A day's limit may refuse a question that no
    longer fits before it is reached, so with a refusal the fullest one is meant.
    """
    spent = (model.get("budget") or {}).get("spent", {})
    shares = {name: known["used"] / known["limit"] for name, known in spent.items()}
    days = [name for name, share in shares.items() if name.endswith("_per_day") and share >= 1]
    # The refusal is remembered until the next answer, so it may be that of yesterday.
    refused = model.get("unavailable") == "over budget"
    near = [name for name, share in shares.items() if refused and share >= _NEARLY]
    return max(days or near, key=lambda name: shares[name], default=None)
