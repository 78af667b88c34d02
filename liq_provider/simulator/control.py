"""The simulator's own address space, ``/sim``: state, tape, faults, orders, prices, script."""

from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import orjson
from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from liq_provider.core import secret_keys
from liq_provider.core.liquidation import PositionSide
from liq_provider.simulator.faults import FaultKind
from liq_provider.simulator.market import TapeRow
from liq_provider.venues import VENUES

if TYPE_CHECKING:
    from liq_provider.simulator.exchange_server import Simulator


def _known(name: str) -> str:
    if name not in VENUES:
        raise ValueError(f"{name!r} is none of {', '.join(VENUES)}")
    return name


VenueName = Annotated[str, AfterValidator(_known)]

# As much as arithmetic with prices, times and USD takes without trouble.
_Seconds = Annotated[float, Field(ge=0, le=31_536_000)]
_Amount = Annotated[float, Field(gt=0, le=1e15)]
_MOST_MS = 2**53


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class FaultRequest(_Request):
    """
    :param seconds: how long; 0 for a single disconnection
    :param status: HTTP status of ``http_error`` and ``refuse``
    :param delay_s: how long ``late`` holds frames back, in seconds
    """

    venue: VenueName
    kind: FaultKind
    seconds: _Seconds = 0.0
    status: int = Field(default=451, ge=400, le=599)
    delay_s: _Seconds = 0.0


class OrderRequest(_Request):
    """
    :param symbol: the market's name inside the simulator
    :param price: fill price; the market's if left out
    :param quantity: in base units; or ``notional_usd``
    :param event_ms: trade time that the frame states; now if left out
    """

    venue: VenueName
    symbol: str
    position_side: PositionSide
    price: _Amount | None = None
    quantity: _Amount | None = None
    notional_usd: _Amount | None = None
    event_ms: int | None = Field(default=None, ge=0, le=_MOST_MS)

    @model_validator(mode="after")
    def _one_size(self) -> "OrderRequest":
        if (self.quantity is None) == (self.notional_usd is None):
            raise ValueError("give either quantity or notional_usd")
        return self


class PriceRequest(_Request):
    """
    :param to_price: new price; or ``to_pct``, a change in percent
    :param over_s: how long it takes, in seconds; 0 is a gap
    """

    symbol: str
    to_price: _Amount | None = None
    to_pct: float | None = Field(default=None, gt=-100, le=1e6)
    over_s: _Seconds = 0.0

    @model_validator(mode="after")
    def _one_target(self) -> "PriceRequest":
        if (self.to_price is None) == (self.to_pct is None):
            raise ValueError("give either to_price or to_pct")
        return self


def foreign(host: str, origin: str | None) -> str | None:
    """
    Another site's page that is open in a browser here must not steer the exchange, not even
    through a name of its own that points to this machine.

    :param host: the header ``Host``
    :param origin: the header ``Origin``, which programs do not send
    :return: what is wrong, None if it is a request of this machine
    """
    if not secret_keys.is_loopback(_name_in(f"//{host}")):
        return "this exchange is asked for by the name of this machine only"
    if origin is not None and not secret_keys.is_loopback(_name_in(origin)):
        return "another site's page may not ask for this"
    return None


def _name_in(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def control_routes(sim: "Simulator") -> list[web.RouteDef]:
    """:return: routes that turn requests into calls of the simulator's methods"""

    async def state(_: web.Request) -> object:
        return sim.state()

    async def tape(request: web.Request) -> object:
        now = sim.now_ms()
        from_ms = max(int(request.query.get("from_ms", sim.market.first_ms)), 0)
        to_ms = min(int(request.query.get("to_ms", now)), now)
        rows = sim.market.tape(from_ms, to_ms)
        lines = [orjson.dumps(_as_json(row), option=orjson.OPT_APPEND_NEWLINE) for row in rows]
        return web.Response(body=b"".join(lines), content_type="application/x-ndjson")

    async def fault(request: web.Request) -> object:
        order = FaultRequest.model_validate_json(await request.read())
        sim.fault(**order.model_dump())
        return {"ok": True}

    async def clear(_: web.Request) -> object:
        sim.clear_faults()
        return {"ok": True}

    async def liquidations(request: web.Request) -> object:
        body = orjson.loads(await request.read())
        orders = [OrderRequest.model_validate(order) for order in _as_list(body)]
        return {"ok": True, "injected": sim.liquidate(orders)}

    async def price(request: web.Request) -> object:
        order = PriceRequest.model_validate_json(await request.read())
        return {"ok": True, "to_price": sim.set_price(**order.model_dump())}

    async def begin(_: web.Request) -> object:
        return {"ok": True, "close_ms": sim.market.begin(sim.now_ms())}

    return [
        web.get("/sim/state", _answered(state)),
        web.get("/sim/tape", _answered(tape)),
        web.post("/sim/fault", _answered(fault)),
        web.delete("/sim/fault", _answered(clear)),
        web.post("/sim/liquidations", _answered(liquidations)),
        web.post("/sim/price", _answered(price)),
        web.post("/sim/begin", _answered(begin)),
    ]


def _as_json(row: TapeRow) -> dict[str, object]:
    """As recordings are: a frame that is no text in Base64."""
    frame: dict[str, object] = {"frame": row.frame}
    if isinstance(row.frame, bytes):
        frame = {"frame_base64": b64encode(row.frame).decode()}
    stated = {"venue": row.venue, "received_ms": row.received_ms}
    return {**stated, **frame, "simulated": row.simulated}


def _as_list(body: object) -> list[object]:
    if not isinstance(body, list):
        raise ValueError("a list of liquidations is expected")
    return body


def _answered(
    handler: Callable[[web.Request], Awaitable[object]],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Turn values into JSON and complaints about the input into 400 with the reason."""

    async def wrapped(request: web.Request) -> web.StreamResponse:
        try:
            value = await handler(request)
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False, include_input=False)
            return _json({"ok": False, "errors": details}, 400)
        except ValueError as error:  # broken JSON is one of them
            return _json({"ok": False, "error": str(error)}, 400)
        return value if isinstance(value, web.StreamResponse) else _json(value, 200)

    return wrapped


def _json(value: object, status: int) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")
