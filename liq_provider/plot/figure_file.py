"""A figure as one file: a page that needs nothing else, or a picture of it."""

import html
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from liq_provider.core import private_files
from liq_provider.errors import UsageError
from liq_provider.plot.figure import HEIGHT_PX
from liq_provider.plot.theme import THEMES, ThemeName

CONFIG = {"displaylogo": False, "showSendToCloud": False, "responsive": True}
"""Plotly's own settings: nothing that leads away from the page or sends it anywhere."""

_BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
)
_WIDTH_PX = 1_500
_TIMEOUT_S = 90


def page(figure: go.Figure, title: str, theme: ThemeName, *, still: bool = False) -> str:
    """
    :param still: without buttons
    :return: HTML that can be opened anywhere, and is forbidden to ask for anything
    """
    drawn = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        config=CONFIG | {"displayModeBar": False} if still else CONFIG,
        div_id="pair-view",
    )
    return _PAGE.format(
        title=html.escape(title),
        paper=THEMES[theme].paper,
        script=get_plotlyjs(),
        body=drawn,
    )


def write_page(figure: go.Figure, path: Path, title: str, theme: ThemeName) -> None:
    """:raises UsageError: the file cannot be written"""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        private_files.replace_text(path, page(figure, title, theme), for_all=True)
    except OSError as error:
        raise _unwritable(path, error) from None


def browser() -> str:
    """
    :return: a program that can make a picture of a page
    :raises UsageError: there is none
    """
    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if program is None:
        raise UsageError(
            "--out: a .png needs Chromium or Chrome, and there is none here; write .html"
        )
    return program


def write_picture(figure: go.Figure, path: Path, title: str, theme: ThemeName) -> None:
    """:raises UsageError: there is no browser, it made no picture, or that cannot be written"""
    program = browser()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Beside the picture: some browsers are kept out of the system's temporary folder.
        with tempfile.TemporaryDirectory(dir=path.parent, prefix="liq-plot-") as folder:
            source, shot = Path(folder).resolve() / "view.html", Path(folder).resolve() / "view.png"
            source.write_text(page(figure, title, theme, still=True), encoding="utf-8")
            said = _photograph(program, source, shot)
            if not shot.is_file():
                raise UsageError(f"--out {path}: {program} made no picture ({said}); write .html")
            shot.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from None


def _photograph(program: str, source: Path, shot: Path) -> str:
    """:return: what the browser said last"""
    command = [
        program,
        "--headless",
        "--disable-gpu",
        "--hide-scrollbars",
        "--force-device-scale-factor=1",
        f"--user-data-dir={source.parent / 'profile'}",
        f"--window-size={_WIDTH_PX},{HEIGHT_PX}",
        "--virtual-time-budget=20000",
        f"--screenshot={shot}",
        *(["--no-sandbox"] if _is_root() else []),
        source.as_uri(),
    ]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stderr.decode(errors="replace").strip().splitlines() or ["no word"])[-1]


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"--out {path}: cannot be written ({error.strerror})")


def _is_root() -> bool:
    """Whose browser has no sandbox."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none';
 script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<script>{script}</script>
<style>body {{ margin: 0; background: {paper}; }}</style>
</head><body>
{body}
</body></html>
"""
