"""The page's web server: in a thread of its own, so that no viewer ever holds up a feed."""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from sqlalchemy.engine import make_url

from liq_provider.config.parameter_file import parameter_file
from liq_provider.config.settings import Settings
from liq_provider.core import secret_keys
from liq_provider.core.liquidation import Liquidation
from liq_provider.core.own_loop import OwnLoop
from liq_provider.dashboard.account import Account, BotAddress
from liq_provider.dashboard.app import make_app
from liq_provider.dashboard.auth import Door
from liq_provider.dashboard.board import Board
from liq_provider.dashboard.connection_limits import Bounded, sweep
from liq_provider.dashboard.pair_painter import PairPainter
from liq_provider.dashboard.queries import PageReader
from liq_provider.errors import SettingsError
from liq_provider.exchange.bot_exchange import BotExchange, timeframe_ms
from liq_provider.sidecar.running_minute import Running
from liq_provider.sidecar.sidecar_config import SidecarConfig
from liq_provider.study.study_folder import study_dir

logger = logging.getLogger(__name__)

_BACKLOG = 128
_LEAST_TOKEN = 16
_LAST_WORDS_S = 0.5
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Dashboard:
    """
    :param api_server: Freqtrade's section of that name
    :param exchange: where the pair view's candles come from
    :param now_ms: exchange time
    :param names: gives the pair that stands for a coin there
    :param strategy: where Freqtrade finds the strategy, see ``parameter_file``
    :raises SettingsError: it would be open to the network without a token
    """

    def __init__(
        self,
        settings: Settings,
        store_url: str,
        base_dir: Path,
        api_server: Mapping[str, Any] | None,
        exchange: BotExchange,
        timeframe: str,
        now_ms: Callable[[], int],
        names: Callable[[], Mapping[str, str]],
        strategy: Mapping[str, Any] | None = None,
    ) -> None:
        self._settings = settings.dashboard
        self._door, self._hosts = door_of(self._settings.host)
        address = BotAddress.of(api_server)
        if settings.dashboard.bot_url is not None:
            known = address or BotAddress("", "", "")
            address = BotAddress(settings.dashboard.bot_url, known.username, known.password)
        url = make_url(store_url)
        file = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
        reader = PageReader(store_url)
        account = Account(address)
        self.board = Board(
            reader,
            settings,
            account,
            file,
            now_ms,
            names,
            exchange_simulated=exchange.simulated,
            timeframe_ms=timeframe_ms(timeframe),
            parameters=partial(parameter_file, strategy or {}, base_dir),
        )
        self._painter = PairPainter(
            reader, settings, exchange, timeframe, account, now_ms, lambda: self.board.in_force
        )
        self._study_dir = study_dir(store_url, base_dir)
        self._own = OwnLoop("page")
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._ending: asyncio.Event | None = None
        self.url: str | None = None
        self.error: str | None = None

    async def start(self) -> None:
        """Serve; if the port is taken, say so and go on without."""
        try:
            listener = _listen(self._settings.host, self._settings.port)
        except OSError as error:
            self.error = f"{self._settings.host}:{self._settings.port}: {error.strerror}"
            logger.warning(
                "No dashboard: %s (liq_provider.dashboard.port); another sidecar may serve it",
                self.error,
            )
            return
        host, port = listener.getsockname()[:2]
        try:
            await self._own.call(self._serve(listener))
        except Exception as error:
            # Whatever it is, recording does not depend on a page.
            self.error = repr(error)
            logger.exception("No dashboard")
            listener.close()
            return
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self.board.start()
        logger.info("Dashboard %s%s", self.url, " (token needed)" if self._door.locked else "")

    async def _serve(self, listener: socket.socket) -> None:
        self._ending = asyncio.Event()
        app = make_app(
            self.board, self._door, self._hosts, self._painter.draw, self._study_dir, self._ending
        )
        config = uvicorn.Config(
            app,
            http=Bounded,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=1,
            # The page sets its own cookie and trusts no proxy's word.
            proxy_headers=False,
            ws="none",
        )
        self._server = uvicorn.Server(config)
        # Signals belong to the sidecar.
        self._serving = asyncio.create_task(self._server._serve(sockets=[listener]))
        while not self._server.started and not self._serving.done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        if self._serving.done():
            self._serving.result()
            raise RuntimeError("the web server ended at once")
        self._sweeping = asyncio.create_task(sweep(self._server.server_state.connections))

    async def close(self) -> None:
        """End; viewers see that nobody is there."""
        try:
            if self.url is not None:
                await self._own.call(self._end())
                # A bot that is slow to answer must not hold up what else is to be ended.
                await asyncio.to_thread(self.board.close)
            await self._own.close()
        except Exception:
            logger.exception("The dashboard did not end properly")

    async def _end(self) -> None:
        """Streams end by themselves; who does not read to the end of it is cut off."""
        if self._ending is not None:
            self._ending.set()
        if self._sweeping is not None:
            self._sweeping.cancel()
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            state = self._server.server_state
            if state.tasks:
                await asyncio.wait(state.tasks, timeout=_LAST_WORDS_S)
            for connection in list(state.connections):
                connection.transport.abort()
            for task in list(state.tasks):
                task.cancel()
            await self._serving

    def report(self) -> dict[str, Any]:
        """:return: where it is, for the status"""
        return {"url": self.url, "error": self.error, "locked": self._door.locked}

    # -- from the sidecar --------------------------------------------------------------------

    def take_liquidations(self, orders: Sequence[Liquidation]) -> None:
        """What a feed delivered."""
        if self.url is None:
            return
        self.board.tape.put(orders)

    def take_running(self, running: Running) -> None:
        """What the running minute shows."""
        if self.url is None:
            return
        self.board.take_running(running)

    def take_status(self, status: Mapping[str, Any]) -> None:
        """The sidecar's status of this moment."""
        self.board.take_status(status)


def page_of(
    config: SidecarConfig,
    exchange: BotExchange,
    now_ms: Callable[[], int],
    names: Callable[[], Mapping[str, str]],
) -> Dashboard:
    """:return: the page of a sidecar, see ``sidecar.page_protocol.MakePage``"""
    return Dashboard(
        config.settings,
        config.store_url,
        config.base_dir,
        config.api_server,
        exchange,
        config.timeframe,
        now_ms,
        names,
        config.strategy,
    )


def door_of(host: str) -> tuple[Door, tuple[str, ...]]:
    """
    :param host: address that is listened on
    :return: who may look, and under which names
    :raises SettingsError: open to the network, and no token to ask for
    """
    token = secret_keys.key(secret_keys.TOKEN)
    if secret_keys.is_loopback(host):
        return Door(token), (*_LOOPBACK, host)
    if token is None:
        raise SettingsError(
            f"liq_provider.dashboard.host: {host} is not loopback; set {secret_keys.TOKEN} in the "
            "environment, or listen on 127.0.0.1"
        )
    if len(token) < _LEAST_TOKEN:
        raise SettingsError(
            f"{secret_keys.TOKEN}: has {len(token)} characters; use at least {_LEAST_TOKEN} where "
            "the page is open to the network"
        )
    return Door(token), ()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # At once: another sidecar that starts in this moment must find the port taken.
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
