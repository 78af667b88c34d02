"""A ccxt of which only what is asked for is loaded; each test in a process of its own."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.processes

BEGIN = """
import sys
from importlib import import_module
from types import ModuleType
from liq_provider.exchange.lean_ccxt import exchange_class, load_lean

def exchanges():
    names = (name for name in sys.modules if name.startswith("ccxt.") and name.count(".") == 1)
    return sorted(name for name in names if exchange_class(name[5:]))
"""


def said(code: str) -> str:
    """What a process of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_only_the_exchange_that_is_asked_is_loaded() -> None:
    code = """
assert load_lean()
from ccxt.base.errors import BaseError
exchange_class("okx")({})
print(exchanges())
"""
    assert said(code) == "['ccxt.okx']"


def test_whoever_wants_more_gets_the_whole_one_with_the_same_classes() -> None:
    code = """
assert load_lean()
from ccxt.base.errors import BadSymbol, BaseError
from ccxt.base.exchange import Exchange
before = exchange_class("binance")
import ccxt
from ccxt import binance, kraken
import ccxt.binance as imported
assert type(ccxt) is ModuleType and ccxt.__version__
assert binance is before is imported is ccxt.binance is ccxt.__dict__["binance"]
assert (BadSymbol, BaseError, Exchange) == (ccxt.BadSymbol, ccxt.BaseError, ccxt.Exchange)
assert isinstance(kraken({}), Exchange) and issubclass(kraken, Exchange)
assert set(ccxt.__all__) <= set(dir(ccxt))
try:
    ccxt.nothing
except AttributeError as error:
    print(error)
"""
    assert said(code) == "module 'ccxt' has no attribute 'nothing'"


@pytest.mark.parametrize(
    "wanted",
    [
        "import ccxt; ccxt.Exchange",
        "import ccxt; ccxt.exchanges",
        "from ccxt import bybit",
        "from ccxt import *",
        "import ccxt.bybit as bybit; bybit({})",
        "import ccxt.async_support as c; c.bybit",
        "import ccxt.pro as c; c.bybit",
    ],
)
def test_each_way_to_want_more_finds_it(wanted: str) -> None:
    code = f"""
assert load_lean()
exchange_class("bybit")
{wanted}
import ccxt
print(ccxt.kraken.__name__, len(ccxt.exchanges) == len(set(ccxt.exchanges)))
"""
    assert said(code) == "kraken True"


def test_several_threads_that_want_more_at_once_all_get_it() -> None:
    code = """
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
assert load_lean()
import ccxt
together = Barrier(8)
def want(number):
    together.wait()
    return getattr(ccxt, ("zaif", "kraken", "exchanges", "Exchange")[number % 4])
with ThreadPoolExecutor(8) as pool:
    got = list(pool.map(want, range(8)))
assert got[:4] == got[4:] == [ccxt.zaif, ccxt.kraken, ccxt.exchanges, ccxt.Exchange]
print(len(ccxt.exchanges) > 50)
"""
    assert said(code) == "True"


def test_every_exchange_is_found_and_nothing_else() -> None:
    code = """
from pathlib import Path
assert load_lean()
import ccxt
files = {path.stem for path in Path(ccxt.__path__[0]).iterdir()}
found = {name for name in files if exchange_class(name)}
assert found == set(ccxt.exchanges)
assert all(exchange_class(name) is getattr(ccxt, name) for name in found)
print([exchange_class(name) for name in ("", "nope", "base", "base.errors", "pro", "../x")])
"""
    assert said(code) == str([None] * 6)


def test_a_ccxt_that_is_loaded_already_stays_as_it_is() -> None:
    code = """
import ccxt
print(load_lean(), sys.modules["ccxt"] is ccxt, exchange_class("okx") is ccxt.okx)
"""
    assert said(code) == "False True True"
