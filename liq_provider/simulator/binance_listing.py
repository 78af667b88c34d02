"""What Binance says about a listed contract."""

from liq_provider.simulator.symbols import SymbolSpec
from liq_provider.venues.dialect import LISTED_MS, plain

FAR_AWAY_MS = 4_133_404_800_000  # Binance's delivery date of what is never delivered


def symbol_info(spec: SymbolSpec) -> dict[str, object]:
    """:return: the contract's entry in ``exchangeInfo``"""
    return {
        "symbol": spec.id_on("binance"),
        "pair": spec.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": FAR_AWAY_MS,
        "onboardDate": LISTED_MS,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": spec.base,
        "quoteAsset": spec.quote,
        "marginAsset": spec.quote,
        "pricePrecision": spec.tick_digits,
        "quantityPrecision": spec.step_digits,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "filters": _filters(spec),
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def _filters(spec: SymbolSpec) -> list[dict[str, object]]:
    most = plain(float(10_000_000 if spec.price < 100 else 10_000))
    lot = {"stepSize": spec.step, "maxQty": most, "minQty": spec.step}
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": spec.tick,
            "maxPrice": plain(spec.price * 1_000),
            "tickSize": spec.tick,
        },
        {"filterType": "LOT_SIZE", **lot},
        {"filterType": "MARKET_LOT_SIZE", **lot},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MIN_NOTIONAL", "notional": "5"},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": "1.1500",
            "multiplierDown": "0.8500",
            "multiplierDecimal": "4",
        },
    ]
