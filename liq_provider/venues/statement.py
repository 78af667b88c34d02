"""Whether what is stated as a ``Venue`` can be one: what it says is checked before it is used."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, get_type_hints
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from liq_provider.venues.base import Venue


@cache
def _model_of_fields() -> type[BaseModel]:
    """
    All that is stated, however deep, has to be of the kind that it is declared as. To make it takes
    longer than to read all venues.
    """
    config = ConfigDict(
        arbitrary_types_allowed=True,
        strict=True,
        revalidate_instances="always",
        allow_inf_nan=False,
    )
    fields: dict[str, Any] = {name: (kind, ...) for name, kind in get_type_hints(Venue).items()}
    return create_model("StatedVenue", __config__=config, **fields)


def fault_of(venue: Venue) -> str | None:
    """:return: the first field that makes it of no use, and why; None if there is none"""
    try:
        stated = _model_of_fields()
        stated.model_validate({name: getattr(venue, name) for name in stated.model_fields})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(map(str, first["loc"]))
        return f"{field}: {first['msg'].removeprefix('Input ')}"
    return next(_faults(venue), None)


def _faults(venue: Venue) -> Iterator[str]:
    """What is of the right kind and impossible all the same."""
    if not venue.title.strip():
        yield "title: is empty"
    if not venue.endpoints:
        yield "endpoints: there are none"
    for number, endpoint in enumerate(venue.endpoints):
        if not _is_websocket(endpoint.url):
            yield f"endpoints.{number}.url: must begin with wss:// or ws://"
        if endpoint.most_markets < 0:
            yield f"endpoints.{number}.most_markets: must not be negative"
    above = {"quiet_alone_s": venue.quiet_alone_s, "dialect.bucket_ms": venue.dialect.bucket_ms}
    if venue.heartbeat is not None:
        above["heartbeat.every_s"] = venue.heartbeat.every_s
    yield from (f"{name}: must be above 0" for name, value in above.items() if value <= 0)
    from_0 = {
        "latency_ms": venue.latency_ms,
        "max_age_s": venue.max_age_s,
        "quiet_beside_s": venue.quiet_beside_s,
        "dialect.delay_ms": venue.dialect.delay_ms,
    }
    yield from (f"{name}: must not be negative" for name, value in from_0.items() if value < 0)
    if not venue.markets.ccxt_id and venue.markets.listing is None:
        yield "markets: states neither ccxt_id nor listing"
    if venue.dialect.prefix and not re.fullmatch(r"(/[\w.-]+)+", venue.dialect.prefix):
        yield "dialect.prefix: must be a path such as /mine"


def _is_websocket(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("ws", "wss") and bool(parts.hostname)
    except ValueError:
        return False


def simulated_paths(venue: Venue) -> set[str]:
    """:return: where the simulator plays it, which has to be its own; names in paths left out"""
    own = (*(place.path for place in venue.socket_paths), *venue.dialect.rest)
    return {re.sub(r"\{[^}]*\}", "{}", venue.dialect.prefix + path) for path in own}
