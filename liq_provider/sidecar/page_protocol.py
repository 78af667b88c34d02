"""What a sidecar tells a page about itself; which page that is, it does not know."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from liq_provider.core.liquidation import Liquidation
from liq_provider.exchange.bot_exchange import BotExchange
from liq_provider.sidecar.running_minute import Running
from liq_provider.sidecar.sidecar_config import SidecarConfig


class Page(Protocol):
    """Shows what a sidecar does. Nothing of this waits for a viewer."""

    async def start(self) -> None:
        """Serve, or say why not and go on without."""

    async def close(self) -> None:
        """End every connection."""

    def take_liquidations(self, orders: Sequence[Liquidation]) -> None:
        """:param orders: as they came"""

    def take_running(self, running: Running) -> None:
        """:param running: what the running minute shows so far"""

    def take_status(self, status: dict[str, Any]) -> None:
        """:param status: the sidecar's, see ``SelfReport``"""

    def report(self) -> dict[str, Any] | None:
        """
        :return: what the status says of it: its address, its viewers, its troubles. None if
            there is no page
        """


class Unwatched:
    """In place of a page, where none is wanted."""

    async def start(self) -> None:
        """There is nothing to serve."""

    async def close(self) -> None:
        """There is nothing to end."""

    def take_liquidations(self, orders: Sequence[Liquidation]) -> None:
        """:param orders: nobody looks at"""

    def take_running(self, running: Running) -> None:
        """:param running: nobody looks at"""

    def take_status(self, status: dict[str, Any]) -> None:
        """:param status: nobody looks at"""

    def report(self) -> None:
        """:return: that there is none"""


MakePage = Callable[
    [SidecarConfig, BotExchange, Callable[[], int], Callable[[], Mapping[str, str]]], Page
]
"""Makes one from the configuration, the bot's exchange, the clock and the names of the pairs."""
