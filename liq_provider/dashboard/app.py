"""The routes of the page; everything that it shows comes from the board or from one question."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs

import orjson
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles

from liq_provider import __version__
from liq_provider.config.pair_list_file import PAGE_PATH
from liq_provider.core.durations import DAY_S
from liq_provider.dashboard.auth import COOKIE, DAYS, Door
from liq_provider.dashboard.blocking_questions import BlockingQuestions
from liq_provider.dashboard.board import Board
from liq_provider.dashboard.charts import library
from liq_provider.dashboard.connection_limits import ENDLESS
from liq_provider.dashboard.market_rows import SEGMENT, WINDOWS_MIN
from liq_provider.dashboard.shield import Shield, too_many
from liq_provider.dashboard.signals import record
from liq_provider.dashboard.tape import KEPT
from liq_provider.dashboard.token_guesses import Guesses, client_of
from liq_provider.errors import LiqError, UsageError

_STATIC = Path(__file__).parent / "static"
_SECTIONS = ("status", "account", "signals", "waves", "problem store", "problem bot")
_EVERY_S = 0.2
_BEAT_S = 2.0
_LOGIN_BYTES = 4_096
_WRONG_TOKEN_S = 1.0
_PAIRS = 200

_FORM = "application/x-www-form-urlencoded"

# Names as markets have them, in any script; nothing that a database would stumble over.
_Hours = Annotated[float, Query(ge=0.5, le=24, allow_inf_nan=False)]
_Coin = Annotated[str, Query(pattern=r"^[^\s\x00-\x1f\x7f/:]{1,40}$")]
_Pair = Annotated[str, Query(pattern=r"^[^\s\x00-\x1f\x7f/:]{1,40}/[A-Z0-9]{1,10}:[A-Z0-9]{1,10}$")]
_Ms = Annotated[int, Query(ge=0, le=2**53)]
DrawPair = Callable[[str, float, str], str]


def make_app(
    board: Board,
    door: Door,
    hosts: tuple[str, ...],
    draw_pair: DrawPair,
    study_dir: Path,
    ending: asyncio.Event,
) -> Shield:
    """
    :param draw_pair: pair, hours and theme -> plotly figure as JSON
    :param study_dir: where ``liq-provider study`` writes
    :param ending: set when streams must end
    """
    app = FastAPI(title="LiqTrend", docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    guesses = Guesses()
    _pages(app, door, guesses)
    _data(app, board, draw_pair, study_dir, BlockingQuestions())

    @app.get("/api/stream")
    async def stream(request: Request, window: _Ms = SEGMENT) -> StreamingResponse:
        request.scope["state"][ENDLESS] = True
        chosen = window if window in (SEGMENT, *WINDOWS_MIN) else SEGMENT
        return StreamingResponse(events(board, chosen, ending), media_type="text/event-stream")

    return Shield(app, door, guesses, ending, hosts)


def _pages(app: FastAPI, door: Door, guesses: Guesses) -> None:
    @app.get("/")
    async def page() -> FileResponse:
        return FileResponse(_STATIC / "index.html")

    @app.get("/plotly.js")
    def plotly() -> Response:
        # The library is the same for months; the page is not.
        headers = {"Cache-Control": f"private, max-age={DAY_S}"}
        return Response(library(), media_type="text/javascript", headers=headers)

    @app.get("/login", response_model=None)
    async def login() -> FileResponse | RedirectResponse:
        return FileResponse(_STATIC / "login.html") if door.locked else RedirectResponse("/", 303)

    @app.post("/login")
    async def enter(request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            return _json({"error": "a form is expected"}, 415)
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _LOGIN_BYTES:
                return _json({"error": "too long for a token"}, 413)
        if not door.is_token(_token_in(body)):
            if not guesses.wrong(client_of(request.client.host if request.client else None)):
                return too_many()
            await asyncio.sleep(_WRONG_TOKEN_S)
            return RedirectResponse("/login?wrong", 303)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            COOKIE,
            door.pass_for(),
            max_age=DAYS * DAY_S,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer


def _data(
    app: FastAPI, board: Board, draw_pair: DrawPair, study_dir: Path, asked: BlockingQuestions
) -> None:
    @app.exception_handler(LiqError)
    async def explain(_: Request, error: LiqError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 503)

    @app.exception_handler(RequestValidationError)
    async def refuse(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        said = first["msg"]
        if first["type"] == "string_pattern_mismatch":
            said = "no name as markets have it, such as BTC or BTC/USDT:USDT"
        return JSONResponse({"error": f"{first['loc'][-1]}: {said}"}, 400)

    @app.get("/api/record")
    async def stored_record(
        coin: _Coin, direction: Literal["LONG", "SHORT"], start: _Ms, at: _Ms
    ) -> Response:
        row = await asked.ask(board.reader.verdict, coin, direction, start, at)
        if row is None:
            return _json({"error": "no such verdict is stored"}, 404)
        return _json(await asked.ask(record, board.reader, row, board.in_force, board.refusals))

    @app.get("/api/pair")
    async def pair_view(pair: _Pair, hours: _Hours = 6, theme: str = "dark") -> Response:
        try:
            shown = "light" if theme == "light" else "dark"
            text = await asked.ask(draw_pair, pair, hours, shown)
        except UsageError as error:
            # A name that was mistyped is no failure of the page.
            return _json({"error": str(error)})
        return Response(text, media_type="application/json")

    @app.get("/api/evidence")
    def evidence() -> Response:
        return _json(latest_study(study_dir))

    @app.get(PAGE_PATH)
    def pairlist(limit: int = Query(_PAIRS, ge=1, le=_PAIRS)) -> Response:
        told = board.pair_list
        said = {"simulated": board.simulated} if board.simulated else {}
        # No refresh_period: Freqtrade would not ask more often than that, whatever it is told.
        listed = {"pairs": told["pairs"][:limit], "left_out": told["left_out_n"]}
        return _json({**listed, "written_ms": told["written_ms"], **said})

    @app.get("/api/version")
    async def version() -> Response:
        return _json({"liqtrend": __version__})


async def events(board: Board, window: int, ending: asyncio.Event) -> AsyncIterator[bytes]:
    """
    Server-sent events: each section when it changed, and the tape's new items.

    :param window: of the market table
    """
    sent: dict[str, int] = {}
    names = {name: name for name in _SECTIONS} | {"market": f"market {window}"}
    tape, beaten_s = 0, 0.0
    yield b"retry: 2000\n\n"
    while not ending.is_set():
        board.want(window)
        parts = []
        if time.monotonic() - beaten_s >= _BEAT_S:
            beaten_s = time.monotonic()
            parts.append(_event("beat", orjson.dumps(board.beat())))
        for name, section in names.items():
            version, text = board.section(section)
            if version and sent.get(name) != version:
                sent[name] = version
                parts.append(_event(name, text))
        if board.tape.last > tape:
            items = board.tape.since(tape)
            tape = items[-1]["id"] if items else board.tape.last
            parts.append(_event("tape", orjson.dumps({"kept": KEPT, "rows": items})))
        if parts:
            yield b"".join(parts)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), _EVERY_S)


def latest_study(folder: Path) -> dict[str, Any]:
    """:return: sentences and limits of the newest study; empty if there is none"""
    files = sorted(folder.glob("study_*.json"))
    if not files:
        return {"sentences": [], "limits": [], "made_ms": None, "file": None}
    try:
        study = json.loads(files[-1].read_text(encoding="utf-8"))
        return {
            "sentences": [str(line) for line in study["sentences"]],
            "limits": [str(line) for line in study["limits"]],
            "simulated": study.get("simulated"),
            "made_ms": int(study["made_ms"]),
            "file": files[-1].with_suffix(".html").name,
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        return {
            "sentences": [f"{files[-1].name} cannot be read ({type(error).__name__})"],
            "limits": [],
            "made_ms": None,
            "file": None,
        }


def _token_in(body: bytes) -> str:
    try:
        return parse_qs(body.decode(errors="replace"), max_num_fields=8).get("token", [""])[0]
    except ValueError:
        return ""


def _event(name: str, text: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + text + b"\n\n"


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")
