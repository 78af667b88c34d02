"""The sections of LiqTrend's settings, each for one part of it."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from liq_provider.config.address import check_url, refuse_secrets
from liq_provider.core import plugins
from liq_provider.core.durations import HOUR_S
from liq_provider.errors import SettingsError
from liq_provider.measure.scales import PURITY, SCALES
from liq_provider.venues import NO_PUBLIC_FEED, VENUES, Venue

Share = Annotated[float, Field(gt=0, lt=1)]
Purity = Annotated[float, Field(ge=0.5, le=1)]

# Those that need no other package.
JUDGES: Final = ("auto", "llm", "matrix")
NEWS_SOURCES: Final = ("brave", "none", "rss")


class Section(BaseModel):
    """Knows its keys: one that is misspelt is refused. Cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class VenueSettings(Section):
    """
    One exchange feed.

    :param enabled: listen to this venue and count it
    :param url: websocket address; the venue's public one if empty
    :param rest_url: base address of its REST API for the market list; ccxt's own if empty
    """

    _venue: ClassVar[str | None] = None

    enabled: bool = True
    url: str | None = None
    rest_url: str | None = None

    @field_validator("url", "rest_url")
    @classmethod
    def _its_own(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None:
            try:
                check_url(value, info.field_name or "", cls._venue)
            except SettingsError as error:
                raise ValueError(str(error)) from None
        return value


def _public_url(value: str) -> str:
    """An http address that holds no secret."""
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        raise ValueError("is no address") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("must begin with http:// or https://")
    try:
        refuse_secrets(value)
    except SettingsError as error:
        raise ValueError(str(error)) from None
    return value


# A venue may be called as anything is that a class has.
_FIELD: Final = "venue_"


class VenueSections(Section):
    """The exchange feeds, by name."""

    model_config = ConfigDict(serialize_by_alias=True)

    @model_validator(mode="before")
    @classmethod
    def _explain_missing_feeds(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            for name in value:
                if name in NO_PUBLIC_FEED:
                    raise ValueError(
                        f"{name} publishes no public liquidation feed; "
                        f"remove it, the others are {', '.join(cls._names())}"
                    )
        return value

    @property
    def enabled(self) -> tuple[str, ...]:
        """Names of the enabled venues, sorted."""
        return tuple(sorted(name for name in self._names() if self.of(name).enabled))

    @classmethod
    def _names(cls) -> list[str]:
        return [field.removeprefix(_FIELD) for field in cls.model_fields]

    def of(self, name: str) -> VenueSettings:
        """:return: the settings of a venue"""
        section: VenueSettings = getattr(self, _FIELD + name)
        return section


def _section_of(venue: Venue) -> type[VenueSettings]:
    """A class for each, because its addresses are checked by what its file says."""
    section = create_model(
        f"VenueSettings_{venue.name}",
        __base__=VenueSettings,
        __module__=__name__,
        enabled=(bool, venue.default_on),
    )
    section._venue = venue.name
    # Where pickle looks for it.
    globals()[section.__name__] = section
    return section


def _made_of(venues: Iterable[Venue]) -> type[VenueSections]:
    sections = {venue.name: _section_of(venue) for venue in venues}
    fields: dict[str, Any] = {
        _FIELD + name: (section, Field(section(), alias=name)) for name, section in sections.items()
    }
    return create_model("Venues", __base__=VenueSections, __module__=__name__, **fields)


if TYPE_CHECKING:

    class Venues(VenueSections):
        """One field for each file in ``venues``."""

else:
    Venues = _made_of(VENUES.values())


class JudgeSettings(Section):
    """
    When a wave is judged, before the strategy applies its own thresholds.

    :param z_min: judge waves of at least this z
    :param purity_min: judge waves whose purity is above this share
    :param by: a model or the matrix; ``auto``: a model if there is a key or ``llm.base_url``; or
        one that an installed package adds (``liqtrend.judges``)
    """

    z_min: float = Field(SCALES["classic"].floor, ge=0, le=50)
    purity_min: Purity = PURITY.floor
    by: str = "auto"

    @field_validator("by")
    @classmethod
    def _known(cls, value: str) -> str:
        plugins.refuse_unknown(plugins.JUDGES, value, JUDGES)
        return value


class NewsBudgetSettings(Section):
    """
    :param calls_per_day: requests to Brave in a day of UTC; over it, news is not asked
    """

    calls_per_day: int = Field(200, ge=1, le=100_000)


class NewsSettings(Section):
    """
    Where headlines come from.

    :param provider: one of ours, or one that an installed package adds (``liqtrend.news``)
    :param feeds: RSS or Atom addresses, for ``provider: rss``
    :param min_sources: news supports a wave only if so many independent sources carry it
    :param cache_s: headlines of a coin are asked for again after that
    :param timeout_s: for one feed to be fetched and read, and for one answer of Brave
    :param calls_per_minute: requests to Brave; over it, news is not asked
    :param price_usd_per_1000: requests to Brave; feeds cost nothing
    """

    provider: str = "rss"
    brave_url: str = "https://api.search.brave.com/res/v1/news/search"
    feeds: tuple[str, ...] = (
        "https://www.coindesk.com/arc/outboundfeeds/rss/",
        "https://cointelegraph.com/rss",
        "https://decrypt.co/feed",
        "https://www.theblock.co/rss.xml",
    )
    max_age_hours: float = Field(24, gt=0, le=168)
    max_items: int = Field(8, ge=1, le=20)
    min_sources: int = Field(2, ge=1, le=20)
    cache_s: float = Field(300, ge=10, le=HOUR_S)
    timeout_s: float = Field(5, gt=0, le=30)
    calls_per_minute: int = Field(30, ge=1, le=1_000)
    budget: NewsBudgetSettings = NewsBudgetSettings()
    price_usd_per_1000: float = Field(5.0, ge=0, le=10_000)

    @field_validator("provider")
    @classmethod
    def _known(cls, value: str) -> str:
        plugins.refuse_unknown(plugins.NEWS, value, NEWS_SOURCES)
        return value

    @field_validator("brave_url")
    @classmethod
    def _plain_url(cls, value: str) -> str:
        return _public_url(value)

    @field_validator("feeds")
    @classmethod
    def _plain_urls(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_public_url(url) for url in value)

    @model_validator(mode="after")
    def _sources_fit(self) -> Self:
        if self.min_sources > self.max_items:
            raise ValueError(
                f"min_sources ({self.min_sources}) is more than max_items ({self.max_items}): "
                "no news could ever support a wave"
            )
        return self


class BudgetSettings(Section):
    """
    What the model may cost. A day is that of UTC.

    :param usd_per_day: needs the prices
    """

    calls_per_minute: int = Field(60, ge=1)
    calls_per_hour: int = Field(600, ge=1)
    calls_per_day: int = Field(2_000, ge=1)
    tokens_per_day: int = Field(3_000_000, ge=1_000)
    usd_per_day: float = Field(5.0, gt=0)


Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]


class LlmSettings(Section):
    """
    The model that judges, behind any OpenAI-compatible endpoint.

    :param base_url: up to and with ``/v1``; OpenAI's own if empty
    :param reasoning_effort: sent as it is; None: not sent
    :param knowledge_cutoff: the last day that it has read about, if its maker states it
    :param reasoning_tokens: that a model may think before the ``max_answer_tokens`` of an answer
    :param timeout_s: for one verdict, retries included
    :param concurrency: waves judged at the same time
    :param price_in_usd: USD per million prompt tokens; so is ``price_out_usd`` for answers
    :param breaker_failures: so many failures in a row stop asking for ``breaker_s``
    """

    base_url: str | None = None
    model: str = Field("gpt-6-luna", min_length=1, max_length=100)
    reasoning_effort: Effort | None = "none"
    reasoning_tokens: int = Field(0, ge=0, le=100_000)
    knowledge_cutoff: date | None = None
    timeout_s: float = Field(20, ge=1, le=300)
    concurrency: int = Field(16, ge=1, le=200)
    max_answer_tokens: int = Field(600, ge=100, le=32_000)
    price_in_usd: float | None = Field(None, ge=0)
    price_out_usd: float | None = Field(None, ge=0)
    budget: BudgetSettings = BudgetSettings()
    breaker_failures: int = Field(5, ge=1, le=1_000)
    breaker_s: float = Field(60, ge=1, le=HOUR_S)

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, value: str | None) -> str | None:
        return None if value is None else _public_url(value).rstrip("/")

    @model_validator(mode="after")
    def _both_prices(self) -> Self:
        if (self.price_in_usd is None) != (self.price_out_usd is None):
            raise ValueError("set both price_in_usd and price_out_usd, or none")
        return self

    @model_validator(mode="after")
    def _room_to_reason(self) -> Self:
        if self.reasoning_effort not in (None, "none") and not self.reasoning_tokens:
            raise ValueError(
                f"reasoning_effort {self.reasoning_effort} needs reasoning_tokens, such as 4000: "
                "thoughts are paid like answers, and leave no room for one"
            )
        return self

    @property
    def most_answer_tokens(self) -> int:
        """Thoughts and answer of one question together."""
        return self.max_answer_tokens + self.reasoning_tokens


