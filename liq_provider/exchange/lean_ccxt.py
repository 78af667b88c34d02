"""
Of ccxt, only the exchanges that are asked.

Whoever imports any part of ccxt runs its ``__init__``, which loads the classes of some hundred
exchanges: 45 MB, of which a sidecar uses four. So a sidecar begins with a ``ccxt`` that has loaded
nothing yet, but finds its parts, and that becomes the whole one as soon as anybody wants more of it
than a part: a judge or a source of news of another package may. Classes and exceptions are ccxt's
own and the same objects, whoever imports them, and when.

For the process of a sidecar alone: a bot's has Freqtrade, which loads all of ccxt anyway.
"""

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from threading import RLock
from types import ModuleType
from typing import Any

_NAME = "ccxt"


class _LeanModule(ModuleType):
    """
    ``ccxt`` before its ``__init__`` was run.

    :param spec: where it is
    """

    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(_NAME)
        # What the import of a part asks of the whole.
        self.__spec__, self.__loader__, self.__file__ = spec, spec.loader, spec.origin
        self.__package__, self.__path__ = _NAME, list(spec.submodule_search_locations or ())
        self._completing = RLock()
        self._begun = False

    def __setattr__(self, name: str, value: Any) -> None:
        # Of an exchange's module and its class, which bear one name, ccxt shows the class.
        if not (isinstance(value, ModuleType) and hasattr(value, name)):
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__version__", "__all__"):
            raise AttributeError(f"module {_NAME!r} has no attribute {name!r}")
        with self._completing:  # others wait until all of it is there
            if type(self) is _LeanModule:
                self._complete(name)
        return getattr(self, name)

    def _complete(self, name: str) -> None:
        if self._begun:
            raise AttributeError(f"module {_NAME!r} has no attribute {name!r} yet")
        spec = self.__spec__
        assert spec is not None and spec.loader is not None
        self._begun = True
        try:
            spec.loader.exec_module(self)
        finally:
            self._begun = False
        # From here on a module like any other.
        self.__class__ = ModuleType  # type: ignore[assignment]


def load_lean() -> bool:
    """
    To be called before anything of ccxt is imported.

    :return: False if it is too late for that, or ccxt is not built as it is known to be; then
        ccxt is used as usual
    """
    spec = None if _NAME in sys.modules else find_spec(_NAME)
    if spec is None or spec.loader is None or not spec.submodule_search_locations:
        return False
    sys.modules[_NAME] = _LeanModule(spec)
    return True


def exchange_class(name: str) -> Any:
    """
    :param name: ccxt's, such as ``binance``
    :return: its class, None if ccxt has no such exchange; loads no other one
    """
    # An import would find what the configuration has a dot in, too, or a part that is no exchange.
    if not name.isidentifier() or find_spec(f"{_NAME}.{name}") is None:
        return None
    from ccxt.base.exchange import Exchange

    known = getattr(import_module(f"{_NAME}.{name}"), name, None)
    return known if isinstance(known, type) and issubclass(known, Exchange) else None
