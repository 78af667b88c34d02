"""What is asked of the venues by REST."""

from dataclasses import replace
from typing import Any

import pytest
import requests

from liq_provider.config.settings import load_settings
from liq_provider.errors import FeedError
from liq_provider.exchange import venue_rest
from liq_provider.exchange.venue_rest import fetch_of, load_venue_markets
from liq_provider.venues import VENUES


class AnsweringSession(requests.Session):
    """Answers everything, and asks nobody."""

    def get(self, url: Any, **more: Any) -> Any:
        return self

    def raise_for_status(self) -> None:
        return None

    def json(self) -> Any:
        return []


@pytest.mark.parametrize(("stated_s", "waited_s"), [(0.0, 0.2), (20.0, 20.0)])
def test_a_history_that_allows_few_questions_is_asked_at_its_own_pace(
    stated_s: float, waited_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(venue_rest.time, "sleep", waits.append)
    okx = VENUES["okx"]
    assert okx.history is not None
    slow = replace(okx, history=replace(okx.history, pause_s=stated_s))
    settings = load_settings({}, {}).venues.of("okx")
    with AnsweringSession() as session:
        assert fetch_of(slow, settings, session)("/path", {}) == []
    assert waits == [waited_s]


def test_a_venue_that_names_no_exchange_of_ccxt_is_refused_by_that_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    okx = VENUES["okx"]
    unknown = replace(okx, markets=replace(okx.markets, ccxt_id="nowhere"))
    monkeypatch.setitem(VENUES, "okx", unknown)
    with pytest.raises(FeedError, match="ccxt has no exchange 'nowhere'"):
        load_venue_markets("okx", load_settings({}, {}).venues.of("okx"))