class DashboardSettings(Section):
    """
    The web page that the sidecar serves.

    :param host: address to listen on; other than loopback it needs ``LIQ_PROVIDER_TOKEN``
    :param port: 0 for any free one
    :param bot_url: Freqtrade's REST API; that of Freqtrade's own configuration if empty
    """

    enabled: bool = True
    host: str = Field("127.0.0.1", min_length=1, max_length=255)
    port: int = Field(8686, ge=0, le=65_535)
    bot_url: str | None = None

    @field_validator("bot_url")
    @classmethod
    def _plain_url(cls, value: str | None) -> str | None:
        return None if value is None else _public_url(value).rstrip("/")


class MarketSettings(Section):
    """
    The list of pairs that the sidecar keeps for a RemotePairList of the whole market.

    :param file: where, from user_data's parent; written whenever Freqtrade's ``pairlists`` name it
    :param pairs: so many at most; each costs the bot a request at every candle
    :param keep_min: a coin stays for so long after its last wave
    """

    file: str = Field("user_data/liq_pairs.json", min_length=1, max_length=1_000)
    pairs: int = Field(25, ge=1, le=200)
    keep_min: float = Field(10, ge=1, le=240)

    @field_validator("file")
    @classmethod
    def _of_its_own(cls, value: str) -> str:
        if "://" in value or not value.isprintable():
            raise ValueError("is no path; write one such as user_data/liq_pairs.json")
        # It is written again and again, whatever was there.
        if not value.endswith("pairs.json"):
            raise ValueError("must end with pairs.json, such as user_data/liq_pairs.json")
        return value


class MessageSettings(Section):
    """
    What the bot says on Telegram and webhooks beside Freqtrade's own messages.

    :param waves: judged waves above the strategy's thresholds: all, or those that are entered
    :param trades: why a trade was closed
    :param data: liquidation data that goes stale or comes back, and settings that do not fit
    :param budget: the model, or the news, may not be asked any more today
    """

    waves: Literal["all", "enter", "none"] = "all"
    trades: bool = True
    data: bool = True
    budget: bool = True
