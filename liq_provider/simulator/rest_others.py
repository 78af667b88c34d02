"""Bybit's and OKX's public REST, as far as ccxt needs it to load linear swaps."""

from collections.abc import Callable
from decimal import Decimal

import orjson
from aiohttp import web

from liq_provider.core.durations import HOUR_MS
from liq_provider.simulator.listing import LISTED_MS
from liq_provider.simulator.market import SimulatedMarket
from liq_provider.simulator.symbols import SymbolSpec, plain


class OtherRest:
    """What Bybit and OKX say about the same market."""

    def __init__(self, market: SimulatedMarket, now_ms: Callable[[], int]) -> None:
        self._market = market
        self._now_ms = now_ms

    def routes(self) -> list[web.RouteDef]:
        """:return: routes for an aiohttp application"""
        return [
            web.get("/v5/market/time", self._bybit_time),
            web.get("/v5/market/instruments-info", self._bybit_instruments),
            web.get("/api/v5/public/time", self._okx_time),
            web.get("/api/v4/futures/usdt/contracts", self._gate_contracts),
            web.get("/api/v4/futures/btc/contracts", self._gate_no_contracts),
            web.get("/api/v4/futures/usdt/liq_orders", self._gate_liquidations),
            web.get("/api/v5/public/instruments", self._okx_instruments),
            web.get("/api/v5/public/liquidation-orders", self._okx_liquidations),
        ]

    async def _bybit_time(self, _: web.Request) -> web.Response:
        now = self._now_ms()
        result = {"timeSecond": str(now // 1000), "timeNano": str(now * 1_000_000)}
        return self._bybit(result)

    async def _bybit_instruments(self, request: web.Request) -> web.Response:
        category = request.query.get("category", "")
        if category not in ("linear", "inverse", "spot", "option"):
            return self._bybit({}, 10_001, "params error: category")
        # ccxt asks again for PreLaunch contracts; there are none, nor other categories.
        wanted = category == "linear" and request.query.get("status", "Trading") == "Trading"
        specs = self._market.symbols.values() if wanted else ()
        listed = [_bybit_instrument(spec) for spec in specs]
        return self._bybit({"category": category, "list": listed, "nextPageCursor": ""})

    def _bybit(self, result: object, code: int = 0, message: str = "OK") -> web.Response:
        return _json(
            {
                "retCode": code,
                "retMsg": message,
                "result": result,
                "retExtInfo": {},
                "time": self._now_ms(),
            }
        )

    async def _okx_time(self, _: web.Request) -> web.Response:
        return _okx([{"ts": str(self._now_ms())}])

    async def _gate_contracts(self, _: web.Request) -> web.Response:
        return _json([_gate_contract(spec) for spec in self._market.symbols.values()])

    async def _gate_no_contracts(self, _: web.Request) -> web.Response:
        return _json([])

    async def _gate_liquidations(self, request: web.Request) -> web.Response:
        """The history has the opposite sign of the stream, and seconds."""
        name = request.query.get("contract", "")
        from_s, to_s = int(request.query["from"]), int(request.query["to"])
        if to_s - from_s > 3_600:
            answer = {"label": "INVALID_PARAM_VALUE", "message": "at most one hour"}
            return web.Response(status=400, body=orjson.dumps(answer))
        rows = []
        until_ms = min(self._now_ms(), (to_s + 3) * 1000)
        for row in self._market.tape(from_s * 1000, until_ms):
            for item in orjson.loads(row.frame)["result"] if row.venue == "gate" else ():
                time_s = item["time"] // 1000
                if item["contract"] == name and from_s <= time_s <= to_s:
                    size = item["size"]
                    turned = size[1:] if size.startswith("-") else f"-{size}"
                    price = item["price"]
                    rows.append(
                        {"time": time_s, "contract": name, "size": turned, "fill_price": price}
                    )
        rows.sort(key=lambda found: -int(found["time"]))
        return _json(rows[: int(request.query.get("limit") or 100)])

    async def _okx_liquidations(self, request: web.Request) -> web.Response:
        """What was on the stream, heard or not; newest first, a page at a time."""
        family, now_ms = request.query.get("uly", ""), self._now_ms()
        after_ms = int(request.query.get("after") or now_ms)
        limit = min(int(request.query.get("limit") or 100), 100)
        details = []
        from_ms = max(after_ms - _OKX_LOOK_BACK_MS, 0)
        for row in self._market.tape(from_ms, min(now_ms, after_ms + 2_000)):
            for item in orjson.loads(row.frame)["data"] if row.venue == "okx" else ():
                if item["instFamily"] == family:
                    details += [d for d in item["details"] if int(d["ts"]) < after_ms]
        details.sort(key=lambda detail: -int(detail["ts"]))
        name = f"{family}-SWAP"
        answer: dict[str, object] = {
            "details": details[:limit],
            "instFamily": family,
            "instId": name,
            "instType": "SWAP",
            "uly": family,
        }
        return _okx([answer] if details else [])

    async def _okx_instruments(self, request: web.Request) -> web.Response:
        kind = request.query.get("instType", "")
        if kind not in ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION"):
            return _json({"code": "51000", "msg": "Parameter instType error", "data": []})
        specs = self._market.symbols.values() if kind == "SWAP" else ()
        return _okx([_okx_instrument(spec) for spec in specs])


def _gate_contract(spec: SymbolSpec) -> dict[str, object]:
    return {
        "name": spec.id_on("gate"),
        "type": "direct",
        "quanto_multiplier": spec.ct_val,
        "order_price_round": spec.tick,
        "mark_price_round": spec.tick,
        "leverage_min": "1",
        "leverage_max": "50",
        "maintenance_rate": "0.005",
        "order_size_min": 1,
        "order_size_max": 1_000_000,
        "taker_fee_rate": "0.0005",
        "maker_fee_rate": "0.0002",
        "in_delisting": False,
        "create_time": LISTED_MS // 1000,
    }


_OKX_LOOK_BACK_MS = 6 * HOUR_MS


def _bybit_instrument(spec: SymbolSpec) -> dict[str, object]:
    return {
        "symbol": spec.id_on("bybit"),
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": spec.base,
        "quoteCoin": spec.quote,
        "settleCoin": spec.quote,
        "launchTime": str(LISTED_MS),
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(spec.tick_digits),
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "50.00", "leverageStep": "0.01"},
        "priceFilter": {
            "minPrice": spec.tick,
            "maxPrice": plain(spec.price * 1_000),
            "tickSize": spec.tick,
        },
        "lotSizeFilter": {
            "maxOrderQty": "10000000",
            "minOrderQty": spec.step,
            "qtyStep": spec.step,
            "minNotionalValue": "5",
        },
        "unifiedMarginTrade": True,
        "fundingInterval": 480,
        "isPreListing": False,
    }


def _okx_instrument(spec: SymbolSpec) -> dict[str, object]:
    market_id = spec.id_on("okx")
    family = market_id.removesuffix("-SWAP")
    return {
        "alias": "",
        "baseCcy": "",
        "category": "1",
        "ctMult": "1",
        "ctType": "linear",
        "ctVal": spec.ct_val,
        "ctValCcy": spec.okx_base,
        "expTime": "",
        "instFamily": family,
        "instId": market_id,
        "instType": "SWAP",
        "lever": "50",
        "listTime": str(LISTED_MS),
        "lotSz": "0.01",
        "minSz": "0.01",
        "optType": "",
        "quoteCcy": "",
        "settleCcy": spec.quote,
        "state": "live",
        "stk": "",
        "tickSz": plain(Decimal(spec.tick) / spec.multiplier),
        "uly": family,
    }


def _okx(data: list[dict[str, object]] | list[dict[str, str]]) -> web.Response:
    return _json({"code": "0", "msg": "", "data": data})


def _json(value: object) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")
