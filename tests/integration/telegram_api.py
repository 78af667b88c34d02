"""
Telegram's Bot API on this machine, and the proxy that leads the unmodified bot to it.

Freqtrade asks ``https://api.telegram.org`` whatever it is told, so it is given a proxy
(``HTTPS_PROXY``) that ends every tunnel at this server, and a certificate (``SSL_CERT_FILE``)
that it believes. Messages that the real server would refuse are refused in its words.
"""

import asyncio
import contextlib
import json
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.bot.markdown import Refused, shown

NAME = "api.telegram.org"
TOKEN = "123456:stand-in"
CHAT = 4711

_HOLD_S = 1.0  # the real server holds an empty answer for longer; ending the bot would wait for it


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """:return: certificate and key files of a server of that name, signed by itself"""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now, public = datetime.now(UTC), key.public_key()
    usage = {"digital_signature": True, "key_cert_sign": True, "crl_sign": True}
    usage |= dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment"), False)
    usage |= dict.fromkeys(("key_agreement", "encipher_only", "decipher_only"), False)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    certificate_file, key_file = directory / "telegram.pem", directory / "telegram.key"
    certificate_file.write_bytes(certificate.public_bytes(pem))
    key_file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


@dataclass(frozen=True, slots=True)
class TelegramMessage:
    """
    A message of the bot.

    :param raw: as it was sent
    :param text: as its reader sees it
    :param at_s: when it arrived
    """

    raw: str
    text: str
    at_s: float


class FakeTelegram:
    """
    :param directory: the certificate goes there
    """

    def __init__(self, directory: Path) -> None:
        self.certificate, self._key = make_certificate(directory)
        self.sent: list[TelegramMessage] = []
        self.refused: list[str] = []
        self.unknown: list[str] = []
        self.asked: set[str] = set()
        self.tunnels: set[str] = set()
        self._updates: list[dict[str, Any]] = []
        self._number = 0
        self._port = 0
        self._proxy: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()

    @property
    def environment(self) -> dict[str, str]:
        """What leads the bot here, and nowhere else."""
        assert self._proxy is not None
        port = self._proxy.sockets[0].getsockname()[1]
        return {
            "HTTPS_PROXY": f"http://127.0.0.1:{port}",
            "NO_PROXY": "127.0.0.1,localhost",
            "SSL_CERT_FILE": str(self.certificate),
        }

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        app = web.Application()
        app.router.add_route("*", f"/bot{TOKEN}/{{method}}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        await self._runner.setup()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self._key)
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self._proxy = await asyncio.start_server(self._tunnel, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._proxy is not None
        self._proxy.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        await self._runner.cleanup()

    def say(self, command: str) -> None:
        """The owner types a command; may be called from any thread."""
        self._loop.call_soon_threadsafe(self._take, command)

    def having(self, part: str) -> list[TelegramMessage]:
        """:return: messages whose text has this in it"""
        return [message for message in list(self.sent) if part in message.text]

    # -- the Bot API ----------------------------------------------------------------------

    def _take(self, command: str) -> None:
        self._number += 1
        word = command.partition(" ")[0]
        message = self._message(command) | {
            "from": {"id": CHAT, "is_bot": False, "first_name": "Owner"},
            "entities": [{"type": "bot_command", "offset": 0, "length": len(word)}],
        }
        self._updates.append({"update_id": self._number, "message": message})
        self._arrived.set()

    def _message(self, text: str) -> dict[str, Any]:
        self._number += 1
        return {
            "message_id": self._number,
            "date": int(time.time()),
            "chat": {"id": CHAT, "type": "private"},
            "text": text,
        }

    async def _answer(self, request: web.Request) -> web.Response:
        method, form = request.match_info["method"], await request.post()
        self.asked.add(method)
        if method == "getMe":
            result: Any = {"id": 1, "is_bot": True, "first_name": "Bot", "username": "a_bot"}
        elif method == "deleteWebhook":
            result = True
        elif method == "getUpdates":
            result = await self._new(int(str(form.get("offset", 0))))
        elif method == "sendMessage":
            try:
                result = self._sent(str(form["text"]), form.get("parse_mode"))
            except Refused as error:
                self.refused.append(str(form["text"]))
                answer = {"ok": False, "error_code": 400, "description": str(error)}
                return web.json_response(answer, status=400)
        else:
            self.unknown.append(method)
            answer = {"ok": False, "error_code": 404, "description": "Not Found"}
            return web.json_response(answer, status=404)
        return web.json_response({"ok": True, "result": result})

    async def _new(self, offset: int) -> list[dict[str, Any]]:
        self._updates = [update for update in self._updates if update["update_id"] >= offset]
        if not self._updates:
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), _HOLD_S)
        return self._updates

    def _sent(self, raw: str, parse_mode: object) -> dict[str, Any]:
        text = shown(raw) if parse_mode == "Markdown" else raw
        self.sent.append(TelegramMessage(raw, text, time.time()))
        return self._message(text)

    # -- the proxy ------------------------------------------------------------------------

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target = head.split(b" ", 2)[:2]
        self.tunnels.add(target.decode())
        if (method, target) != (b"CONNECT", f"{NAME}:443".encode()):
            writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            writer.close()
            return
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        for source, sink in ((reader, inner_writer), (inner_reader, writer)):
            task = asyncio.create_task(_pump(source, sink))
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    except ConnectionError:
        pass
    finally:
        sink.close()


class Receiver:
    """A webhook's receiver; what it was sent is in ``posts``."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/hook", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.posts.append(json.loads(await request.text()))
        return web.Response()
