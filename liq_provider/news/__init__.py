"""Headlines about a coin: where they come from, and what of them is let through."""

from liq_provider.news.desk import NewsDesk, NewsSet
from liq_provider.news.item import NewsItem

__all__ = ["NewsDesk", "NewsItem", "NewsSet"]
