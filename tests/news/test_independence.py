"""What counts as one source, whatever is written in it."""

import pytest

from liq_provider.news.desk import NewsSet, set_key
from liq_provider.news.domains import origins
from liq_provider.news.feed_process import Story
from liq_provider.news.headline import NewsItem
from liq_provider.news.independence import independent
from liq_provider.news.rss import _entry


def story(title: str, *places: str, summary: str = "", source: str = "wire") -> NewsItem:
    return NewsItem(title, title, source, summary, 0, origins(*places))


def test_many_headlines_of_one_domain_are_one_source() -> None:
    titles = ("Bitcoin halted", "Exchange closes its doors", "Regulator moves against miners")
    hosts = ("https://a.evil.example/1", "https://b.evil.example/2", "http://evil.example/3")
    assert independent([story(*pair) for pair in zip(titles, hosts, strict=True)]) == 1


def test_headlines_of_different_domains_and_texts_are_several() -> None:
    items = [
        story("SEC sues the largest Bitcoin exchange", "https://one.example/a"),
        story("Bitcoin slides after lawsuit against exchange", "https://two.example/b"),
        story("Regulator takes a crypto venue to court", "https://three.example/c"),
    ]
    assert independent(items) == 3 and independent(items[:1]) == 1 and independent([]) == 0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            "Bitcoin exchange halts all withdrawals",
            "Bitcoin exchange halts all withdrawals - Yahoo",
        ),
        ("Bitcoin exchange halts all withdrawals", "BITCOIN: exchange halts ALL withdrawals!!"),
        ("Bitcoin exchange halts all withdrawals", "Breaking: Bitcoin exchange halts withdrawals"),
        ("Биткоин-биржа остановила вывод", "Биткоин-биржа остановила вывод средств"),
        (
            "ビットコイン取引所が出金を停止したと発表",
            "速報 ビットコイン取引所が出金を停止したと発表",
        ),
        ("Bitcoin", "bitcoin!"),
    ],
)
def test_the_same_text_on_two_domains_is_one_source(first: str, second: str) -> None:
    there, elsewhere = "https://one.example/", "https://two.example/"
    assert independent([story(first, there), story(second, elsewhere)]) == 1
    summaries = [
        story("One title about it", there, summary=first),
        story("Quite another headline", elsewhere, summary=second),
    ]
    assert independent(summaries) == 1


def test_a_short_title_makes_no_copy_of_others() -> None:
    items = [
        story("SEC sues the largest Bitcoin exchange", "https://one.example/"),
        story("Bitcoin", "https://short.example/"),
        story("Bitcoin slides after lawsuit by regulator", "https://two.example/"),
    ]
    assert independent(items) == 3


def test_copies_of_one_origin_are_one_source() -> None:
    items = [
        story("SEC sues exchange", "https://news.portal.example/1", "https://wire.example/x"),
        story("Exchange faces a lawsuit", "https://www.other.example/2", "https://wire.example/y"),
    ]
    assert independent(items) == 1


def test_records_without_domains_are_told_apart_by_what_they_call_themselves() -> None:
    items = [story("SEC sues exchange"), story("A lawsuit for a crypto venue")]
    assert independent(items) == 1


def _of(feed_url: str, host: str, *links: str) -> list[NewsItem]:
    titles = ("SEC sues exchange", "A lawsuit hits a crypto venue", "Withdrawals are halted")
    headlines = []
    for title, link in zip(titles, links, strict=False):
        item = _entry(Story(title, "", link, "", 1), "Wire", feed_url, host).item
        assert item is not None
        headlines.append(item)
    return headlines


def test_a_public_feed_is_one_source_whatever_it_links_to() -> None:
    links = ("https://reuters.example/1", "https://coindesk.example/2")
    assert independent(_of("https://evil.example/rss", "evil.example", *links)) == 1
    # Nor do two addresses help that lead to one place.
    first = _of("https://a.example/rss", "feeds.example", links[0])
    second = _of("https://b.example/rss", "feeds.example", "", links[1])
    assert independent([first[0], second[1]]) == 1


def test_a_feed_of_the_users_own_machine_tells_whom_it_collects_from() -> None:
    links = ("https://reuters.example/1", "https://coindesk.example/2")
    for url in ("http://127.0.0.1:1200/all", "http://rsshub:1200/all"):
        assert independent(_of(url, "127.0.0.1", *links)) == 2
        assert independent(_of(url, "127.0.0.1", "", "")) == 1, "of nobody but itself"


def test_a_set_says_by_how_few_it_is_carried() -> None:
    items = (story("SEC sues exchange", "a.example"), story("Crypto venue in court", "b.example"))
    assert NewsSet(items, set_key(items)).uncarried is None
    assert NewsSet(items[:1], "x").uncarried == "by 1 source"
    assert NewsSet(items, "x", min_sources=3).uncarried == "by 2 sources"
    assert NewsSet(items[:1], "x", min_sources=1).uncarried is None
